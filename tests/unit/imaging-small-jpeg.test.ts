import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeToRgb, usePixels } from '#imaging/decode.ts'
import { readHeader } from '#imaging/header.ts'
import { decodeSmallJpeg, isSmallJpeg } from '#imaging/small-jpeg.ts'
import { sceneImage, storedFor } from '../helpers/pictures.ts'

/** What libvips decodes, grey as three channels. */
const byLibvips = (file: Buffer): Promise<Buffer> => sharp(file, { ignoreIcc: true }).raw().toBuffer()
/** By `decodeToRgb`, where that decodes it without libvips. */
const decode = async (file: Buffer): Promise<Uint8Array> => {
  const header = await readHeader(file, 'jpeg')
  expect(isSmallJpeg(header, file)).toBe(true)
  expect(await decodeSmallJpeg(file, header)).not.toBeNull()
  return (await decodeToRgb(file)).data
}

describe('a small JPEG', () => {
  it('has the pixels that libvips gives, however it was written', async () => {
    const choices = fc.record({
      width: fc.integer({ min: 1, max: 90 }),
      height: fc.integer({ min: 1, max: 90 }),
      quality: fc.integer({ min: 1, max: 100 }),
      chromaSubsampling: fc.constantFrom('4:4:4', '4:2:0'),
      progressive: fc.boolean(),
      optimiseCoding: fc.boolean(),
      mozjpeg: fc.boolean(),
      grey: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(choices, async ({ width, height, grey, ...how }) => {
        const image = sceneImage(width, height)
        const file = await (grey ? image.toColourspace('b-w') : image).jpeg(how).toBuffer()
        expect(Buffer.compare(await decode(file), await byLibvips(file))).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('is turned upright and its profile applied, as libvips does it', async () => {
    for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const { data: stored, ...size } = storedFor(orientation, 60, 40)
      const file = await sharp(stored, { raw: { ...size, channels: 3 } })
        .withIccProfile('p3')
        .withMetadata({ orientation })
        .jpeg()
        .toBuffer()
      const { data, info } = await sharp(file)
        .autoOrient()
        .toColourspace('srgb')
        .raw()
        .toBuffer({ resolveWithObject: true })
      const picture = await decodeToRgb(file)
      expect([picture.width, picture.height]).toEqual([info.width, info.height])
      expect(Buffer.compare(picture.data, data)).toBe(0)
    }
  })

  it('that is damaged is left to libvips, a thousand times over, and the next one is decoded', async () => {
    const file = await sceneImage(80, 60).jpeg().toBuffer()
    const cut = file.subarray(0, file.length - 200)
    const header = await readHeader(file, 'jpeg')
    for (let i = 0; i < 1000; i++) expect(await decodeSmallJpeg(cut, header)).toBeNull()
    expect((await decodeToRgb(cut)).damaged).toBe(true)
    expect((await decodeToRgb(file)).damaged).toBe(false)
    expect(Buffer.compare(await decode(file), await byLibvips(file))).toBe(0)
  })

  it('whose header was another file’s is not taken for that one', async () => {
    const [small, large] = await Promise.all([
      sceneImage(40, 30).jpeg().toBuffer(),
      sceneImage(41, 30).jpeg().toBuffer(),
    ])
    expect(await decodeSmallJpeg(small, await readHeader(large, 'jpeg'))).toBeNull()
  })

  it('gives pixels that stay when the next one is decoded', async () => {
    const first = await decodeToRgb(await sceneImage(50, 50).jpeg().toBuffer())
    const before = first.data.slice()
    await decodeToRgb(
      await sharp({ create: { width: 50, height: 50, channels: 3, background: '#f00' } })
        .jpeg()
        .toBuffer(),
    )
    expect(Buffer.compare(first.data, before)).toBe(0)
  })

  it('in printing colours, and a large one, are not small', async () => {
    const cmyk = await sceneImage(40, 30).toColourspace('cmyk').jpeg().toBuffer()
    expect(isSmallJpeg(await readHeader(cmyk, 'jpeg'), cmyk)).toBe(false)
    const large = await sceneImage(1000, 600).jpeg().toBuffer()
    expect(isSmallJpeg(await readHeader(large, 'jpeg'), large)).toBe(false)
  })

  it('of very many scans, and one with markers that have no place in a header, are left to libvips', async () => {
    const file = await sceneImage(40, 30).jpeg({ progressive: true }).toBuffer()
    expect(isSmallJpeg(await readHeader(file, 'jpeg'), file)).toBe(true)
    const scans = Buffer.concat([file, ...Array.from({ length: 100 }, () => Buffer.from([0xff, 0xda]))])
    expect(isSmallJpeg(await readHeader(scans, 'jpeg'), scans)).toBe(false)
    const odd = Buffer.concat([file.subarray(0, 2), Buffer.from([0xff, 0x01]), file.subarray(2)])
    expect((await readHeader(odd, 'jpeg')).lean).toBe(false)
    expect(Buffer.compare((await decodeToRgb(odd)).data, await byLibvips(file))).toBe(0)
  })

  it('that is only used gives its memory back at once, whatever comes of it', async () => {
    const file = await sceneImage(300, 200).jpeg().toBuffer()
    const kept = await decodeToRgb(file)
    const before = process.memoryUsage().arrayBuffers
    for (let i = 0; i < 200; i++) {
      const used = usePixels(file, {}, ({ data }) => {
        if (i % 2 === 1) throw new Error('not this one')
        return Buffer.compare(data, kept.data)
      })
      if (i % 2 === 0) expect(await used).toBe(0)
      else await expect(used).rejects.toThrow('not this one')
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * kept.data.length)
  })
})
