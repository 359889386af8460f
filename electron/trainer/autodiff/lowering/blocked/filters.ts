import { elementCount } from '../../../graph/tensor.ts'
import { int } from '../../../graph/types.ts'
import type { Value } from '../layouts.ts'
import type { BlockedPen } from './pen.ts'

/**
 * Filters as the runtime's convolutions read them (onnxruntime/core/mlas/lib/reorder.cpp), with blocks of B channels:
 * - dense: [o / B, i / B, h, w, i of the block, o of the block];
 * - thin, for few input channels that lie plain, and per channel (i = 1): [o / B, i, h, w, o of the block].
 *
 * Weights change at every step, so they are laid out anew inside the graph. The operator that blocks maps does most of it:
 * it runs on all threads and moves whole rows, where the runtime's Transpose moves single numbers.
 */

/** From [o, i, h, w]: what lies in a block of outputs stands last. */
export function thinFilter(pen: BlockedPen, w: Value): Value {
  const [outputs, ...rest] = w.shape
  const map = [1, outputs!, elementCount(rest), 1]
  return pen.reshape(pen.reorderInput(pen.reshape(w, map), map), w.shape)
}

/** From [o, i, h, w]. */
export function denseFilter(pen: BlockedPen, w: Value): Value {
  const [outputs, inputs, rows, columns] = w.shape as [number, number, number, number]
  const { block } = pen
  const places = rows * columns
  const thin = thinFilter(pen, w)
  if (places === 1) return thin
  const apart = pen.reshape(thin, [outputs / block, inputs / block, block, places, block])
  return pen.reshape(pen.transpose(apart, [0, 1, 3, 2, 4]), w.shape)
}

/** From [o, i, h, w] the dense filter of the convolution that goes back, [i, o, h, w], turned by half a turn. */
export function turnedDenseFilter(pen: BlockedPen, w: Value): Value {
  const [outputs, inputs, rows, columns] = w.shape as [number, number, number, number]
  const { block } = pen
  const places = rows * columns
  const byPlace = pen.transpose(pen.reshape(w, [outputs * inputs, places]), [1, 0])
  const turned = reversed(pen, byPlace, 0)
  const blocked = pen.reorderInput(
    pen.reshape(turned, [1, places * outputs, 1, inputs]),
    [1, inputs, places * outputs, 1],
    true,
  )
  const apart = pen.reshape(blocked, [inputs / block, places, outputs / block, block * block])
  return pen.reshape(pen.transpose(apart, [0, 2, 1, 3]), [inputs, outputs, rows, columns])
}

/** From [channels, 1, h, w] the filter of the convolution per channel that goes back. */
export function turnedThinFilter(pen: BlockedPen, w: Value): Value {
  const [channels, , rows, columns] = w.shape as [number, number, number, number]
  const { block } = pen
  const apart = pen.reshape(thinFilter(pen, w), [channels / block, rows * columns, block])
  return pen.reshape(reversed(pen, apart, 1), w.shape)
}

/** Back to front along an axis. Gather moves whole rows, Slice with a negative step single numbers. */
function reversed(pen: BlockedPen, value: Value, axis: number): Value {
  const length = value.shape[axis]!
  if (length === 1) return value
  const order = Array.from({ length }, (_, at) => length - 1 - at)
  return pen.op('Gather', [value, pen.integers(order)], value.shape, { axis: int(axis) })
}
