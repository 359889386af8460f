import type { Padding } from './spec.ts'

/** One axis of a window that slides over a map. */
export interface Window {
  /** F: width or height of the filter. */
  size: number
  /** S */
  stride: number
  /** P, or how it is found. */
  padding: Padding
}

/** Where a window can stand along one axis. */
export interface Placement {
  /** Number of places, the size of the output. */
  output: number
  /** Zeros before and behind. */
  before: number
  behind: number
}

/** (N − F + 2P) / S + 1, which need not be whole. */
export const exactOutput = (input: number, filter: number, stride: number, padding: number): number =>
  (input - filter + 2 * padding) / stride + 1

/** Zeros before and behind for `same`: in all as many as the last window reaches out, the odd one behind (TensorFlow). */
export function samePadding(input: number, filter: number, stride: number): Placement {
  const output = Math.ceil(input / stride)
  const total = Math.max(0, (output - 1) * stride + filter - input)
  const before = Math.floor(total / 2)
  return { output, before, behind: total - before }
}

/** Why a window cannot be placed, in words, and what would help. */
export interface Misfit {
  message: string
  remedy: string
}

/**
 * Places a window along an axis of `input` pixels. With a number of zeros the window has to come out even at the other
 * side: (N − F + 2P) / S + 1 has to be a whole number, otherwise pixels at the edge would silently be left out.
 */
export function placeWindow(input: number, window: Window): Placement | Misfit {
  const { size, stride } = window
  if (window.padding === 'same') return samePadding(input, size, stride)
  const padding = window.padding === 'valid' ? 0 : window.padding
  const formula = `(${input} − ${size} + 2·${padding}) / ${stride} + 1`
  if (padding >= size)
    return {
      message: `padding ${padding} around a window of ${size} makes places that see nothing but zeros.`,
      remedy: `Use padding "same", or less than ${size}.`,
    }
  if (size > input + 2 * padding)
    return {
      message: `a window of ${size} is larger than the ${input} pixels it gets${padding > 0 ? ` with padding ${padding}` : ''}.`,
      remedy: `Use a smaller window, padding "same", or take fewer steps that shrink the picture before.`,
    }
  const output = exactOutput(input, size, stride, padding)
  if (!Number.isInteger(output))
    return {
      message: `a window of ${size} in steps of ${stride} does not come out even on ${input} pixels: ${formula} = ${rounded(output)}.`,
      remedy: `Use padding "same"${alternatives(input, size, stride, padding)}.`,
    }
  return { output, before: padding, behind: padding }
}

export const isMisfit = (placed: Placement | Misfit): placed is Misfit => 'message' in placed

const rounded = (value: number): string => String(Math.round(value * 100) / 100)

/** The nearest settings that come out even, changing one number. */
function alternatives(input: number, filter: number, stride: number, padding: number): string {
  const fits = (f: number, s: number, p: number): boolean => {
    const output = exactOutput(input, f, s, p)
    return Number.isInteger(output) && output >= 1
  }
  const nearest = (around: number, from: number, good: (value: number) => boolean): number | undefined =>
    Array.from({ length: 2 * stride }, (_, step) => [around - step, around + step])
      .flat()
      .find((value) => value >= from && good(value))
  const words = [
    [nearest(padding, 0, (p) => p < filter && fits(filter, stride, p)), 'padding'],
    [nearest(filter, 1, (f) => fits(f, stride, padding)), 'a window of'],
    [nearest(stride, 1, (s) => fits(filter, s, padding)), 'steps of'],
  ] as const
  return words.map(([value, name]) => (value === undefined ? '' : `, or ${name} ${value}`)).join('')
}
