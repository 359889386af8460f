import { int, ints } from '../../graph/types.ts'
import { intsAttribute } from '../../graph/types.ts'
import type { Attributes } from '../../graph/types.ts'
import type { LoweringPen, LoweringRule, Value } from './pen.ts'
import { mapWindow, reach, taps, touchedBehind, type Window } from './window.ts'

/** Below this many channels a map is too thin for the product over all of them at once to fill a processor. */
const fewChannels = 16

export const windowAttributes = (window: Window): Attributes => ({
  kernel_shape: ints(window.kernel),
  strides: ints(window.strides),
  dilations: ints(window.dilations),
  pads: ints([...window.before, ...window.after]),
  group: int(window.group),
})

const isPoint = ({ kernel }: Window): boolean => kernel[0] === 1 && kernel[1] === 1
const isUnpadded = ({ before, after }: Window): boolean => [...before, ...after].every((size) => size === 0)
const isDense = ({ strides }: Window): boolean => strides[0] === 1 && strides[1] === 1

/**
 * dx = the transposed convolution of dy (Dumoulin & Visin, "A guide to convolution arithmetic", section 4). With stride 1
 * that is a convolution with the kernel turned around, which the runtime computes faster.
 */
export const convInputGradient: LoweringRule = (pen) => {
  const [dy, w] = [pen.input(0), pen.input(1)]
  const window = mapWindow(pen.node, w.shape.slice(2))
  const shape = intsAttribute(pen.node, 'input_shape')!
  const turned = turnedWindow(window)
  if (turned !== null)
    return [pen.op('Conv', [dy, turnedKernel(pen, w, window)], shape, windowAttributes(turned)).name]
  const behind = [0, 1].map((axis) => touchedBehind(window, shape[axis + 2]!, dy.shape[axis + 2]!, axis))
  const attributes: Attributes = {
    ...windowAttributes({ ...window, after: behind.map((size) => Math.max(0, size)) }),
    output_padding: ints(behind.map((size) => Math.max(0, -size))),
  }
  return [pen.op('ConvTranspose', [dy, w], shape, attributes).name]
}

/** The window of the convolution that gives dx from dy; null where there is none. */
export function turnedWindow(window: Window): Window | null {
  if (!isDense(window)) return null
  const turned = (pads: readonly number[]): number[] =>
    pads.map((size, axis) => reach(window, axis) - 1 - size)
  const [before, after] = [turned(window.before), turned(window.after)]
  // Padding beyond the reach of the kernel: a part of dy would have to be cut off.
  return [...before, ...after].some((size) => size < 0) ? null : { ...window, before, after }
}

/** The kernel as [ci, co / groups, kh, kw], turned by half a turn. */
export function turnedKernel(pen: LoweringPen, w: Value, window: Window): Value {
  const [co, perGroup, rows, columns] = w.shape as [number, number, number, number]
  const { group } = window
  const places = rows * columns
  let turned = w
  if (places > 1) {
    // A product with a permutation: the runtime's Slice copies backwards one number at a time.
    const reversal = pen.constant(`reversal ${places}`, () => ({
      type: 'float32',
      shape: [places, places],
      data: Float32Array.from({ length: places * places }, (_, at) =>
        (at % places) + Math.floor(at / places) === places - 1 ? 1 : 0,
      ),
    }))
    turned = pen.matMul(pen.reshape(w, [co * perGroup, places]), { name: reversal, shape: [places, places] })
  }
  const split = pen.reshape(turned, [group, co / group, perGroup, places])
  const swapped = perGroup === 1 || co === group ? split : pen.transpose(split, [0, 2, 1, 3])
  return pen.reshape(swapped, [group * perGroup, co / group, rows, columns])
}

/** dw, by the way that suits the shape. Every way gives the same sum, in another order. */
export const convWeightGradient: LoweringRule = (pen) => {
  const [x, dy] = [pen.input(0), pen.input(1)]
  const shape = intsAttribute(pen.node, 'weight_shape')!
  const window = mapWindow(pen.node, shape.slice(2))
  const [, perGroup] = shape as [number, number]
  const perChannel = perGroup === 1 && window.group > 1
  const way = missesMap(window, x.shape, dy.shape)
    ? byColumns
    : isPoint(window) && window.group === 1 && isUnpadded(window)
      ? byProduct
      : perChannel
        ? byFoldedBatch
        : window.group === 1 && window.dilations[1] === 1 && perGroup >= fewChannels
          ? byDilatedKernel
          : byColumns
  return [pen.reshape(way(pen, x, dy, window, shape), shape).name]
}

/** Whether all windows lie in the padding before the map, along an axis. */
const missesMap = (window: Window, x: readonly number[], dy: readonly number[]): boolean =>
  [0, 1].some((axis) => touchedBehind(window, x[axis + 2]!, dy[axis + 2]!, axis) <= -x[axis + 2]!)

type Way = (pen: LoweringPen, x: Value, dy: Value, window: Window, shape: readonly number[]) => Value

