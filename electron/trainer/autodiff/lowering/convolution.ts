import { int, ints, intsAttribute } from '../../graph/types.ts'
import { reach } from '../../graph/window.ts'
import type { Shape, Value } from './layouts.ts'
import type { LoweringPen, LoweringRule } from './pen.ts'
import { attributesOf, isDense, isPoint, isUnpadded, mapWindow, taps, touchedBehind } from './window.ts'
import type { MapWindow } from './window.ts'

/** Below this many channels a map is too thin for the product over all of them at once to fill a processor. */
const fewChannels = 16

/** Products over so many places of one picture are as good as one over the whole batch. */
const longProduct = 1024

/**
 * dx = the transposed convolution of dy (Dumoulin & Visin, "A guide to convolution arithmetic", chapter 4). With stride 1
 * that is a convolution with the kernel turned around, which the runtime computes faster.
 */
export const convInputGradient: LoweringRule = (pen) => {
  const [dy, w] = [pen.input(0), pen.input(1)]
  const window = mapWindow(pen.node, w.shape.slice(2))
  const shape = intsAttribute(pen.node, 'input_shape')!
  const turned = isDense(window) ? turnedWindow(window) : null
  if (turned !== null)
    return [pen.op('Conv', [dy, turnedKernel(pen, w, window)], shape, attributesOf(turned))]
  return [transposedConvolution(pen, dy, w, window, shape)]
}

/**
 * The window of the convolution that gives dx from dy with stride 1; null where the padding lies beyond the reach of the
 * kernel, so that a part of dy would have to be cut off.
 */
export function turnedWindow(window: MapWindow): MapWindow | null {
  const pads = window.pads.map((size, at) => reach(window, at % 2) - 1 - size)
  return pads.some((size) => size < 0) ? null : { ...window, pads, strides: [1, 1] }
}

/** The kernel as [ci, co / groups, kh, kw], turned by half a turn. */
function turnedKernel(pen: LoweringPen, w: Value, window: MapWindow): Value {
  const [co, perGroup, rows, columns] = w.shape as [number, number, number, number]
  const { group } = window
  const places = rows * columns
  // A product with a permutation: the runtime's Slice copies backwards one number at a time.
  const reversal = pen.constant(`reversal ${places}`, () => ({
    type: 'float32',
    shape: [places, places],
    data: Float32Array.from({ length: places * places }, (_, at) =>
      (at % places) + Math.floor(at / places) === places - 1 ? 1 : 0,
    ),
  }))
  const flat = pen.reshape(w, [co * perGroup, places])
  const turned = places === 1 ? flat : pen.op('MatMul', [flat, reversal], flat.shape)
  const split = pen.reshape(turned, [group, co / group, perGroup, places])
  const swapped = perGroup === 1 || co === group ? split : pen.transpose(split, [0, 2, 1, 3])
  return pen.reshape(swapped, [group * perGroup, co / group, rows, columns])
}

/** From what windows see to the map they see it on: `shape`. Works for every window. */
export function transposedConvolution(
  pen: LoweringPen,
  value: Value,
  kernel: Value,
  window: MapWindow,
  shape: Shape,
): Value {
  const behind = touchedBehind(window, shape.slice(2), value.shape.slice(2))
  return pen.op('ConvTranspose', [value, kernel], shape, {
    ...attributesOf({
      ...window,
      pads: [...window.pads.slice(0, 2), ...behind.map((size) => Math.max(0, size))],
    }),
    output_padding: ints(behind.map((size) => Math.max(0, -size))),
  })
}

/** dw, by the way that suits the shape. Every way gives the same sum, in another order. */
export const convWeightGradient: LoweringRule = (pen) => {
  const shape = intsAttribute(pen.node, 'weight_shape')!
  const window = mapWindow(pen.node, shape.slice(2))
  return [pen.reshape(wayFor(pen, window, shape)(pen, window, shape), shape)]
}

type Way = (pen: LoweringPen, window: MapWindow, shape: Shape) => Value

function wayFor(pen: LoweringPen, window: MapWindow, [, perGroup]: Shape): Way {
  const [x, dy] = [pen.inputShape(0).slice(2), pen.inputShape(1).slice(2)]
  // All windows lie in the padding before the map.
  if (touchedBehind(window, x, dy).some((behind, axis) => behind <= -x[axis]!)) return byColumns
  if (window.group > 1) return perGroup === 1 ? byFoldedBatch : byColumns
  if (isPoint(window) && isUnpadded(window)) return byProduct
  const long = perGroup! >= fewChannels || dy[0]! * dy[1]! >= longProduct
  return window.dilations[1] === 1 && long ? byDilatedKernel : byColumns
}

/** 1 × 1: dw = dyᵀ · x, one big product over batch and places. */
const byProduct: Way = (pen, { strides }, [co, ci]) => {
  const [x, dy] = [pen.last(0), pen.last(1)]
  const [batch, rows, columns] = dy.shape as [number, number, number]
  const ends = [rows, columns].map((size, axis) => (size - 1) * strides[axis]! + 1)
  const read = pen.slice(x, [1, 2], [0, 0], ends, strides)
  const places = batch * rows * columns
  const [left, right] = [pen.reshape(dy, [places, co!]), pen.reshape(read, [places, ci!])]
  return pen.op('Gemm', [left, right], [co!, ci!], { transA: int(1) })
}

