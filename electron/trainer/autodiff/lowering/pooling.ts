import { float32 } from '../../graph/tensor.ts'
import { intAttribute, intsAttribute } from '../../graph/types.ts'
import { readsOfTaps, transposedConvolution } from './convolution.ts'
import type { Shape, Value } from './layouts.ts'
import type { Maps } from './maps.ts'
import type { LoweringPen } from './pen.ts'
import { mapWindow, taps, tiles, type MapWindow } from './window.ts'

/** Never a maximum among what a network computes, and finite: −∞ − (−∞) would spoil what is multiplied by 0 later. */
const lowest = -3.4028234663852886e38

interface Pooled {
  x: Value
  /** The maxima. */
  y: Value
  dy: Value
}

/** Inputs x, y, dy. */
export const maxPoolGradient = (pen: LoweringPen, maps: Maps): Value[] => [
  maxPoolShares(pen, maps, { x: maps.input(0), y: maps.input(1), dy: maps.input(2) }, mapWindow(pen.node)),
]

/**
 * Where a value equals the maximum of its window it gets its gradient, divided by how many do. Where windows do not
 * overlap, the maxima are spread over their windows and compared in one go (and maps need not be taken apart).
 */
export function maxPoolShares(pen: LoweringPen, maps: Maps, { x, y, dy }: Pooled, window: MapWindow): Value {
  if (!tiles(window, x.shape.slice(2))) return sharesOfTaps(pen, { x, y, dy }, window)
  const hit = pen.mask('Equal', x, maps.spread(y, window))
  const places = window.kernel[0]! * window.kernel[1]!
  // The mean of the hits, which is never 0, is how many there are divided by the size of the window.
  const each = pen.divide(pen.divide(dy, pen.number(places)), maps.meanOfTiles(hit, window))
  return pen.multiply(hit, maps.spread(each, window))
}

/** Windows of any kind, of plain maps: what each place of the window reads is compared with the maximum. */
function sharesOfTaps(pen: LoweringPen, { x, y, dy }: Pooled, window: MapWindow): Value {
  const hits = readsOfTaps(pen, x, [2, 3], window, y.shape.slice(2), lowest).map((read) =>
    pen.mask('Equal', read, y),
  )
  const count = hits.reduce((sum, hit) => pen.add(sum, hit))
  // A window that lies in the padding altogether hits nothing.
  const each = pen.divide(dy, pen.op('Max', [count, pen.number(1)], y.shape))
  const shares = hits.map((hit) => pen.multiply(hit, each))
  return putBack(pen, shares, window, x.shape)
}

/**
 * Puts what belongs to each tap of a window ([batch, channels, …out] per tap) back to where the tap reads, summing where
 * windows overlap: a transposed convolution per channel whose kernels hold a single 1.
 */
function putBack(pen: LoweringPen, values: readonly Value[], window: MapWindow, shape: Shape): Value {
  const [batch, channels] = shape as [number, number]
  const out = values[0]!.shape.slice(2)
  const count = values.length
  const lifted = values.map((value) => pen.reshape(value, [batch, channels, 1, ...out]))
  const stacked = pen.reshape(pen.concat(lifted, 2), [batch, channels * count, ...out])
  const kernelShape = [channels * count, 1, ...window.kernel]
  const kernels = pen.constant(`places ${kernelShape.join(' ')}`, () => {
    const places = taps(window).flatMap((_, tap) => taps(window).map((__, at) => (at === tap ? 1 : 0)))
    const all = new Float32Array(channels * places.length)
    for (let channel = 0; channel < channels; channel++) all.set(places, channel * places.length)
    return float32(kernelShape, all)
  })
  const kernel: Value = { name: kernels, shape: kernelShape, layout: 'plain' }
  return transposedConvolution(pen, stacked, kernel, { ...window, group: channels }, shape)
}

/** Every value of a window gets the window's gradient, divided by how many values it averaged. */
export function averagePoolGradient(pen: LoweringPen, maps: Maps): Value[] {
  const window = mapWindow(pen.node)
  const shape = intsAttribute(pen.node, 'input_shape')!
  const size = shape.slice(2)
  const places = window.kernel[0]! * window.kernel[1]!
  if (tiles(window, size)) return [maps.spread(pen.divide(maps.input(0), pen.number(places)), window)]
  const dy = pen.input(0)
  const out = dy.shape.slice(2)
  const withPadding = intAttribute(pen.node, 'count_include_pad', 0) === 1
  const counts = pen.constant(`counts ${JSON.stringify([window, size, out, withPadding])}`, () =>
    float32([1, 1, ...out], valuesOfWindows(window, size, out, withPadding)),
  )
  const ones = pen.filled([shape[1]!, 1, ...window.kernel], 1)
  return [transposedConvolution(pen, pen.divide(dy, counts), ones, { ...window, group: shape[1]! }, shape)]
}

/** How many values each window averages. */
function valuesOfWindows(
  window: MapWindow,
  size: readonly number[],
  out: readonly number[],
  withPadding: boolean,
): number[] {
  const counts = [0, 1].map((axis) =>
    Array.from({ length: out[axis]! }, (_, at) => {
      const from = at * window.strides[axis]! - window.pads[axis]!
      const [before, behind] = withPadding ? [window.pads[axis]!, window.pads[axis + 2]!] : [0, 0]
      const reads = Array.from(
        { length: window.kernel[axis]! },
        (__, tap) => from + tap * window.dilations[axis]!,
      )
      return reads.filter((read) => read >= -before && read < size[axis]! + behind).length
    }),
  )
  return counts[0]!.flatMap((rows) => counts[1]!.map((columns) => Math.max(1, rows * columns)))
}
