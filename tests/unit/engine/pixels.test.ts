import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { resizeFile } from '#imaging/prepare.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { PixelStore, type PixelJob } from '#trainer/data/pixels.ts'
import { StopSignal } from '#trainer/host/context.ts'
import { drawPictures, type DrawnPicture } from '../../helpers/drawn-pictures.ts'

const preprocessing: Preprocessing = {
  version: 1,
  size: { width: 12, height: 10 },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'BGR',
  mean: [127.5, 127.5, 127.5],
  divisor: [127.5, 127.5, 127.5],
  jpegScaledDecode: false,
}
const LENGTH = 3 * 120

let work: string
let pictures: DrawnPicture[]
let cacheDir: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-pixels-'))
  pictures = await drawPictures(join(work, 'pictures'), { classes: 2, count: 4, width: 40, height: 30 })
})
afterAll(() => rm(work, { recursive: true }))
beforeEach(async () => {
  cacheDir = await mkdtemp(join(work, 'cache-'))
})
afterEach(() => rm(cacheDir, { recursive: true }))

const openStore = (changes: Partial<PixelJob> = {}): Promise<PixelStore> =>
  PixelStore.open({
    images: pictures,
    preprocessing,
    cacheDir,
    stop: new StopSignal(),
    onProgress: () => undefined,
    ...changes,
  })

/** Planes of a picture, the direct way. */
async function planes(path: string): Promise<Uint8Array> {
  const resized = await resizeFile(path, preprocessing)
  return Uint8Array.from({ length: LENGTH }, (_, i) => resized[(i % 120) * 3 + Math.floor(i / 120)]!)
}
const expected = (): Promise<Uint8Array[]> => Promise.all(pictures.map(({ path }) => planes(path)))
const all = (store: PixelStore): Uint8Array[] =>
  Array.from({ length: store.rows }, (_, row) => store.picture(row))

describe.each([
  ['in memory', undefined],
  ['in a file', 0],
])('decoded pictures %s', (kind, memoryBudget) => {
  it('are the preprocessed ones, in RGB planes, whatever the scaling of the network', async () => {
    const store = await openStore({ memoryBudget })
    expect(store.shared.store.kind).toBe(kind === 'in a file' ? 'file' : 'memory')
    expect(all(store)).toEqual(await expected())
    expect(store).toMatchObject({ rows: 8, cached: 0, decoded: 8, failed: [] })
    await store.close()
    await store.close()
  })

  it('are there at once in the next run, also for another scaling', async () => {
    await (await openStore({ memoryBudget })).close()
    const other = { ...preprocessing, mean: [0, 0, 0], channelOrder: 'RGB' } satisfies Preprocessing
    const store = await openStore({ memoryBudget, preprocessing: other })
    expect(store).toMatchObject({ cached: 8, decoded: 0 })
    expect(all(store)).toEqual(await expected())
    await store.close()
    const larger = { ...preprocessing, size: { width: 12, height: 11 } }
    const another = await openStore({ memoryBudget, preprocessing: larger })
    expect(another).toMatchObject({ cached: 0, decoded: 8 })
    await another.close()
  })

  it('are decoded again where the cache is damaged', async () => {
    await (await openStore({ memoryBudget })).close()
    const file = (await readdir(cacheDir)).find((name) => name.endsWith('.rows'))!
    const handle = await open(join(cacheDir, file), 'r+')
    await handle.write(Buffer.from([1, 2, 3, 4]), 0, 4, 5 * LENGTH + 40)
    await handle.close()
    const store = await openStore({ memoryBudget })
    expect(store).toMatchObject({ cached: 7, decoded: 1 })
    expect(all(store)).toEqual(await expected())
    await store.close()
  })

  it('of which one is there twice are decoded once', async () => {
    const images = [pictures[0]!, pictures[1]!, pictures[0]!, pictures[0]!]
    const store = await openStore({ images, memoryBudget })
    expect(store).toMatchObject({ rows: 4, decoded: 4 })
    expect([...store.shared.places].map((place) => place === store.shared.places[0])).toEqual([
      true,
      false,
      true,
      true,
    ])
    await store.close()
  })

  it('go without those that cannot be read, which are named', async () => {
    const broken = join(work, 'broken.jpg')
    await writeFile(broken, 'this is no picture')
    const images = [
      { ...pictures[0]!, path: join(work, 'gone.jpg'), sha256: 'a'.repeat(64) },
      pictures[1]!,
      { ...pictures[2]!, path: broken, sha256: 'b'.repeat(64) },
    ]
    const progress: number[] = []
    const store = await openStore({ images, memoryBudget, onProgress: (done) => void progress.push(done) })
    expect(store.failed.map(({ index, error }) => [index, error.code])).toEqual([
      [0, 'file-missing'],
      [2, 'not-a-picture'],
    ])
    expect(store.picture(1)).toEqual(await planes(pictures[1]!.path))
    expect(() => store.picture(0)).toThrowError(/row 0/)
    expect(progress.at(-1)).toBe(3)
    await store.close()
  })

  it('are kept as far as they were decoded when asked to stop', async () => {
    const stop = new StopSignal()
    const stopped = openStore({ memoryBudget, stop, onProgress: (done) => done >= 2 && stop.ask(true) })
    await expect(stopped).rejects.toMatchObject({ code: 'stopped' })
    const store = await openStore({ memoryBudget })
    expect(store.cached).toBeGreaterThanOrEqual(2)
    expect(store.cached + store.decoded).toBe(8)
    await store.close()
  })
})

describe('a disk with too little room', () => {
  it('keeps no pictures for later when memory holds them', async () => {
    const store = await openStore({ freeBytes: 2 ** 30 })
    expect(all(store)).toEqual(await expected())
    await store.close()
    const again = await openStore({ freeBytes: 2 ** 30 + 8 * LENGTH })
    expect(again).toMatchObject({ cached: 0, decoded: 8 })
    await again.close()
    const third = await openStore({ freeBytes: 0 })
    expect(third).toMatchObject({ cached: 8, decoded: 0 })
    await third.close()
  })

  it('is said before the work, when it has to hold them', async () => {
    const refused = openStore({ memoryBudget: 0, freeBytes: 2 ** 30 })
    await expect(refused).rejects.toMatchObject({
      code: 'disk-full',
      remedy: expect.stringMatching(/^Free 1 GB/),
    })
  })
})

describe('a cache that another run is writing', () => {
  it('serves what it has; everything goes to a file without a name', async () => {
    const some = await openStore({ images: pictures.slice(0, 5) })
    await some.close()
    const lock = (await readdir(cacheDir)).find((name) => name.endsWith('.rows'))!.replace('.rows', '.lock')
    // Our parent is alive as long as we are.
    await writeFile(join(cacheDir, lock), String(process.ppid))
    const before = (await readdir(cacheDir)).sort()
    const store = await openStore({ memoryBudget: 0 })
    expect(store).toMatchObject({ cached: 5, decoded: 3 })
    expect(all(store)).toEqual(await expected())
    // Already removed, but open: a crash leaves nothing behind.
    expect((await readdir(cacheDir)).sort()).toEqual(before)
    await store.close()
  })
})
