import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { conversionOf, toSrgb, wrapAsTiff } from '#imaging/colour-profile.ts'
import { decodeToRgb, readForImport } from '#imaging/index.ts'
import { heicProfile } from '#imaging/heic-profile.ts'
import { readPlainJpegHeader } from '#imaging/jpeg-header.ts'
import { readMatrixProfile } from '#imaging/matrix-profile.ts'
import { applyMatrixProfile } from '#shared/domain/preprocessing/colours.ts'
import { scene, sceneImage } from '../helpers/pictures.ts'

async function profileOf(name: 'srgb' | 'p3' | 'cmyk'): Promise<Uint8Array> {
  const { icc } = await sharp(await sceneImage(8, 8).withIccProfile(name).jpeg().toBuffer()).metadata()
  if (icc === undefined) throw new Error('sharp wrote no profile')
  return new Uint8Array(icc)
}

/** A box of an ISO media file: size, type, content. */
function box(type: string, ...content: (Uint8Array | string)[]): Uint8Array {
  const parts = content.map((part) => (typeof part === 'string' ? new TextEncoder().encode(part) : part))
  const size = 8 + parts.reduce((sum, part) => sum + part.length, 0)
  const result = new Uint8Array(size)
  new DataView(result.buffer).setUint32(0, size)
  result.set(new TextEncoder().encode(type), 4)
  let at = 8
  for (const part of parts) {
    result.set(part, at)
    at += part.length
  }
  return result
}
const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

const s15Fixed16 = (value: number): number[] => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, Math.round(value * 65_536))
  return [...bytes]
}
const parametric = (form: number, ...numbers: number[]): Uint8Array =>
  Uint8Array.from([...Buffer.from('para'), 0, 0, 0, 0, 0, form, 0, 0, ...numbers.flatMap(s15Fixed16)])
const sampled = (values: readonly number[]): Uint8Array =>
  Uint8Array.from([
    ...[...Buffer.from('curv'), 0, 0, 0, 0, 0, 0, values.length >> 8, values.length & 255],
    ...values.flatMap((value) => [value >> 8, value & 255]),
  ])
/** One of every form that a curve may have (ICC.1:2010, sections 10.6 and 10.18). */
const curves = [
  sampled([]),
  sampled([Math.round(2.2 * 256)]),
  sampled(Array.from({ length: 37 }, (_, i) => Math.round(65_535 * (i / 36) ** 1.9))),
  sampled(Array.from({ length: 1024 }, (_, i) => Math.round(65_535 * (i / 1023) ** 2.4))),
  parametric(0, 1.8),
  parametric(1, 2.2, 1.05, -0.05),
  parametric(2, 2.2, 1.04, -0.04, 0),
  parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
  parametric(4, 2.4, 0.94, 0.06, 0.07, 0.04, 0.001, 0),
]

/** The same profile with another curve for all three colours. */
function withCurve(profile: Uint8Array, curve: Uint8Array): Uint8Array {
  const changed = joined(profile, curve)
  const view = new DataView(changed.buffer)
  view.setUint32(0, changed.length)
  for (let i = 0; i < view.getUint32(128); i++) {
    const entry = 132 + 12 * i
    if (!String.fromCharCode(...changed.subarray(entry, entry + 4)).endsWith('TRC')) continue
    view.setUint32(entry + 4, profile.length)
    view.setUint32(entry + 8, curve.length)
  }
  return changed
}

