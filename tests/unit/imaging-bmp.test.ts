import { describe, expect, it } from 'vitest'
import { decodeToRgb } from '#imaging/index.ts'
import { decodeBmp } from '#imaging/bmp.ts'

/** A bitmap file from its parts; sizes and offsets are filled in. */
function bmp(parts: {
  width: number
  height: number
  bits: number
  compression?: number
  headerSize?: 12 | 40 | 56 | 108 | 124
  masks?: number[]
  palette?: [r: number, g: number, b: number][]
  pixels: number[]
}): Uint8Array {
  const { width, height, bits, compression = 0, headerSize = 40, masks = [], palette = [], pixels } = parts
  const core = headerSize === 12
  const masksOutside = headerSize === 40 ? masks.length * 4 : 0
  const pixelsAt = 14 + headerSize + masksOutside + palette.length * (core ? 3 : 4)
  const file = new Uint8Array(pixelsAt + pixels.length)
  const view = new DataView(file.buffer)
  view.setUint16(0, 0x424d)
  view.setUint32(2, file.length, true)
  view.setUint32(10, pixelsAt, true)
  view.setUint32(14, headerSize, true)
  if (core) {
    view.setUint16(18, width, true)
    view.setUint16(20, height, true)
    view.setUint16(22, 1, true)
    view.setUint16(24, bits, true)
  } else {
    view.setInt32(18, width, true)
    view.setInt32(22, height, true)
    view.setUint16(26, 1, true)
    view.setUint16(28, bits, true)
    view.setUint32(30, compression, true)
    view.setUint32(46, palette.length, true)
    masks.forEach((mask, i) => view.setUint32(54 + i * 4, mask, true))
  }
  let at = 14 + headerSize + masksOutside
  for (const [r, g, b] of palette) {
    file.set(core ? [b, g, r] : [b, g, r, 0], at)
    at += core ? 3 : 4
  }
  file.set(pixels, pixelsAt)
  return file
}

const rgbOf = async (file: Uint8Array): Promise<number[]> => [...(await decodeToRgb(file)).data]
const black = [0, 0, 0]
const white = [255, 255, 255]
const red = [255, 0, 0]
const green = [0, 255, 0]
const blue = [0, 0, 255]
const four: [number, number, number][] = [
  [0, 0, 0],
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
]

