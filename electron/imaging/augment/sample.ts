import type { Affine, Size } from '#shared/domain/augmentation/index.ts'
import { sampleFast } from './sample-simd.ts'

/** A picture of three planes within a larger array: `[3, height, width]` from `offset` on. */
export interface Planes<Data> {
  data: Data
  offset: number
  size: Size
}

/** RGB, 0–255. */
export type Colour = readonly [number, number, number]

/** What becomes of the colours of a sampled pixel: the matrix, kept within 0–255, then `· gain + bias` per channel. */
export interface ColourMap {
  /** Rows red, green, blue of [r, g, b, offset], grey levels. */
  matrix: Float32Array
  /** [3] */
  gain: Float32Array
  /** [3] */
  bias: Float32Array
}

/** Where red, green and blue are written, as numbers of planes from the target's offset. */
export type PlaneOrder = readonly [number, number, number]

/**
 * Geometry and colours in one pass. Bilinear: every pixel of the result from the four around the place the matrix says.
 * Beyond the border its pixels are repeated, or `fill` is shown where the place lies outside the picture.
 *
 * @param source uint8 planes
 * @param target float32 planes, written to
 * @param fill goes through `map` as pixels do; null: the border is repeated
 */
export function sample(
  source: Planes<Uint8Array>,
  affine: Affine,
  map: ColourMap,
  fill: Colour | null,
  target: Planes<Float32Array>,
  order: PlaneOrder,
): void {
  if (!sampleFast(source, affine, map, fill, target, order))
    samplePlainly(source, affine, map, fill, target, order)
}

/** Places and weights are whole multiples of 1/16384. */
const BITS = 14
const ONE = 1 << BITS
const HALF = ONE >> 1
/** Numbers of this size have no room for fractions: adding and subtracting it rounds, halves to even. */
const ROUNDER = 1.5 * 2 ** 52
const { fround } = Math

/**
 * `sample` without WebAssembly, the same numbers to the last bit: weights are whole numbers, and what follows is rounded
 * to 32 bits after every operation.
 */
export function samplePlainly(
  source: Planes<Uint8Array>,
  affine: Affine,
  { matrix, gain, bias }: ColourMap,
  fill: Colour | null,
  target: Planes<Float32Array>,
  order: PlaneOrder,
): void {
  const { data: from, size: fromSize } = source
  const { data: to, size } = target
  const { width, height } = size
  const [lastX, lastY] = [fromSize.width - 1, fromSize.height - 1]
  const [endX, endY] = [lastX * ONE, lastY * ONE]
  const margin = fill === null ? Infinity : HALF
  const fromPlane = fromSize.width * fromSize.height
  const toPlane = width * height
  const [redPlane, greenPlane, bluePlane] = order
  const [rr, rg, rb, r0] = [matrix[0]!, matrix[1]!, matrix[2]!, matrix[3]!]
  const [gr, gg, gb, g0] = [matrix[4]!, matrix[5]!, matrix[6]!, matrix[7]!]
  const [br, bg, bb, b0] = [matrix[8]!, matrix[9]!, matrix[10]!, matrix[11]!]
  const [redGain, greenGain, blueGain] = [gain[0]!, gain[1]!, gain[2]!]
  const [redBias, greenBias, blueBias] = [bias[0]!, bias[1]!, bias[2]!]
  const [stepX, stepY] = [affine.xx * ONE, affine.yx * ONE]
  let write = target.offset
  for (let y = 0; y < height; y++) {
    let px = affine.xy * ONE * y + affine.x0 * ONE
    let py = affine.yy * ONE * y + affine.y0 * ONE
    for (let x = 0; x < width; x++, write++, px += stepX, py += stepY) {
      let red: number
      let green: number
      let blue: number
      if (px < -margin || px > endX + margin || py < -margin || py > endY + margin) {
        red = fround(fill![0])
        green = fround(fill![1])
        blue = fround(fill![2])
      } else {
        const placeX = (px > 0 ? (px < endX ? px : endX) : 0) + ROUNDER - ROUNDER
        const placeY = (py > 0 ? (py < endY ? py : endY) : 0) + ROUNDER - ROUNDER
        const left = placeX >> BITS
        const upper = placeY >> BITS
        const wx = placeX & (ONE - 1)
        const wy = placeY & (ONE - 1)
        const w11 = (wx * wy + HALF) >> BITS
        const w10 = wy - w11
        const w01 = wx - w11
        const w00 = ONE - wx - w10
        let at00 = source.offset + upper * fromSize.width + left
        const right = left < lastX ? 1 : 0
        const below = upper < lastY ? fromSize.width : 0
        const weigh = (at: number): number =>
          (from[at]! * w00 +
            from[at + right]! * w01 +
            from[at + below]! * w10 +
            from[at + below + right]! * w11) /
          ONE
        red = weigh(at00)
        green = weigh((at00 += fromPlane))
        blue = weigh(at00 + fromPlane)
      }
      const mixedRed = fround(fround(fround(r0 + fround(rr * red)) + fround(rg * green)) + fround(rb * blue))
      const mixedGreen = fround(
        fround(fround(g0 + fround(gr * red)) + fround(gg * green)) + fround(gb * blue),
      )
      const mixedBlue = fround(fround(fround(b0 + fround(br * red)) + fround(bg * green)) + fround(bb * blue))
      to[write + redPlane * toPlane] = fround(within(mixedRed) * redGain) + redBias
      to[write + greenPlane * toPlane] = fround(within(mixedGreen) * greenGain) + greenBias
      to[write + bluePlane * toPlane] = fround(within(mixedBlue) * blueGain) + blueBias
    }
  }
}

const within = (value: number): number => (value > 0 ? (value < 255 ? value : 255) : 0)