describe('colour profiles', () => {
  it('that say sRGB are found by trying them out, and so are those that a matrix can stand for', async () => {
    expect(await conversionOf(await profileOf('srgb'))).toBe('none')
    expect(await conversionOf(await profileOf('p3'))).toMatchObject({ matrix: expect.any(Array) })
    expect(await conversionOf(await profileOf('cmyk'))).toBe('libvips')
    expect(await conversionOf(new Uint8Array(300))).toBe('libvips')
    expect(await conversionOf(new Uint8Array(0))).toBe('libvips')
  })

  it('that are a matrix give what libvips gives, to the last bit', async () => {
    const profile = await profileOf('p3')
    const matrix = readMatrixProfile(profile)!
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 300, maxLength: 300 }), async (rgb) => {
        const ours = rgb.slice()
        applyMatrixProfile(ours, matrix)
        const theirs = await toSrgb(rgb, 10, 10, profile)
        expect(ours).toEqual(theirs)
      }),
      { numRuns: 50 },
    )
    // White and black stay what they are.
    const ends = Uint8Array.of(255, 255, 255, 0, 0, 0)
    applyMatrixProfile(ends, matrix)
    expect([...ends]).toEqual([255, 255, 255, 0, 0, 0])
  })

  it('that are a matrix are found whatever form their curves have', async () => {
    const profile = await profileOf('p3')
    for (const curve of curves) expect(await conversionOf(withCurve(profile, curve))).toHaveProperty('matrix')
    // Black that is not dark is moved by libvips, which no matrix here does.
    expect(await conversionOf(withCurve(profile, parametric(2, 2.2, 0.9, 0.08, 0.01)))).toBe('libvips')
  })

  it('that are a matrix change no pixel of a small picture, nor of a large one', async () => {
    for (const [width, height] of [
      [60, 40],
      [1250, 900],
    ] as const) {
      const file = await sceneImage(width, height).withIccProfile('p3').jpeg().toBuffer()
      const direct = await sharp(file).toColourspace('srgb').raw().toBuffer()
      expect(Buffer.compare((await decodeToRgb(file)).data, direct)).toBe(0)
    }
  })

  it('that lie about what is in them are no matrix', async () => {
    const profile = await profileOf('p3')
    for (let at = 0; at < profile.length; at += 1) {
      const wrong = profile.slice()
      wrong[at] = wrong[at]! ^ 0xff
      expect(() => readMatrixProfile(wrong)).not.toThrow()
      // Whatever is read from it, it is used only where libvips agrees.
      if (at % 40 === 0) expect(await conversionOf(wrong)).toBeDefined()
    }
    for (let length = 0; length < profile.length; length += 5)
      expect(() => readMatrixProfile(profile.subarray(0, length))).not.toThrow()
  })

  it('that are broken change nothing', async () => {
    const broken = (await profileOf('p3')).slice(0, 200)
    expect(await toSrgb(scene(9, 5), 9, 5, broken)).toEqual(scene(9, 5))
  })

  it('travel with bare pixels as a TIFF', async () => {
    const profile = await profileOf('p3')
    const file = wrapAsTiff(scene(21, 13), 21, 13, profile)
    const metadata = await sharp(file).metadata()
    expect([metadata.format, metadata.width, metadata.height, metadata.channels]).toEqual(['tiff', 21, 13, 3])
    expect(new Uint8Array(metadata.icc!)).toEqual(profile)
    const pixels = await sharp(file, { ignoreIcc: true }).raw().toBuffer()
    expect(new Uint8Array(pixels)).toEqual(scene(21, 13))
    // The same conversion as for a file that came with the profile.
    const direct = await decodeToRgb(
      await sharp(scene(21, 13), { raw: { width: 21, height: 13, channels: 3 } })
        .tiff({ compression: 'none' })
        .toBuffer(),
    )
    expect(direct.data).toEqual(scene(21, 13))
    expect(await toSrgb(scene(21, 13), 21, 13, profile)).toEqual((await decodeToRgb(file)).data)
    expect(await toSrgb(scene(21, 13), 21, 13, profile)).not.toEqual(scene(21, 13))
  })

  it('are taken out of a JPEG in one piece or several, in order', async () => {
    const profile = await profileOf('p3')
    const jpeg = new Uint8Array(await sceneImage(30, 20).jpeg().toBuffer())
    const piece = (number: number, count: number, bytes: Uint8Array): Uint8Array => {
      const head = new Uint8Array(18)
      head.set([0xff, 0xe2])
      new DataView(head.buffer).setUint16(2, 16 + bytes.length)
      head.set(new TextEncoder().encode('ICC_PROFILE\0'), 4)
      head.set([number, count], 16)
      return joined(head, bytes)
    }
    const start = jpeg.subarray(0, 2)
    const rest = jpeg.subarray(2)
    const whole = joined(start, piece(1, 1, profile), rest)
    const cut = joined(start, piece(2, 2, profile.subarray(100)), piece(1, 2, profile.subarray(0, 100)), rest)
    expect(readPlainJpegHeader(jpeg)).toMatchObject({ width: 30, height: 20, profile: null })
    expect(readPlainJpegHeader(whole)?.profile).toEqual(profile)
    expect(readPlainJpegHeader(cut)?.profile).toEqual(profile)
    expect((await decodeToRgb(cut)).data).toEqual((await decodeToRgb(whole)).data)
    expect((await decodeToRgb(whole)).data).not.toEqual((await decodeToRgb(jpeg)).data)
  })

  it('are found in the properties of a HEIC file, past other kinds of colour box', async () => {
    const profile = await profileOf('p3')
    const other = box('colr', 'nclx', new Uint8Array(7))
    const properties = (...boxes: Uint8Array[]): Uint8Array =>
      joined(
        box('ftyp', 'heic', new Uint8Array(4), 'mif1'),
        box('meta', new Uint8Array(4), box('hdlr', new Uint8Array(20)), box('iprp', box('ipco', ...boxes))),
        box('mdat', new Uint8Array(50)),
      )
    expect(heicProfile(properties(other, box('colr', 'prof', profile)))).toEqual(profile)
    expect(heicProfile(properties(other))).toBe(null)
    expect(heicProfile(properties(box('colr', 'prof', new Uint8Array(300))))).toBe(null)
    expect(heicProfile(new Uint8Array(0))).toBe(null)
    const whole = properties(box('colr', 'prof', profile))
    for (let length = 0; length < whole.length; length += 7) {
      expect(() => heicProfile(whole.subarray(0, length))).not.toThrow()
    }
  })
})