describe('bitmaps (BMP)', () => {
  it('with 24 bits, bottom row first, rows padded to four bytes', async () => {
    const pixels = [0, 0, 0, 255, 255, 255, 0, 0, /* top row: */ 0, 0, 255, 0, 255, 0, 0, 0]
    const file = bmp({ width: 2, height: 2, bits: 24, pixels })
    expect(await rgbOf(file)).toEqual([...red, ...green, ...black, ...white])
  })

  it('with a negative height: top row first', async () => {
    const pixels = [0, 0, 255, 0, 255, 0, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0]
    const file = bmp({ width: 2, height: -2, bits: 24, pixels })
    expect(await rgbOf(file)).toEqual([...red, ...green, ...black, ...white])
  })

  it('with the old header and its three-byte palette', async () => {
    const file = bmp({ width: 3, height: 1, bits: 8, headerSize: 12, palette: four, pixels: [1, 3, 2, 0] })
    expect(await rgbOf(file)).toEqual([...red, ...blue, ...green])
  })

  it('with 1, 4 and 8 bits and a palette', async () => {
    const two: [number, number, number][] = [
      [0, 0, 255],
      [255, 255, 255],
    ]
    const one = bmp({ width: 10, height: 1, bits: 1, palette: two, pixels: [0b10000000, 0b01000000, 0, 0] })
    expect(await rgbOf(one)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1].flatMap((bit) => (bit ? white : blue)))
    const half = bmp({ width: 3, height: 1, bits: 4, palette: four, pixels: [0x12, 0x30, 0, 0] })
    expect(await rgbOf(half)).toEqual([...red, ...green, ...blue])
    const full = bmp({ width: 2, height: 1, bits: 8, palette: four, pixels: [3, 0, 0, 0] })
    expect(await rgbOf(full)).toEqual([...blue, ...black])
  })

  it('with colours the palette does not have: black', async () => {
    const file = bmp({ width: 2, height: 1, bits: 8, palette: four, pixels: [200, 1, 0, 0] })
    expect(await rgbOf(file)).toEqual([...black, ...red])
  })

  it('with 16 bits, as 5-5-5 and as 5-6-5', async () => {
    const fives = bmp({ width: 2, height: 1, bits: 16, pixels: [0x00, 0x7c, 0x1f, 0x00] })
    expect(await rgbOf(fives)).toEqual([...red, ...blue])
    const six = bmp({
      width: 2,
      height: 1,
      bits: 16,
      compression: 3,
      masks: [0xf800, 0x07e0, 0x001f],
      pixels: [0xe0, 0x07, 0x00, 0xf8],
    })
    expect(await rgbOf(six)).toEqual([...green, ...red])
  })

  it('with 32 bits: the fourth byte is nothing, unless a mask calls it alpha', async () => {
    const plain = bmp({ width: 2, height: 1, bits: 32, pixels: [0, 0, 255, 0, 255, 0, 0, 128] })
    expect(await rgbOf(plain)).toEqual([...red, ...blue])
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000]
    const alpha = bmp({
      width: 2,
      height: 1,
      bits: 32,
      compression: 3,
      headerSize: 124,
      masks,
      pixels: [0, 0, 255, 255, 0, 0, 255, 0],
    })
    expect(await rgbOf(alpha)).toEqual([...red, ...white])
    expect(decodeBmp(alpha).hasAlpha).toBe(true)
  })

  it('with run-length encoded 8 bits: runs, literals, line ends, jumps', async () => {
    const pixels = [2, 1, 0, 0, 0, 3, 2, 3, 1, 0, 0, 2, 1, 0, 0, 1]
    // Bottom row: a run of two reds. Top row: three literals (padded), then the end.
    const file = bmp({ width: 4, height: 2, bits: 8, compression: 1, palette: four, pixels })
    expect(await rgbOf(file)).toEqual([green, blue, red, black, red, red, black, black].flat())
  })

  it('with run-length encoded 4 bits', async () => {
    const pixels = [3, 0x12, 0, 0, 0, 3, 0x31, 0x20, 0, 1]
    const file = bmp({ width: 3, height: 2, bits: 4, compression: 2, palette: four, pixels })
    expect(await rgbOf(file)).toEqual([blue, red, green, red, green, red].flat())
  })

  it('that end too early are read as far as they go, and called damaged', async () => {
    const file = bmp({ width: 2, height: 2, bits: 24, pixels: [0, 0, 255, 0, 255, 0, 0, 0, 9] })
    const picture = await decodeToRgb(file)
    expect(picture.damaged).toBe(true)
    expect([...picture.data].slice(6)).toEqual([...red, ...green])
  })

  it('that cannot be right are refused with words', async () => {
    const refused = async (file: Uint8Array, code: string): Promise<void> => {
      await expect(decodeToRgb(file)).rejects.toMatchObject({ name: 'KestrelError', code })
    }
    await refused(bmp({ width: 2, height: 2, bits: 24, pixels: [] }), 'picture-damaged')
    await refused(bmp({ width: 0, height: 2, bits: 24, pixels: [1, 2, 3, 4] }), 'picture-damaged')
    await refused(bmp({ width: 60_000, height: 60_000, bits: 24, pixels: [0] }), 'picture-too-large')
    await refused(bmp({ width: 2, height: 1, bits: 2, pixels: [0, 0, 0, 0] }), 'format-unsupported')
    await refused(
      bmp({ width: 2, height: 1, bits: 24, compression: 5, pixels: [0, 0] }),
      'format-unsupported',
    )
    await refused(
      bmp({ width: 2, height: 1, bits: 32, compression: 3, pixels: [] }).subarray(0, 50),
      'picture-damaged',
    )
  })

  it('never reads outside the file, whatever bytes it holds', () => {
    const file = bmp({
      width: 5,
      height: 4,
      bits: 8,
      compression: 1,
      palette: four,
      pixels: [5, 1, 0, 2, 9, 9, 0, 7, 1],
    })
    for (let at = 14; at < file.length; at++) {
      for (const value of [0, 1, 2, 127, 255]) {
        const broken = file.slice()
        broken[at] = value
        try {
          const picture = decodeBmp(broken)
          expect(picture.data.length).toBe(picture.width * picture.height * 4)
        } catch (error) {
          expect(error).toMatchObject({ name: 'KestrelError' })
        }
      }
    }
  })
})
