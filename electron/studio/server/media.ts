import type { Hono } from 'hono'
import { mostThumbnails } from '#shared/contract/media.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { packParts } from '#shared/util/pack.ts'
import type { ThumbnailStore } from '../datasets/thumbnails.ts'
import type { PicturesService } from '../datasets/pictures-service.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import type { Recents } from '../projects/recents.ts'
import { fileResponse } from './page.ts'

export interface PictureMediaPorts {
  registry: ProjectRegistry
  pictures: PicturesService
  thumbnails: ThumbnailStore
  recents: Recents
}

/** A picture's content never changes under its id. */
const forEver = 'private, max-age=31536000, immutable'

const numberOf = (text: string): number => {
  if (!/^\d{1,10}$/.test(text)) throw nothingThere()
  return Number(text)
}

const nothingThere = (): KestrelError => new KestrelError('not-found', 'There is nothing at this address.')

const imageResponse = (bytes: Uint8Array, contentType: string): Response =>
  new Response(bytes as Uint8Array<ArrayBuffer>, {
    headers: { 'content-type': contentType, 'cache-control': forEver },
  })

/** Thumbnails, previews and the strips of the start page. By id only; no address holds a path. */
export const pictureMedia =
  ({ registry, pictures, thumbnails, recents }: PictureMediaPorts) =>
  (media: Hono): void => {
    async function thumbnailOrNone(project: OpenProject, pictureId: number): Promise<Uint8Array | null> {
      try {
        return (await thumbnails.thumbnail(project, pictures.record(project, pictureId))).bytes
      } catch (error) {
        // Of one picture among many: its tile says that it is gone, the others are shown.
        if (error instanceof KestrelError) return null
        throw error
      }
    }

    media.get('/recent/:projectId/:index', async (c) => {
      const file = await recents.stripFile(c.req.param('projectId'), numberOf(c.req.param('index')))
      const response = file === undefined ? null : await fileResponse(file, { cacheControl: 'no-cache' })
      if (!response) throw nothingThere()
      return response
    })
    media.get('/:projectId/thumb/:pictureId', async (c) => {
      const project = registry.get(c.req.param('projectId'))
      const picture = pictures.record(project, numberOf(c.req.param('pictureId')))
      const { bytes, contentType } = await thumbnails.thumbnail(project, picture)
      return imageResponse(bytes, contentType)
    })
    media.get('/:projectId/thumbs/:pictureIds', async (c) => {
      const project = registry.get(c.req.param('projectId'))
      const ids = c.req.param('pictureIds').split(',').map(numberOf)
      if (ids.length > mostThumbnails) throw nothingThere()
      const packed = packParts(await Promise.all(ids.map((id) => thumbnailOrNone(project, id))))
      // Not kept by the browser: each of these combinations is asked for about once, and the studio has them at hand.
      const headers = { 'content-type': 'application/octet-stream', 'cache-control': 'no-store' }
      return new Response(packed, { headers })
    })
    media.get('/:projectId/preview/:pictureId', async (c) => {
      const project = registry.get(c.req.param('projectId'))
      const picture = pictures.record(project, numberOf(c.req.param('pictureId')))
      const { bytes, contentType } = await thumbnails.preview(project, picture)
      return imageResponse(bytes, contentType)
    })
  }
