import type { Context } from 'hono'
import { renderPreview, renderThumbnail } from '#imaging/index.ts'
import type { EncodedPicture } from '#imaging/index.ts'
import type { ExportsService } from './exports/service.ts'
import type { MediaRoutes } from './ports.ts'
import type { PredictionsService } from './predictions/service.ts'
import { zipFiles, zipFolder, zipTexts } from './zip.ts'

interface Ports {
  predictions: PredictionsService
  exports: ExportsService
  diagnostics(): Promise<ReadonlyMap<string, string>>
}

const PREVIEW_EDGE = 1280

/** A name a browser saves under: plain for old ones, whole for the rest (RFC 6266). */
function attachment(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\]/g, '_')
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(name)}`
}

const withoutEnding = (name: string, ending: string): string =>
  name.endsWith(ending) ? name.slice(0, -ending.length) : name

/** Pictures given to a model, tables, exports and diagnostics. By id only. */
export const trainingMedia =
  ({ predictions, exports, diagnostics }: Ports): MediaRoutes =>
  (media) => {
    const download = (body: ReadableStream<Uint8Array> | string, type: string, name: string): Response =>
      new Response(body, {
        headers: {
          'content-type': type,
          'content-disposition': attachment(name),
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
        },
      })

    media.get('/diagnostics.zip', async () => {
      const day = new Date().toISOString().slice(0, 10)
      return download(zipTexts(await diagnostics()), 'application/zip', `kestrel-diagnostics-${day}.zip`)
    })
    const given =
      (render: (path: string) => Promise<EncodedPicture>) =>
      async (c: Context): Promise<Response> => {
        const { projectId = '', predictionId = '' } = c.req.param()
        const { bytes, contentType } = await render(predictions.picturePath(projectId, predictionId))
        return c.body(bytes as Uint8Array<ArrayBuffer>, 200, {
          'content-type': contentType,
          'cache-control': 'private, max-age=3600',
        })
      }
    media.get(
      '/:projectId/prediction/:predictionId',
      given((path) => renderPreview(path, PREVIEW_EDGE)),
    )
    media.get(
      '/:projectId/prediction/:predictionId/thumb',
      given((path) => renderThumbnail(path)),
    )
    media.get('/:projectId/predictions/:file', (c) => {
      const { projectId, file } = c.req.param()
      const { name, text } = predictions.csv(projectId, withoutEnding(file, '.csv'))
      return download(text, 'text/csv; charset=utf-8', name)
    })
    media.get('/:projectId/sorted/:file', async (c) => {
      const { projectId, file } = c.req.param()
      const { name, files, left } = await predictions.sorted(projectId, withoutEnding(file, '.zip'))
      const texts = new Map<string, string>()
      if (left.length > 0)
        texts.set(
          `${name}/not in here.txt`,
          `These could not be read, or were gone when the copies were made:\n\n${left.join('\n')}\n`,
        )
      const placed = files.map(({ path, place }) => ({ path, place: `${name}/${place}` }))
      return download(zipFiles(placed, texts), 'application/zip', `${name}.zip`)
    })
    media.get('/:projectId/export/:file', async (c) => {
      const { projectId, file } = c.req.param()
      const exportId = withoutEnding(file, '.zip')
      const title = exports.title(projectId, exportId)
      return download(
        await zipFolder(exports.folder(projectId, exportId), title),
        'application/zip',
        `${title}.zip`,
      )
    })
  }