/** 1 × 1: dw = Σₙ dyₙ · xₙᵀ over the pictures of the batch, one big product over batch and places. */
const byProduct: Way = (pen, x, dy, { strides }) => {
  const [batch, co, rows, columns] = dy.shape as [number, number, number, number]
  const ends = [rows, columns].map((size, axis) => (size - 1) * strides[axis]! + 1)
  const read = pen.slice(x, [2, 3], [0, 0], ends, strides)
  const ci = x.shape[1]!
  const flat = (value: Value, channels: number): Value =>
    pen.reshape(pen.transpose(value, [1, 0, 2, 3]), [channels, batch * rows * columns])
  return pen.op('Gemm', [flat(dy, co), flat(read, ci)], [co, ci], { transB: int(1) })
}

/**
 * One input channel per group: batch and channels together become the groups of one convolution in which dy is the
 * kernel, its steps dilated by the strides; then the sum over the batch.
 */
const byFoldedBatch: Way = (pen, x, dy, window, [co]) => {
  const [batch, ci, ...size] = x.shape as [number, number, number, number]
  const kernel = dy.shape.slice(2)
  const behind = size.map((entries, axis) => touchedBehind(window, entries, kernel[axis]!, axis))
  const cut = pen.pad(
    x,
    [0, 0],
    behind.map((entries) => Math.min(0, entries)),
  )
  const maps = pen.reshape(cut, [1, batch * ci, ...cut.shape.slice(2)])
  const kernels = pen.reshape(dy, [batch * co!, 1, ...kernel])
  const perPicture = pen.op('Conv', [maps, kernels], [1, batch * co!, ...window.kernel], {
    ...windowAttributes({
      kernel,
      strides: window.dilations,
      dilations: window.strides,
      before: window.before,
      after: behind.map((entries) => Math.max(0, entries)),
      group: batch * ci,
    }),
  })
  return pen.sum(pen.reshape(perPicture, [batch, co!, ...window.kernel]), [0])
}

/**
 * x with the channels last, seen as one picture whose channels are the batch and whose columns are (column, channel);
 * dy, turned likewise, is the kernel that slides over it in steps of one channel. Its taps lie `channels` apart, so what
 * comes out is [co, row, (column, channel)]. The runtime never writes the columns of the product down.
 */
const byDilatedKernel: Way = (pen, x, dy, window, [co, ci]) => {
  const [batch, , rows, columns] = x.shape as [number, number, number, number]
  const kernel = dy.shape.slice(2)
  const behind = [rows, columns].map((size, axis) => touchedBehind(window, size, kernel[axis]!, axis))
  const cut = pen.pad(
    x,
    [0, 0],
    behind.map((size) => Math.min(0, size)),
  )
  const [height, width] = cut.shape.slice(2) as [number, number]
  const picture = pen.reshape(pen.transpose(cut, [0, 2, 3, 1]), [1, batch, height, width * ci!])
  const slid = pen.op(
    'Conv',
    [picture, pen.transpose(dy, [1, 0, 2, 3])],
    [1, co!, window.kernel[0]!, window.kernel[1]! * ci!],
    windowAttributes({
      kernel,
      strides: [window.dilations[0]!, 1],
      dilations: [window.strides[0]!, window.strides[1]! * ci!],
      before: [window.before[0]!, window.before[1]! * ci!],
      after: [Math.max(0, behind[0]!), Math.max(0, behind[1]!) * ci!],
      group: 1,
    }),
  )
  return pen.transpose(pen.reshape(slid, [co!, window.kernel[0]! * window.kernel[1]!, ci!]), [0, 2, 1])
}

/** Any window: what each tap reads is written down (im2col), and dw is one product per picture and group. */
const byColumns: Way = (pen, x, dy, window, [co, perGroup]) => {
  const [batch, ci] = x.shape as [number, number]
  const { group } = window
  const out = dy.shape.slice(2)
  const places = out[0]! * out[1]!
  const reads = readsOfTaps(pen, x, window, out).map((read) =>
    pen.reshape(read, [batch, group, ci / group, places]),
  )
  const columns = pen.concat(reads, 2)
  const gradient = pen.reshape(dy, [batch, group, co! / group, places])
  const products = pen.matMul(gradient, pen.transpose(columns, [0, 1, 3, 2]))
  const byTap = pen.reshape(pen.sum(products, [0]), [co!, reads.length, perGroup!])
  return pen.transpose(byTap, [0, 2, 1])
}

/** What each place of the window reads for all windows: per tap [batch, channels, …out]. */
export function readsOfTaps(
  pen: LoweringPen,
  x: Value,
  window: Window,
  out: readonly number[],
  filler = 0,
): Value[] {
  const behind = [0, 1].map((axis) => touchedBehind(window, x.shape[axis + 2]!, out[axis]!, axis))
  const padded = pen.pad(x, window.before, behind, filler)
  return taps(window).map(({ row, column }) => {
    const from = [row, column].map((at, axis) => at * window.dilations[axis]!)
    const to = from.map((at, axis) => at + (out[axis]! - 1) * window.strides[axis]! + 1)
    return pen.slice(padded, [2, 3], from, to, window.strides)
  })
}
