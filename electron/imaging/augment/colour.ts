import type { ColourChange } from '#shared/domain/augmentation/index.ts'

/** Luma of ITU-R BT.601, as Pillow's mode L and most of the field. */
const LUMA = [0.299, 0.587, 0.114] as const
const STEPS = 256

/**
 * Contrast, brightness, saturation and hue in one: all are linear, and grey stays grey in the last two.
 *
 * @param mean mean luma of the picture, 0–255, about which contrast stretches
 * @param into written to: rows red, green, blue of [r, g, b, offset]
 */
export function colourMatrix(change: ColourChange, mean: number, into: Float32Array): void {
  const { contrast, brightness, saturation, hue } = change
  // Rodrigues' rotation about (1, 1, 1) / √3: the diagonal, the entry behind it and the one before it, going round.
  const [cos, sin] = [Math.cos(hue), Math.sin(hue) / Math.sqrt(3)]
  const same = cos + (1 - cos) / 3
  const before = (1 - cos) / 3 - sin
  const behind = (1 - cos) / 3 + sin
  const offset = mean * (1 - contrast) + brightness
  for (let row = 0; row < 3; row++) {
    const turn = (column: number): number =>
      column === row ? same : column === (row + 1) % 3 ? before : behind
    for (let column = 0; column < 3; column++)
      // Hue · (saturation · 1 + (1 − saturation) · 𝟙 lumaᵀ); the rows of a hue sum to 1.
      into[row * 4 + column] = contrast * (saturation * turn(column) + (1 - saturation) * LUMA[column]!)
    into[row * 4 + 3] = offset
  }
}

/**
 * (v / 255) ^ gamma · 255 at whole grey levels; between them a straight line is within a few hundredths of a grey level,
 * but for the darkest.
 * @param into `[257]`: the last two are equal, so that 255 has a neighbour
 */
export function gammaTable(gamma: number, into: Float32Array): Float32Array {
  for (let level = 0; level < STEPS; level++) into[level] = 255 * (level / 255) ** gamma
  into[STEPS] = into[STEPS - 1]!
  return into
}

/** @returns mean luma of uint8 planes `[3, plane]` from `offset` on, 0–255. */
export function meanLuma(pixels: Uint8Array, offset: number, plane: number): number {
  let mean = 0
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0
    const end = offset + (channel + 1) * plane
    for (let at = offset + channel * plane; at < end; at++) sum += pixels[at]!
    mean += (LUMA[channel]! * sum) / plane
  }
  return mean
}

const table = new Float32Array(STEPS + 1)

/**
 * Bends grey levels in place.
 * @param values float32 within 0–255, `length` of them from `offset` on
 */
export function bendGreys(values: Float32Array, offset: number, length: number, gamma: number): void {
  const levels = gammaTable(gamma, table)
  for (let at = offset; at < offset + length; at++) {
    const value = values[at]!
    const level = value | 0
    const lower = levels[level]!
    values[at] = lower + (levels[level + 1]! - lower) * (value - level)
  }
}
