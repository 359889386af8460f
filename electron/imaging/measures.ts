import { LOOK_BYTES, LOOK_EDGE } from '#shared/domain/same-shot.ts'

/**
 * Numbers about how a picture looks, all taken from its thumbnail: they then mean the same for a phone photo and a web
 * picture, and cost next to nothing.
 */
export interface Measures {
  /**
   * Variance of the Laplacian of the luma, on a scale of 0–255 (Pech-Pacheco et al., "Diatom autofocusing in brightfield
   * microscopy", ICPR 2000). Low: nothing in the picture has a sharp edge.
   */
  sharpness: number
  /** Mean luma, 0–1. */
  brightness: number
  /** Standard deviation of the luma, 0–255. */
  contrast: number
  /**
   * dHash (N. Krawetz, "Kind of Like That", hackerfactor.com, 2013): luma averaged on a 9 × 8 grid, one bit for each
   * pair of neighbours in a row, set when it gets brighter to the right; row by row, 16 hexadecimal digits. Re-encoding and
   * resizing change few bits, another picture about half of them.
   */
  perceptualHash: string
  /** See `lookOf`. */
  look: Uint8Array
}

/**
 * A picture's look, uint8 `[32, 32]` (see `shared/domain/same-shot.ts`): luma averaged over cells whose edges may lie
 * within pixels, so that the same shot at another size gives the same numbers.
 * @param luma uint8 `[height, width]`
 */
export function lookOf(luma: Uint8Array, width: number, height: number): Uint8Array {
  const across = new Float32Array(height * LOOK_EDGE)
  for (let y = 0; y < height; y++) averageLine(luma, y * width, 1, width, across, y * LOOK_EDGE, 1)
  const both = new Float32Array(LOOK_BYTES)
  for (let x = 0; x < LOOK_EDGE; x++) averageLine(across, x, LOOK_EDGE, height, both, x, LOOK_EDGE)
  return Uint8Array.from(both, Math.round)
}

/** `size` numbers in steps of `stride` become 32 means. */
function averageLine(
  from: Uint8Array | Float32Array,
  first: number,
  stride: number,
  size: number,
  into: Float32Array,
  start: number,
  step: number,
): void {
  const cell = size / LOOK_EDGE
  for (let i = 0; i < LOOK_EDGE; i++) {
    const begin = i * cell
    const end = Math.min(size, begin + cell)
    const whole = Math.ceil(begin)
    const last = Math.floor(end)
    let sum = 0
    if (last < whole) sum = from[first + last * stride]! * cell
    else {
      for (let k = whole; k < last; k++) sum += from[first + k * stride]!
      if (begin < whole) sum += from[first + (whole - 1) * stride]! * (whole - begin)
      if (last < end) sum += from[first + last * stride]! * (end - last)
    }
    into[start + i * step] = sum / cell
  }
}

const GRID_WIDTH = 9
const GRID_HEIGHT = 8

/** Luma of ITU-R BT.601 in 16-bit fixed point, uint8 `[pixels]` from uint8 `[pixels, 3]`. */
export function lumaOf(rgb: Uint8Array): Uint8Array {
  const luma = new Uint8Array(rgb.length / 3)
  for (let read = 0, write = 0; write < luma.length; read += 3, write++) {
    luma[write] = (19595 * rgb[read]! + 38470 * rgb[read + 1]! + 7471 * rgb[read + 2]! + 32768) >> 16
  }
  return luma
}

/** @param rgb uint8 `[height, width, 3]` */
export function measure(rgb: Uint8Array, width: number, height: number): Measures {
  const luma = lumaOf(rgb)
  let sum = 0
  let squares = 0
  for (let i = 0; i < luma.length; i++) {
    const value = luma[i]!
    sum += value
    squares += value * value
  }
  const mean = sum / luma.length
  return {
    sharpness: laplacianVariance(luma, width, height),
    brightness: mean / 255,
    contrast: Math.sqrt(Math.max(0, squares / luma.length - mean * mean)),
    perceptualHash: differenceHash(luma, width, height),
    look: lookOf(luma, width, height),
  }
}

/** Variance of the four-neighbour Laplacian over all inner pixels; 0 when there are none. */
export function laplacianVariance(luma: Uint8Array, width: number, height: number): number {
  if (width < 3 || height < 3) return 0
  let sum = 0
  let squares = 0
  for (let y = 1; y < height - 1; y++) {
    const from = y * width + 1
    for (let i = from; i < from + width - 2; i++) {
      const value = (luma[i]! << 2) - luma[i - 1]! - luma[i + 1]! - luma[i - width]! - luma[i + width]!
      sum += value
      squares += value * value
    }
  }
  const count = (width - 2) * (height - 2)
  const mean = sum / count
  return Math.max(0, squares / count - mean * mean)
}

/** See `Measures.perceptualHash`. @param luma uint8 `[height, width]` */
export function differenceHash(luma: Uint8Array, width: number, height: number): string {
  const columns = edges(width, GRID_WIDTH)
  const rows = edges(height, GRID_HEIGHT)
  let hash = ''
  const means = new Float64Array(GRID_WIDTH)
  for (const [top, bottom] of rows) {
    columns.forEach(([left, right], column) => {
      let sum = 0
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += luma[y * width + x]!
      }
      means[column] = sum / ((right - left) * (bottom - top))
    })
    let byte = 0
    for (let column = 1; column < GRID_WIDTH; column++) {
      byte = (byte << 1) | (means[column]! > means[column - 1]! ? 1 : 0)
    }
    hash += byte.toString(16).padStart(2, '0')
  }
  return hash
}

/** Cuts `size` pixels into `parts` stretches of at least one pixel; they overlap where there are fewer pixels than parts. */
function edges(size: number, parts: number): [from: number, to: number][] {
  return Array.from({ length: parts }, (_, part) => {
    const from = Math.min(size - 1, Math.floor((part * size) / parts))
    return [from, Math.max(from + 1, Math.floor(((part + 1) * size) / parts))]
  })
}