describe('JPEG headers', () => {
  it('that are out of the ordinary are left to libvips', async () => {
    const plain = new Uint8Array(await sceneImage(30, 20).jpeg().toBuffer())
    expect(readPlainJpegHeader(plain)).toMatchObject({ width: 30, height: 20, exifBroken: false })
    const turned = await sceneImage(30, 20).withMetadata({ orientation: 6 }).jpeg().toBuffer()
    expect(readPlainJpegHeader(turned)).toMatchObject({ orientation: 6 })
    const upright = await sceneImage(30, 20).withMetadata({ orientation: 1 }).jpeg().toBuffer()
    expect(readPlainJpegHeader(upright)).toMatchObject({ width: 30, height: 20 })
    const cmyk = await sceneImage(30, 20).toColourspace('cmyk').jpeg().toBuffer()
    expect(readPlainJpegHeader(cmyk)).toBe(null)
    for (let length = 0; length < 200; length++) {
      expect(() => readPlainJpegHeader(plain.subarray(0, length))).not.toThrow()
    }
  })

  it('survive any single wrong byte: read, or refused with words', async () => {
    const plain = new Uint8Array(await sceneImage(24, 16).withMetadata({ orientation: 1 }).jpeg().toBuffer())
    for (let at = 2; at < 400; at += 3) {
      const broken = plain.slice()
      broken[at] = broken[at]! ^ 0xff
      const outcome = await decodeToRgb(broken).then(
        ({ data, width, height }) => data.length === width * height * 3,
        (error: unknown) => error instanceof Error && error.name === 'KestrelError',
      )
      expect([at, outcome]).toEqual([at, true])
    }
  })
})

it('a picture of a missing folder is refused like any other', async () => {
  await expect(readForImport('/nowhere/at/all.heic')).rejects.toMatchObject({ code: 'file-missing' })
})
