import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { npyHeader } from '#shared/util/npy.ts'
import type { FeaturesCommand } from '../command.ts'
import type { CliContext } from '../context.ts'
import { hashAll } from '../hashed.ts'
import { findPictures, requireFolder } from '../pictures.ts'
import { makeReady, withStudio } from '../studio.ts'

/** Pictures per request: what is in memory at a time is small however many there are. */
const CHUNK = 512

/** Writes the features of all pictures of a folder as one NumPy array, and the file of each row beside it. */
export async function features(command: FeaturesCommand, context: CliContext): Promise<void> {
  const { terminal, signal } = context
  const folder = await requireFolder(command.folder)
  const out = resolve(command.out)
  await withStudio(context, async (studio) => {
    const { pool, backbones, home } = studio
    await makeReady(command.backbone, studio, context)
    const backbone = await backbones.ensure(command.backbone)
    const { featureLength } = backbone
    const files = await findPictures([folder], signal)
    await mkdir(dirname(out), { recursive: true })
    const part = `${out}.part`
    const header = npyHeader('<f4', [files.length, featureLength])
    const target = await open(part, 'w')
    const rows: string[] = []
    const skipped: { file: string; code: string; message: string }[] = []
    const began = performance.now()
    try {
      await target.write(header)
      for (let at = 0; at < files.length; at += CHUNK) {
        const chunk = files.slice(at, at + CHUNK)
        const { readable, refused } = await hashAll(chunk)
        skipped.push(...refused)
        const result = await pool.quick<'features'>(
          {
            kind: 'features',
            backbone,
            images: readable.map(({ file, sha256 }, id) => ({ id, sha256, path: file.path })),
            cacheDir: join(home, 'cache', 'features'),
            returnFeatures: true,
          },
          {
            signal,
            onProgress: ({ stage, done, rate }) =>
              terminal.progress({
                stage,
                done: at + done,
                total: files.length,
                rate,
                etaSeconds: rate === null || rate <= 0 ? null : (files.length - at - done) / rate,
              }),
          },
        )
        const failed = new Map(result.failed.map(({ id, error }) => [id, error]))
        for (const [id, { file }] of readable.entries()) {
          const error = failed.get(id)
          if (error) skipped.push({ file: file.relative, code: error.code, message: error.message })
          else {
            const row = result.features!.subarray(id * featureLength, (id + 1) * featureLength)
            await target.write(new Uint8Array(row.buffer, row.byteOffset, row.byteLength))
            rows.push(file.relative)
          }
        }
      }
      if (rows.length === 0)
        throw new KestrelError('too-few-pictures', 'None of the files could be read as a picture.')
      const finalHeader = npyHeader('<f4', [rows.length, featureLength])
      if (finalHeader.length !== header.length) throw new Error('the header of the array changed its length')
      await target.write(finalHeader, 0, finalHeader.length, 0)
      await target.close()
      await rename(part, out)
    } catch (error) {
      await target.close().catch(() => undefined)
      await rm(part, { force: true })
      throw error
    }
    const list = out.replace(/\.npy$/, '.txt')
    await writeFile(list, rows.map((row) => `${row}\n`).join(''))
    const seconds = (performance.now() - began) / 1000
    for (const { file, message } of skipped.slice(0, 10)) terminal.say(`${file}: ${message}`)
    terminal.print(
      `${rows.length} pictures × ${featureLength} features in ${out} (rows in ${list}), ${skipped.length} files skipped, ${seconds.toFixed(1)} s.`,
    )
    terminal.answer({
      kestrel: context.version,
      backbone: backbone.id,
      shape: [rows.length, featureLength],
      path: out,
      files: list,
      skipped,
      seconds,
    })
  })
}