/**
 * One input channel per group: batch and channels together become the groups of one convolution in which dy is the
 * kernel, its steps dilated by the strides; then the sum over the batch.
 */
const byFoldedBatch: Way = (pen, window, [co]) => {
  const [x, dy] = [pen.input(0), pen.input(1)]
  const [batch, ci, ...size] = x.shape as [number, number, number, number]
  const { maps, slide } = slidingGradient(pen, window, x, [2, 3], size, dy.shape.slice(2))
  const kernels = pen.reshape(dy, [batch * co!, 1, ...dy.shape.slice(2)])
  const perPicture = pen.op(
    'Conv',
    [pen.reshape(maps, [1, batch * ci, ...maps.shape.slice(2)]), kernels],
    [1, batch * co!, ...window.kernel],
    attributesOf({ ...slide, group: batch * ci }),
  )
  return pen.sum(pen.reshape(perPicture, [batch, co!, ...window.kernel]), [0])
}

/**
 * The convolution in which dy slides over x as the kernel: strides and dilations change places. Rows of x that no window
 * has seen are cut off.
 * @param axes of height and width in x.
 */
export function slidingGradient(
  pen: LoweringPen,
  window: MapWindow,
  x: Value,
  axes: readonly number[],
  size: readonly number[],
  kernel: readonly number[],
): { maps: Value; slide: MapWindow } {
  const behind = touchedBehind(window, size, kernel)
  return {
    maps: pen.pad(
      x,
      axes,
      [0, 0],
      behind.map((rows) => Math.min(0, rows)),
    ),
    slide: {
      kernel,
      strides: window.dilations,
      dilations: window.strides,
      pads: [...window.pads.slice(0, 2), ...behind.map((rows) => Math.max(0, rows))],
      group: 1,
    },
  }
}

/**
 * x with the channels last, seen as one picture whose channels are the batch and whose columns are (column, channel);
 * dy, turned likewise, is the kernel that slides over it in steps of one channel. Its taps lie `channels` apart, so what
 * comes out is [co, row, (column, channel)]. The runtime never writes the columns of the product down.
 *
 * Where maps are large, each picture is a group of its own, which spares turning dy: the products are long enough.
 */
const byDilatedKernel: Way = (pen, window, [co, ci]) => {
  const [x, dy] = [pen.last(0), pen.input(1)]
  const [batch, rows, columns] = x.shape as [number, number, number]
  const kernel = dy.shape.slice(2)
  const { maps, slide } = slidingGradient(pen, window, x, [1, 2], [rows, columns], kernel)
  const [height, width] = maps.shape.slice(1) as [number, number]
  const wide = (pads: readonly number[]): number[] =>
    pads.map((size, at) => (at % 2 === 1 ? size * ci! : size))
  const apart = kernel[0]! * kernel[1]! >= longProduct
  const group = apart ? batch : 1
  const kernels = apart ? pen.reshape(dy, [batch * co!, 1, ...kernel]) : pen.transpose(dy, [1, 0, 2, 3])
  const slid = pen.op(
    'Conv',
    [pen.reshape(maps, [1, batch, height, width * ci!]), kernels],
    [1, group * co!, window.kernel[0]!, window.kernel[1]! * ci!],
    attributesOf({ ...slide, dilations: wide(slide.dilations), pads: wide(slide.pads), group }),
  )
  const places = window.kernel[0]! * window.kernel[1]!
  const whole = pen.sum(pen.reshape(slid, [group, co! * places * ci!]), [0])
  return pen.transpose(pen.reshape(whole, [co!, places, ci!]), [0, 2, 1])
}

/** Any window: what each tap reads is written down (im2col), and dw is one product per picture and group. */
const byColumns: Way = (pen, window, [co, perGroup]) => {
  const [x, dy] = [pen.input(0), pen.input(1)]
  const [batch] = x.shape as [number]
  const { group } = window
  const out = dy.shape.slice(2)
  const places = out[0]! * out[1]!
  const reads = readsOfTaps(pen, x, [2, 3], window, out).map((read) =>
    pen.reshape(read, [batch, group, perGroup!, places]),
  )
  const gradient = pen.reshape(dy, [batch, group, co! / group, places])
  const products = pen.matMul(gradient, pen.transpose(pen.concat(reads, 2), [0, 1, 3, 2]))
  return pen.transpose(pen.reshape(pen.sum(products, [0]), [co!, reads.length, perGroup!]), [0, 2, 1])
}

/**
 * What each place of the window reads for all windows.
 * @param axes of height and width in x.
 * @param out how many windows there are.
 */
export function readsOfTaps(
  pen: LoweringPen,
  x: Value,
  axes: readonly number[],
  window: MapWindow,
  out: readonly number[],
  filler = 0,
): Value[] {
  const size = axes.map((axis) => x.shape[axis]!)
  const padded = pen.pad(x, axes, window.pads.slice(0, 2), touchedBehind(window, size, out), filler)
  return taps(window).map(({ row, column }) => {
    const from = [row, column].map((at, axis) => at * window.dilations[axis]!)
    const to = from.map((at, axis) => at + (out[axis]! - 1) * window.strides[axis]! + 1)
    return pen.slice(padded, axes, from, to, window.strides)
  })
}
