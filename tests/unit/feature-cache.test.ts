import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { appendFile, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { cachedPictures } from '#shared/util/feature-cache-format.ts'
import { cacheName, FeatureCache } from '#trainer/data/feature-cache.ts'
import { takeLock } from '#trainer/data/file-lock.ts'

const preprocessing: Preprocessing = {
  version: 1,
  size: { width: 32, height: 32 },
  fit: 'stretch',
  filter: 'pillow-bilinear',
  background: [255, 255, 255],
  channelOrder: 'RGB',
  mean: [127.5, 127.5, 127.5],
  divisor: [127.5, 127.5, 127.5],
  jpegScaledDecode: false,
}
const LENGTH = 5
const identity = { backboneSha256: 'abc', preprocessing, featureLength: LENGTH }
const key = (n: number): string => createHash('sha256').update(String(n)).digest('hex')
const features = (n: number): Float32Array => Float32Array.from({ length: LENGTH }, (_, j) => n + j / 10)

describe('FeatureCache', () => {
  let folder: string
  const path = (ending: string): string => join(folder, `${cacheName(identity)}.${ending}`)
  const filled = async (count: number): Promise<void> => {
    const cache = await FeatureCache.open(folder, identity)
    for (let n = 0; n < count; n++) cache.append(key(n), features(n))
    await cache.close()
  }
  const readBack = async (cache: FeatureCache, numbers: readonly number[]) => {
    const target = new Float32Array(numbers.length * LENGTH).fill(-1)
    const found = await cache.read(numbers.map(key), target)
    return { found, target }
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kestrel-cache-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('gives back what was appended, in any order, also before it is closed', async () => {
    const cache = await FeatureCache.open(folder, identity)
    for (let n = 0; n < 20; n++) cache.append(key(n), features(n))
    const { found, target } = await readBack(cache, [7, 99, 0, 19, 7])
    expect(found).toEqual([true, false, true, true, true])
    expect([...target.subarray(0, 5)]).toEqual([...features(7)])
    expect([...target.subarray(5, 10)]).toEqual([-1, -1, -1, -1, -1])
    expect([...target.subarray(15, 20)]).toEqual([...features(19)])
    await cache.close()
  })

  it('keeps its rows across openings and goes on where it ended', async () => {
    await filled(10)
    const again = await FeatureCache.open(folder, identity)
    expect(again.size).toBe(10)
    again.append(key(10), features(10))
    again.append(key(3), features(999))
    await again.close()
    const third = await FeatureCache.open(folder, identity)
    expect(third.size).toBe(11)
    const { target } = await readBack(third, [3, 10])
    expect([...target]).toEqual([...features(3), ...features(10)])
    await third.close()
  })

  it('tells the studio, which may only read, what is there', async () => {
    expect((await cachedPictures(folder, identity)).size).toBe(0)
    await filled(10)
    expect([...(await cachedPictures(folder, identity))]).toEqual(
      Array.from({ length: 10 }, (_, n) => key(n)),
    )
    await truncate(path('rows'), LENGTH * 4 * 7)
    expect((await cachedPictures(folder, identity)).size).toBe(7)
  })

  it('has other files for another backbone, size or channel order', () => {
    const names = [
      cacheName(identity),
      cacheName({ ...identity, backboneSha256: 'abd' }),
      cacheName({ ...identity, preprocessing: { ...preprocessing, channelOrder: 'BGR' } }),
      cacheName({ ...identity, preprocessing: { ...preprocessing, size: { width: 64, height: 32 } } }),
    ]
    expect(new Set(names).size).toBe(4)
    const turned = Object.fromEntries(Object.entries(preprocessing).reverse()) as unknown as Preprocessing
    expect(cacheName({ ...identity, preprocessing: turned })).toBe(names[0])
  })

  it.each([
    [
      'half a row and no entry',
      async (at: (e: string) => string) => appendFile(at('rows'), Buffer.alloc(11)),
    ],
    ['rows without entries', async (at: (e: string) => string) => appendFile(at('rows'), Buffer.alloc(60))],
    ['half an entry', async (at: (e: string) => string) => appendFile(at('index'), Buffer.alloc(17, 1))],
    [
      'an entry without its row',
      async (at: (e: string) => string) => appendFile(at('index'), Buffer.alloc(36, 1)),
    ],
  ])('cuts off a torn tail: %s', async (_name, tear) => {
    await filled(6)
    await tear(path)
    const cache = await FeatureCache.open(folder, identity)
    expect(cache.size).toBe(6)
    cache.append(key(6), features(6))
    const { found, target } = await readBack(cache, [5, 6])
    expect(found).toEqual([true, true])
    expect([...target]).toEqual([...features(5), ...features(6)])
    await cache.close()
    expect((await stat(path('rows'))).size).toBe(7 * LENGTH * 4)
  })

  it('loses only the last rows when the file of rows is shorter than its index', async () => {
    await filled(6)
    await truncate(path('rows'), 4 * LENGTH * 4 + 3)
    const cache = await FeatureCache.open(folder, identity)
    expect(cache.size).toBe(4)
    await cache.close()
  })

  it('does not trust a damaged row, and takes a new one for it', async () => {
    await filled(3)
    const handle = await open(path('rows'), 'r+')
    await handle.write(Buffer.from([1, 2, 3]), 0, 3, LENGTH * 4 + 1)
    await handle.close()
    const cache = await FeatureCache.open(folder, identity)
    expect((await readBack(cache, [0, 1, 2])).found).toEqual([true, false, true])
    cache.append(key(1), features(1))
    await cache.close()
    const again = await FeatureCache.open(folder, identity)
    expect((await readBack(again, [1])).found).toEqual([true])
    await again.close()
  })

  it('begins anew over a foreign file', async () => {
    await writeFile(path('index'), 'something else altogether')
    await writeFile(path('rows'), 'and this')
    const cache = await FeatureCache.open(folder, identity)
    expect(cache.size).toBe(0)
    cache.append(key(1), features(1))
    await cache.close()
    expect((await readFile(path('index'))).length).toBe(16 + 36)
  })

  it('lets a second one read while the first writes, and write once the first is closed', async () => {
    const first = await FeatureCache.open(folder, identity)
    first.append(key(1), features(1))
    await first.flush()
    const second = await FeatureCache.open(folder, identity)
    expect(second.writable).toBe(false)
    expect(second.has(key(1))).toBe(true)
    second.append(key(2), features(2))
    expect(second.has(key(2))).toBe(false)
    await second.close()
    await first.close()
    const third = await FeatureCache.open(folder, identity)
    expect(third.writable).toBe(true)
    await third.close()
  })

  it('takes over the lock of a process that has ended', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    await writeFile(path('lock'), String(pid))
    const lock = await takeLock(path('lock'))
    expect(lock).not.toBeNull()
    expect(await takeLock(path('lock'))).toBeNull()
    await lock!.release()
  })

  it('refuses features of another length', async () => {
    const cache = await FeatureCache.open(folder, identity)
    expect(() => cache.append(key(1), new Float32Array(4))).toThrowError(/5 numbers/)
    await cache.close()
  })
})
