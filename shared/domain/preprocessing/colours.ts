/**
 * Colour profiles that are three curves and a matrix, which those of cameras, phones and displays are: applied here, because setting
 * such a conversion up in libvips takes several times as long as decoding a small picture. In whole numbers, with the rounding of
 * Little CMS, which libvips and Pillow convert with: the pixels are the very same.
 */
export interface MatrixProfile {
  /** Linear light for each level of red, green and blue: `[3, 256]`, of ONE. */
  linear: Int32Array
  /** Linear light of the profile to linear light of sRGB, row by row, of ONE. */
  matrix: readonly number[]
}

/** 1 as Little CMS keeps light and matrices where levels have 8 bits: 14 bits after the point. */
export const ONE = 16_384
export const inFixed = (value: number): number => Math.floor(value * ONE + 0.5)

/** 0 … 65535, the nearest one. */
export function toWord(value: number): number {
  return Math.max(0, Math.min(65_535, Math.floor(value + 0.5)))
}

/** The curve of the sRGB that libvips converts to: (a x + b)^g, or c x below d, as its profile says them. */
const CURVE = [157_289, 62_119, 3417, 5072, 2651].map((value) => value / 65_536)
let encoded: Uint8Array | null = null

/** Level of sRGB for linear light 0 … ONE. */
export function encodedLevels(): Uint8Array {
  if (encoded !== null) return encoded
  const [g, a, b, c, d] = CURVE as [number, number, number, number, number]
  const bend = (a * d + b) ** g
  encoded = new Uint8Array(ONE + 1)
  for (let i = 0; i <= ONE; i++) {
    const light = Math.fround(i / ONE)
    const value = Math.fround(light >= bend ? (light ** (1 / g) - b) / a : light / c)
    // By way of 16 bits: what is rounded twice is now and then another level.
    const word = toWord(Math.max(0, Math.min(1, value)) * 65_535)
    encoded[i] = Math.floor((word * 65_281 + 8_388_608) / 2 ** 24)
  }
  return encoded
}

/** @param rgb uint8 `[pixels, 3]` in the colours of the profile; becomes sRGB, in place */
export function applyMatrixProfile(rgb: Uint8Array, { linear, matrix }: MatrixProfile): void {
  const levels = encodedLevels()
  const [rr, rg, rb, gr, gg, gb, br, bg, bb] = matrix as unknown as [
    ...[number, number, number],
    ...[number, number, number],
    ...[number, number, number],
  ]
  const level = (sum: number): number => {
    const light = (sum + ONE / 2) >> 14
    return levels[light < 0 ? 0 : light > ONE ? ONE : light]!
  }
  for (let at = 0; at + 2 < rgb.length; at += 3) {
    const r = linear[rgb[at]!]!
    const g = linear[256 + rgb[at + 1]!]!
    const b = linear[512 + rgb[at + 2]!]!
    rgb[at] = level(rr * r + rg * g + rb * b)
    rgb[at + 1] = level(gr * r + gg * g + gb * b)
    rgb[at + 2] = level(br * r + bg * g + bb * b)
  }
}
