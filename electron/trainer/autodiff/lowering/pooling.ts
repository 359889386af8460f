import { float32 } from '../../graph/tensor.ts'
import { int, intAttribute, ints, intsAttribute, string } from '../../graph/types.ts'
import { readsOfTaps } from './convolution.ts'
import type { LoweringPen, LoweringRule, Value } from './pen.ts'
import { mapWindow, taps, tiles, touchedBehind, type Window } from './window.ts'

/** Never a maximum among what a network computes, and finite: −∞ − (−∞) would spoil what is multiplied by 0 later. */
const lowest = -3.4028234663852886e38

/**
 * Where a value equals the maximum of its window it gets its gradient, divided by how many do. Where windows do not
 * overlap, the maxima are spread over their windows and compared in one go (and maps need not be taken apart).
 */
export const maxPoolGradient: LoweringRule = (pen) => {
  const [x, y, dy] = [pen.input(0), pen.input(1), pen.input(2)]
  const window = mapWindow(pen.node)
  if (tiles(window, x.shape.slice(2))) {
    const hit = pen.mask('Equal', x, spread(pen, y, window))
    const places = window.kernel[0]! * window.kernel[1]!
    const share = pen.op('AveragePool', [hit], y.shape, {
      kernel_shape: ints(window.kernel),
      strides: ints(window.strides),
    })
    // The mean of the hits, which is never 0, is how many there are divided by the size of the window.
    const each = pen.divide(pen.multiply(dy, pen.number(1 / places)), share)
    return [pen.multiply(hit, spread(pen, each, window)).name]
  }
  const out = y.shape.slice(2)
  const hits = readsOfTaps(pen, x, window, out, lowest).map((read) => pen.mask('Equal', read, y))
  const count = hits.reduce((sum, hit) => pen.add(sum, hit))
  // A window that lies in the padding altogether hits nothing.
  const each = pen.divide(dy, pen.op('Max', [count, pen.number(1)], y.shape))
  const shares = hits.map((hit) => pen.multiply(hit, each))
  return [gather(pen, shares, window, x.shape).name]
}

/** Every value over the window it came from. */
function spread(pen: LoweringPen, value: Value, { strides }: Window): Value {
  const [batch, channels, rows, columns] = value.shape as [number, number, number, number]
  const scales = [1, 1, ...strides]
  const names = pen.constant(`scales ${scales.join(' ')}`, () => float32([4], scales))
  const shape = [batch, channels, rows * strides[0]!, columns * strides[1]!]
  return pen.op('Resize', [value, '', names], shape, {
    mode: string('nearest'),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  })
}

/**
 * Puts what belongs to each tap of a window ([batch, channels, …out] per tap) back to where the tap reads, summing where
 * windows overlap: a transposed convolution per channel whose kernels hold a single 1.
 */
function gather(pen: LoweringPen, values: readonly Value[], window: Window, shape: readonly number[]): Value {
  const [batch, channels] = shape as [number, number]
  const out = values[0]!.shape.slice(2)
  const count = values.length
  const lifted = values.map((value) => pen.reshape(value, [batch, channels, 1, ...out]))
  const stacked = pen.reshape(pen.concat(lifted, 2), [batch, channels * count, ...out])
  const kernels = pen.constant(`places ${channels} ${window.kernel.join(' ')}`, () => {
    const places = taps(window).flatMap((_, tap) => taps(window).map((__, at) => (at === tap ? 1 : 0)))
    const all = new Float32Array(channels * places.length)
    for (let channel = 0; channel < channels; channel++) all.set(places, channel * places.length)
    return float32([channels * count, 1, ...window.kernel], all)
  })
  return transposed(pen, stacked, kernels, window, shape)
}

/** The transposed convolution per channel that has the windows' geometry. */
function transposed(
  pen: LoweringPen,
  value: Value,
  kernels: string,
  window: Window,
  shape: readonly number[],
): Value {
  const behind = [0, 1].map((axis) => touchedBehind(window, shape[axis + 2]!, value.shape[axis + 2]!, axis))
  return pen.op('ConvTranspose', [value, kernels], shape, {
    kernel_shape: ints(window.kernel),
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    pads: ints([...window.before, ...behind.map((size) => Math.max(0, size))]),
    output_padding: ints(behind.map((size) => Math.max(0, -size))),
    group: int(shape[1]!),
  })
}

/** Every value of a window gets the window's gradient, divided by how many values it averaged. */
export const averagePoolGradient: LoweringRule = (pen) => {
  const dy = pen.input(0)
  const window = mapWindow(pen.node)
  const shape = intsAttribute(pen.node, 'input_shape')!
  const places = window.kernel[0]! * window.kernel[1]!
  if (tiles(window, shape.slice(2)))
    return [spread(pen, pen.multiply(dy, pen.number(1 / places)), window).name]
  const out = dy.shape.slice(2)
  const withPadding = intAttribute(pen.node, 'count_include_pad', 0) === 1
  const key = JSON.stringify([window, shape.slice(2), out, withPadding])
  const factors = pen.constant(`shares ${key}`, () =>
    float32([1, 1, ...out], sharesOfWindows(window, shape.slice(2), out, withPadding)),
  )
  const channels = shape[1]!
  const kernels = pen.constant(`ones ${channels} ${window.kernel.join(' ')}`, () =>
    float32([channels, 1, ...window.kernel], new Float32Array(channels * places).fill(1)),
  )
  return [transposed(pen, pen.multiply(dy, factors), kernels, window, shape).name]
}

/** 1 / (values averaged) of each window. */
function sharesOfWindows(
  window: Window,
  size: readonly number[],
  out: readonly number[],
  withPadding: boolean,
): number[] {
  const counts = [0, 1].map((axis) =>
    Array.from({ length: out[axis]! }, (_, at) => {
      const from = at * window.strides[axis]! - window.before[axis]!
      const padding = withPadding ? [window.before[axis]!, window.after[axis]!] : [0, 0]
      const reads = Array.from(
        { length: window.kernel[axis]! },
        (__, tap) => from + tap * window.dilations[axis]!,
      )
      return reads.filter((read) => read >= -padding[0]! && read < size[axis]! + padding[1]!).length
    }),
  )
  return counts[0]!.flatMap((rows) => counts[1]!.map((columns) => 1 / Math.max(1, rows * columns)))
}
