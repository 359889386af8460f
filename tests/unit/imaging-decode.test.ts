import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { decodeToRgb } from '#imaging/index.ts'
import { leanJpeg } from '#imaging/jpeg-header.ts'
import { readXmpOrientation, turnUpright, type Orientation } from '#imaging/orientation.ts'
import { isUpright, scene, sceneImage, storedFor, storedImage } from '../helpers/pictures.ts'

const code = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'read',
    (error: unknown) => (error as { code?: string }).code,
  )

describe('turning upright', () => {
  for (const orientation of [1, 2, 3, 4, 5, 6, 7, 8] as Orientation[]) {
    it(`undoes orientation ${orientation} pixel by pixel`, () => {
      const stored = storedFor(orientation, 9, 6)
      const turned = turnUpright(stored.data, stored.width, stored.height, 3, orientation)
      expect(turned).toEqual({ data: scene(9, 6), width: 9, height: 6 })
    })

    for (const format of ['jpeg', 'png', 'webp', 'tiff'] as const) {
      it(`reads a ${format} with EXIF orientation ${orientation} upright`, async () => {
        const file = await storedImage(orientation, 64, 40)
          .withMetadata({ orientation })
          .toFormat(format, { quality: 95 })
          .toBuffer()
        const picture = await decodeToRgb(file)
        expect([picture.width, picture.height]).toEqual([64, 40])
        expect(isUpright(picture)).toBe(true)
        expect(picture.damaged).toBe(false)
      })
    }

    it(`reads a PNG with orientation ${orientation} in its XMP alone upright`, async () => {
      const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="${orientation}"/></rdf:RDF></x:xmpmeta>`
      const file = await storedImage(orientation, 64, 40).withXmp(xmp).png().toBuffer()
      const picture = await decodeToRgb(file)
      expect(picture.data).toEqual(scene(64, 40))
    })
  }

  it('takes no orientation from an XMP packet that says none', () => {
    expect(readXmpOrientation(Buffer.from('<x:xmpmeta/>'))).toBe(null)
    expect(readXmpOrientation(Buffer.from('tiff:Orientation="9"'))).toBe(null)
    expect(readXmpOrientation(Buffer.from('<tiff:Orientation>6</tiff:Orientation>'))).toBe(6)
  })
})

describe('a JPEG without what is said about it', () => {
  const xmp =
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>'
  const told = (orientation: Orientation) =>
    storedImage(orientation, 61, 40)
      .withExif({ IFD0: { Make: 'Kestrel', Copyright: 'us' }, IFD3: { GPSLatitude: '1/1 2/1 3/1' } })
      .withMetadata({ orientation })
      .withXmp(xmp)
  it.each([
    ['ordinary', { quality: 90 }],
    ['progressive', { quality: 90, progressive: true }],
    ['without subsampling', { quality: 60, chromaSubsampling: '4:4:4' }],
  ] as const)('has the same pixels, %s', async (_, options) => {
    for (const orientation of [1, 3, 6, 8] as Orientation[]) {
      const file = await told(orientation).jpeg(options).toBuffer()
      const lean = leanJpeg(file, orientation)
      expect(lean.length).toBeLessThan(file.length - 300)
      const { exif, xmp: none, ...metadata } = await sharp(lean).metadata()
      expect([exif !== undefined, none, metadata.orientation ?? 1]).toEqual([
        ...[orientation !== 1, undefined, orientation],
      ])
      const expected = await sharp(file).autoOrient().raw().toBuffer({ resolveWithObject: true })
      const read = await decodeToRgb(file)
      expect([read.width, read.height]).toEqual([expected.info.width, expected.info.height])
      expect(Buffer.compare(Buffer.from(read.data), expected.data)).toBe(0)
    }
  })

  it('stays grey, and keeps how Adobe stored its colours', async () => {
    const grey = await sceneImage(40, 30).toColourspace('b-w').withXmp(xmp).jpeg().toBuffer()
    expect((await sharp(leanJpeg(grey, 1)).metadata()).channels).toBe(1)
    // RGB in a JPEG is told by APP14 alone.
    const plain = await sceneImage(40, 30).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer()
    const adobe = [0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, 0]
    const jfif = 4 + plain.readUInt16BE(4)
    const asRgb = Buffer.concat([plain.subarray(0, 2), Buffer.from(adobe), plain.subarray(jfif)])
    expect(Buffer.compare(leanJpeg(asRgb, 1), asRgb)).toBe(0)
  })
})

describe('decoding to sRGB', () => {
  it('gives lossless pixels unchanged', async () => {
    for (const file of [
      await sceneImage(33, 21).png().toBuffer(),
      await sceneImage(33, 21).png({ progressive: true }).toBuffer(),
      await sceneImage(33, 21).webp({ lossless: true }).toBuffer(),
      await sceneImage(33, 21).tiff({ compression: 'lzw' }).toBuffer(),
    ]) {
      const picture = await decodeToRgb(file)
      expect([picture.width, picture.height, picture.damaged]).toEqual([33, 21, false])
      expect(new Uint8Array(picture.data)).toEqual(scene(33, 21))
    }
  })

  it('gives three channels for grey, grey with alpha and one bit', async () => {
    const grey = sharp(Uint8Array.from([0, 100, 200, 255]), { raw: { width: 2, height: 2, channels: 1 } })
    const expected = [0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255]
    expect([...(await decodeToRgb(await grey.clone().png().toBuffer())).data]).toEqual(expected)
    const withAlpha = await grey.clone().ensureAlpha(1).png().toBuffer()
    expect([...(await decodeToRgb(withAlpha)).data]).toEqual(expected)
    const oneBit = await sharp(Uint8Array.from([0, 255, 255, 0]), {
      raw: { width: 2, height: 2, channels: 1 },
    })
      .png({ palette: true, colours: 2 })
      .toBuffer()
    expect([...(await decodeToRgb(oneBit)).data]).toEqual([0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0])
    const greyJpeg = await decodeToRgb(
      await grey.clone().toColourspace('b-w').jpeg({ quality: 100 }).toBuffer(),
    )
    expect(greyJpeg.data.length).toBe(12)
  })

  it('takes the upper eight bits of sixteen', async () => {
    const deep = Uint16Array.from([0x0000, 0x12ff, 0xabcd, 0xffff, 0x8000, 0x7fff])
    const file = await sharp(deep, { raw: { width: 2, height: 1, channels: 3 } })
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    expect([...(await decodeToRgb(file)).data]).toEqual([0x00, 0x12, 0xab, 0xff, 0x80, 0x7f])
  })

  it('lets the background shine through transparent pixels', async () => {
    const rgba = Uint8Array.from([10, 20, 30, 255, 10, 20, 30, 0, 10, 20, 30, 51])
    const file = await sharp(rgba, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer()
    const onWhite = [...(await decodeToRgb(file)).data]
    expect(onWhite.slice(0, 6)).toEqual([10, 20, 30, 255, 255, 255])
    onWhite
      .slice(6)
      .forEach((value, c) => expect(Math.abs(value - [206, 208, 210][c]!)).toBeLessThanOrEqual(1))
    const onBlack = [...(await decodeToRgb(file, { background: [0, 0, 0] })).data]
    expect(onBlack.slice(0, 6)).toEqual([10, 20, 30, 0, 0, 0])
    onBlack.slice(6).forEach((value, c) => expect(Math.abs(value - [2, 4, 6][c]!)).toBeLessThanOrEqual(1))
  })

  it('reads the first frame of an animation', async () => {
    const frames = Buffer.concat([Buffer.from(scene(20, 10)), Buffer.alloc(20 * 10 * 3, 7)])
    const strip = sharp(frames, { raw: { width: 20, height: 20, channels: 3, pageHeight: 10 } })
    for (const file of [
      await strip.clone().webp({ lossless: true }).toBuffer(),
      await strip.clone().gif().toBuffer(),
    ]) {
      const picture = await decodeToRgb(file)
      expect([picture.width, picture.height]).toEqual([20, 10])
      expect(isUpright(picture)).toBe(true)
    }
  })

  it('turns a wide-colour picture into sRGB, and leaves one that says it is sRGB alone', async () => {
    const plain = await sceneImage(40, 20).png().toBuffer()
    const wide = await sceneImage(40, 20).withIccProfile('p3').png().toBuffer()
    const named = await sceneImage(40, 20).withIccProfile('srgb').png().toBuffer()
    const reference = (await decodeToRgb(plain)).data
    expect((await decodeToRgb(named)).data).toEqual(reference)
    // There and back again: at most rounding is left.
    const back = (await decodeToRgb(wide)).data
    back.forEach((value, i) => expect(Math.abs(value - reference[i]!)).toBeLessThanOrEqual(3))
    // Stored numbers differ, so ignoring the profile would show.
    const stored = await sharp(wide, { ignoreIcc: true }).raw().toBuffer()
    expect(stored.some((value, i) => Math.abs(value - reference[i]!) > 10)).toBe(true)
  })

  it('reads printing colours (CMYK)', async () => {
    const file = await sceneImage(40, 20).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer()
    const picture = await decodeToRgb(file)
    expect([picture.width, picture.height, picture.data.length]).toEqual([40, 20, 2400])
    expect(isUpright(picture, 80)).toBe(true)
  })

  it('reads AVIF', async () => {
    const picture = await decodeToRgb(await sceneImage(64, 40).avif({ quality: 90, effort: 0 }).toBuffer())
    expect([picture.width, picture.height]).toEqual([64, 40])
    expect(isUpright(picture)).toBe(true)
  })
})

describe('damaged files', () => {
  it('gives what a cut-off JPEG or PNG still holds, and says so', async () => {
    const jpeg = await sceneImage(320, 240).jpeg({ quality: 95 }).toBuffer()
    const cut = await decodeToRgb(jpeg.subarray(0, Math.floor(jpeg.length * 0.6)))
    expect([cut.width, cut.height, cut.damaged]).toEqual([320, 240, true])
    const png = await sceneImage(320, 240).png().toBuffer()
    const cutPng = await decodeToRgb(png.subarray(0, Math.floor(png.length * 0.6)))
    expect([cutPng.width, cutPng.height, cutPng.damaged]).toEqual([320, 240, true])
  })

  it('refuses what holds no picture at all', async () => {
    const jpeg = await sceneImage(320, 240).jpeg().toBuffer()
    expect(await code(decodeToRgb(jpeg.subarray(0, 100)))).toBe('picture-damaged')
    expect(await code(decodeToRgb(Buffer.from([0xff, 0xd8, 0xff, 0xe0])))).toBe('picture-damaged')
    expect(await code(decodeToRgb(new Uint8Array(0)))).toBe('file-empty')
    expect(await code(decodeToRgb('/does/not/exist.jpg'))).toBe('file-missing')
  })

  it('refuses by the size in the header, before anything is decoded', async () => {
    const png = await sceneImage(8, 8).png().toBuffer()
    const huge = Buffer.from(png)
    huge.writeUInt32BE(20_000, 16)
    huge.writeUInt32BE(20_000, 20)
    expect(await code(decodeToRgb(huge))).toBe('picture-too-large')
    const jpeg = await sceneImage(8, 8).jpeg().toBuffer()
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc0, 0x00, 0x11, 0x08]))
    expect(frame).toBeGreaterThan(0)
    jpeg.writeUInt16BE(65_000, frame + 5)
    jpeg.writeUInt16BE(65_000, frame + 7)
    expect(await code(decodeToRgb(jpeg))).toBe('picture-too-large')
  })
})
