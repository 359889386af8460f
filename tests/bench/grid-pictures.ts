import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { createRandom } from '#shared/domain/random.ts'
import { LOOK_BYTES } from '#shared/domain/same-shot.ts'
import { composeStudio } from '#studio/compose.ts'
import { createTrainerLauncher } from '#studio/parent-link.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { createLooksRepository } from '#studio/storage/looks-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { draw } from '../helpers/draw.ts'
import { pictureRow } from '../helpers/picture-rows.ts'

const labels = 5
const bigOnes = 8
/** Every n-th picture comes from a large camera. */
const bigEvery = 50
const atOnce = 100

/** Photographs of 12 megapixels, as a camera leaves them: noise does not compress. */
function drawPhotographs(): Promise<Buffer[]> {
  const [width, height] = [4000, 3000]
  return Promise.all(
    Array.from({ length: bigOnes }, async (_, i) =>
      sharp(await draw(90_000 + i, { width, height, format: 'png' }))
        .composite([
          {
            input: await sharp({
              create: {
                width,
                height,
                channels: 3,
                background: '#808080',
                noise: { type: 'gaussian', mean: 128, sigma: 12 },
              },
            })
              .png({ compressionLevel: 0 })
              .toBuffer(),
            blend: 'soft-light',
          },
        ])
        .jpeg({ quality: 90 })
        .toBuffer(),
    ),
  )
}

/** Draws `count` pictures into a folder per label; every 50th has 12 megapixels. No two files are equal. */
export async function drawFolder(folder: string, count: number): Promise<void> {
  const photographs = await drawPhotographs()
  const random = createRandom(1)
  const file = async (seed: number): Promise<Uint8Array> => {
    const photograph = seed % bigEvery === 0 ? photographs[random.below(bigOnes)] : undefined
    // What follows the end of a JPEG is no part of the picture, but of the file.
    return photograph
      ? Buffer.concat([photograph, Buffer.from(String(seed))])
      : draw(seed, { width: 320, height: 240 })
  }
  for (let from = 0; from < count; from += atOnce) {
    await Promise.all(
      Array.from({ length: Math.min(atOnce, count - from) }, async (_, i) => {
        const path = join(folder, `kind ${(from + i) % labels}`)
        await mkdir(path, { recursive: true })
        await writeFile(join(path, `${from + i}.jpg`), await file(from + i))
      }),
    )
  }
}

const quiet = { info: () => undefined, warn: console.error, error: console.error }

/** A project with `count` rows over the pictures of one of the folder's labels. @returns its id */
export async function manyRows(home: string, folder: string, count: number): Promise<string> {
  const studio = await composeStudio({
    version: 'bench',
    mode: 'browser',
    home,
    log: quiet,
    launcher: createTrainerLauncher(null),
  })
  const place = join(home, 'Many.kestrel')
  const { projectId } = await studio.projects.openOrCreateAt(place, 'Many')
  const rule = { rule: 'parent', storage: 'copy', keepSplit: false } as const
  await studio.jobs.wait(studio.imports.syncFolder(projectId, join(folder, 'kind 1'), rule).id)
  await studio.close()

  const database = openProjectDatabase(place)
  const pictures = createPicturesRepository(database)
  const looks = createLooksRepository(database)
  const files = pictures.firstFiles(count)
  database.transaction(() => {
    const added: number[] = []
    for (let i = files.length; i < count; i++) {
      const id = pictures.insert(pictureRow(i, { file: files[i % files.length] ?? '', labelId: null }))
      looks.add(id, new Uint8Array(LOOK_BYTES))
      added.push(id)
    }
    // As an import leaves them: with nothing left for the studio to do behind the page's back.
    looks.settle(added, [])
  })
  database.close()
  return projectId
}
