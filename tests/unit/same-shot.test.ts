import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { readForImport, readLook } from '#imaging/index.ts'
import { HashIndex, MOST_BITS } from '#shared/domain/hash-index.ts'
import { isSameShot, LOOK_BYTES, structureOf } from '#shared/domain/same-shot.ts'
import { temporaryFolder } from '../helpers/folders.ts'
import { photo, wall } from '../helpers/photos.ts'

async function read(bytes: Buffer): Promise<{ hash: string; look: Uint8Array; file: string }> {
  const file = join(temporaryFolder(), 'picture')
  await writeFile(file, bytes)
  const { perceptualHash, look } = await readForImport(file)
  return { hash: perceptualHash, look, file }
}

const isCandidate = (a: string, b: string): boolean => {
  let found = false
  new HashIndex([a, b]).near(0, MOST_BITS, () => (found = true))
  return found
}

async function sameShot(a: Buffer, b: Buffer): Promise<boolean> {
  const [first, second] = [await read(a), await read(b)]
  return isCandidate(first.hash, second.hash) && isSameShot(structureOf(first.look), structureOf(second.look))
}

const seeds = [1, 2, 3, 4, 5, 6]
const changes: Record<string, (picture: Sharp) => Sharp> = {
  'saved again at quality 60': (picture) => picture.jpeg({ quality: 60 }),
  'half as large': (picture) => picture.resize(200),
  '3 % cropped': (picture) => picture.extract({ left: 6, top: 4, width: 388, height: 291 }),
  '5 % brighter': (picture) => picture.linear(1.05, 0),
  grey: (picture) => picture.greyscale(),
  'as PNG': (picture) => picture.png(),
}

describe('one shot', () => {
  let photos: Buffer[]
  beforeAll(async () => {
    photos = await Promise.all(seeds.map((seed) => photo(seed)))
  })

  it.each(Object.entries(changes))('is recognised %s', async (_name, change) => {
    for (const bytes of photos)
      expect(await sameShot(bytes, await change(sharp(bytes)).toBuffer())).toBe(true)
  })

  it('is not another one, nor the same mirrored', async () => {
    const looks = await Promise.all(photos.map(async (bytes) => structureOf((await read(bytes)).look)))
    for (const [i, a] of looks.entries())
      for (const b of looks.slice(i + 1)) expect(isSameShot(a, b)).toBe(false)
    const mirrored = await sharp(photos[0]).flop().toBuffer()
    expect(isSameShot(looks[0]!, structureOf((await read(mirrored)).look))).toBe(false)
  })

  it('needs something to be recognised by: plain walls in the same light are not one shot', async () => {
    const walls = await Promise.all(
      seeds.map(async (seed) => structureOf((await read(await wall(seed))).look)),
    )
    expect(walls.every(({ flat }) => flat)).toBe(true)
    expect(isSameShot(walls[0]!, walls[0]!)).toBe(false)
    expect(isSameShot(walls[0]!, walls[1]!)).toBe(false)
  })

  it('takes no notice of light that falls off: different things on the same ground differ', async () => {
    const thing = (x: number, y: number): Promise<Buffer> =>
      sharp(
        Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300">
        <defs><linearGradient id="g"><stop offset="0" stop-color="#444"/><stop offset="1" stop-color="#eee"/></linearGradient></defs>
        <rect width="400" height="300" fill="url(#g)"/><circle cx="${x}" cy="${y}" r="24" fill="#963"/></svg>`),
      )
        .jpeg()
        .toBuffer()
    const [here, there] = [await read(await thing(150, 140)), await read(await thing(230, 170))]
    expect(isSameShot(structureOf(here.look), structureOf(there.look))).toBe(false)
  })
})

describe('a look', () => {
  it('is the same from the file alone', async () => {
    const { look, file } = await read(await photo(7))
    expect(look).toHaveLength(LOOK_BYTES)
    expect(await readLook(file)).toEqual(look)
  })

  it('is there for the smallest picture', async () => {
    const dot = sharp({ create: { width: 1, height: 1, channels: 3, background: '#808080' } })
    expect(new Set((await read(await dot.png().toBuffer())).look)).toEqual(new Set([128]))
  })

  it('has one size', () => {
    expect(() => structureOf(new Uint8Array(10))).toThrow(RangeError)
  })
})
