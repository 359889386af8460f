import { createHash } from 'node:crypto'
import { applyMatrixProfile, type MatrixProfile } from '#shared/domain/preprocessing/colours.ts'
import { readMatrixProfile } from './matrix-profile.ts'
import { openEncoded } from './sharp.ts'

/** How pictures with a profile become sRGB: not at all, since the profile says sRGB; by its matrix; or by libvips. */
export type ColourConversion = 'none' | MatrixProfile | 'libvips'

/**
 * The cheapest way that gives what libvips gives: to within 1 (rounding) where the profile says sRGB, and exactly where its matrix
 * is applied. Setting a conversion up in libvips takes several times as long as decoding a web picture, half of the profiles out
 * there say sRGB in one wording or another, and nearly all of the others are a matrix. Tried out once for each profile, on colours
 * from all over the cube.
 */
export function conversionOf(profile: Uint8Array): Promise<ColourConversion> {
  const key = createHash('sha256').update(profile).digest('base64')
  const known = conversions.get(key)
  if (known !== undefined) return known
  const found = tryOut(profile)
  if (conversions.size >= 500) conversions.clear()
  conversions.set(key, found)
  return found
}

const conversions = new Map<string, Promise<ColourConversion>>()

const STEPS = 24
/** What each level of one colour is shown with, of the other two. */
const WITH = [0, 128, 255]
const WIDTH = 32
const HEIGHT = (STEPS ** 3 + 3 * 256 * WITH.length) / WIDTH

/** uint8 `[HEIGHT, WIDTH, 3]`: the colour cube in even steps from 0 to 255, and every level of each colour. */
function colourSamples(): Uint8Array {
  const level = (step: number): number => Math.round((step * 255) / (STEPS - 1))
  const colours = new Uint8Array(WIDTH * HEIGHT * 3)
  for (let i = 0; i < STEPS ** 3; i++) {
    colours[i * 3] = level(i % STEPS)
    colours[i * 3 + 1] = level(Math.floor(i / STEPS) % STEPS)
    colours[i * 3 + 2] = level(Math.floor(i / STEPS ** 2))
  }
  let at = STEPS ** 3 * 3
  for (const others of WITH)
    for (let colour = 0; colour < 3; colour++)
      for (let value = 0; value < 256; value++, at += 3) {
        colours.fill(others, at, at + 3)
        colours[at + colour] = value
      }
  return colours
}

async function tryOut(profile: Uint8Array): Promise<ColourConversion> {
  // "RGB " at byte 16: what kind of numbers the profile is for.
  if (profile.length < 128 || String.fromCharCode(...profile.subarray(16, 20)) !== 'RGB ') return 'libvips'
  const colours = colourSamples()
  const converted = await toSrgb(colours, WIDTH, HEIGHT, profile)
  const agrees = (other: Uint8Array, within: number): boolean =>
    converted.length === other.length && converted.every((value, i) => Math.abs(value - other[i]!) <= within)
  if (agrees(colours, 1)) return 'none'
  const matrix = readMatrixProfile(profile)
  if (matrix === null) return 'libvips'
  applyMatrixProfile(colours, matrix)
  return agrees(colours, 0) ? matrix : 'libvips'
}

/**
 * Converts pixels from the colours of a profile to sRGB.
 * @param rgb uint8 `[height, width, 3]`
 * @returns uint8 `[height, width, 3]`; unchanged when the profile cannot be used
 */
export async function toSrgb(
  rgb: Uint8Array,
  width: number,
  height: number,
  profile: Uint8Array,
): Promise<Uint8Array> {
  const data = await openEncoded(wrapAsTiff(rgb, width, height, profile), 'tolerant')
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer()
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/**
 * Pixels with their colour profile as an uncompressed TIFF (TIFF 6.0; tag 34675 for the profile), so that libvips can
 * be given both at once.
 * @param rgb uint8 `[height, width, 3]`
 */
export function wrapAsTiff(rgb: Uint8Array, width: number, height: number, profile: Uint8Array): Uint8Array {
  const SHORT = 3
  const LONG = 4
  const UNDEFINED = 7
  const entryCount = 11
  const directory = 8
  const bitsAt = directory + 2 + entryCount * 12 + 4
  const profileAt = bitsAt + 6
  const pixelsAt = profileAt + profile.length + (profile.length & 1)
  const file = new Uint8Array(pixelsAt + rgb.length)
  const view = new DataView(file.buffer)
  // "II", 42, first directory.
  view.setUint32(0, 0x49492a00)
  view.setUint32(4, directory, true)
  const entries: [tag: number, type: number, count: number, value: number][] = [
    [256, LONG, 1, width],
    [257, LONG, 1, height],
    [258, SHORT, 3, bitsAt],
    [259, SHORT, 1, 1],
    [262, SHORT, 1, 2],
    [273, LONG, 1, pixelsAt],
    [277, SHORT, 1, 3],
    [278, LONG, 1, height],
    [279, LONG, 1, rgb.length],
    [284, SHORT, 1, 1],
    [34675, UNDEFINED, profile.length, profileAt],
  ]
  view.setUint16(directory, entryCount, true)
  entries.forEach(([tag, type, count, value], index) => {
    const at = directory + 2 + index * 12
    view.setUint16(at, tag, true)
    view.setUint16(at + 2, type, true)
    view.setUint32(at + 4, count, true)
    if (type === SHORT && count === 1) view.setUint16(at + 8, value, true)
    else view.setUint32(at + 8, value, true)
  })
  for (let i = 0; i < 3; i++) view.setUint16(bitsAt + i * 2, 8, true)
  file.set(profile, profileAt)
  file.set(rgb, pixelsAt)
  return file
}
