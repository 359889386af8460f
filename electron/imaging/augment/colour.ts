import type { ColourChange } from '#shared/domain/augmentation/index.ts'

/** What a colour change does to one pixel, before gamma: a matrix of three rows [r, g, b, offset]. */
export type ColourMatrix = Float64Array

/** Luma of ITU-R BT.601, as Pillow's mode L and most of the field. */
const LUMA = [0.299, 0.587, 0.114] as const
const STEPS = 256

/**
 * Contrast, brightness, saturation and hue in one: all are linear, and grey stays grey in the last two.
 *
 * @param mean mean luma of the picture, 0–255, about which contrast stretches
 * @param into written to, `[3, 4]`
 */
export function colourMatrix(change: ColourChange, mean: number, into: ColourMatrix): ColourMatrix {
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
  return into
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

const matrix = new Float64Array(12)
const table = new Float32Array(STEPS + 1)

/**
 * Changes planes of grey levels in place and keeps them within 0–255.
 *
 * @param values float32 planes `[3, plane]` from `offset` on
 * @param mean see `colourMatrix`
 */
export function changeColours(
  values: Float32Array,
  offset: number,
  plane: number,
  change: ColourChange,
  mean: number,
): void {
  const { contrast, brightness, saturation, hue, gamma } = change
  colourMatrix(change, mean, matrix)
  if (saturation !== 1 || hue !== 0) mixChannels(values, offset, plane)
  else if (contrast !== 1 || brightness !== 0) stretch(values, offset, 3 * plane, contrast, matrix[3]!)
  if (gamma !== 1) bend(values, offset, 3 * plane, gammaTable(gamma, table))
}

export const changesNothing = ({ contrast, brightness, saturation, hue, gamma }: ColourChange): boolean =>
  contrast === 1 && brightness === 0 && saturation === 1 && hue === 0 && gamma === 1

const within = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)

function mixChannels(values: Float32Array, offset: number, plane: number): void {
  const [rr, rg, rb, r0] = [matrix[0]!, matrix[1]!, matrix[2]!, matrix[3]!]
  const [gr, gg, gb, g0] = [matrix[4]!, matrix[5]!, matrix[6]!, matrix[7]!]
  const [br, bg, bb, b0] = [matrix[8]!, matrix[9]!, matrix[10]!, matrix[11]!]
  const end = offset + plane
  for (let at = offset; at < end; at++) {
    const red = values[at]!
    const green = values[at + plane]!
    const blue = values[at + 2 * plane]!
    values[at] = within(rr * red + rg * green + rb * blue + r0)
    values[at + plane] = within(gr * red + gg * green + gb * blue + g0)
    values[at + 2 * plane] = within(br * red + bg * green + bb * blue + b0)
  }
}

function stretch(values: Float32Array, offset: number, length: number, factor: number, add: number): void {
  for (let at = offset; at < offset + length; at++) values[at] = within(values[at]! * factor + add)
}

function bend(values: Float32Array, offset: number, length: number, levels: Float32Array): void {
  for (let at = offset; at < offset + length; at++) {
    const value = values[at]!
    const level = value | 0
    const lower = levels[level]!
    values[at] = lower + (levels[level + 1]! - lower) * (value - level)
  }
}
