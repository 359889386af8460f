import { elementCount, float32 } from '../../graph/tensor.ts'
import { ints, string } from '../../graph/types.ts'
import type { Shape, Value } from './layouts.ts'
import type { LoweringPen } from './pen.ts'
import type { MapWindow } from './window.ts'

/**
 * What rules for whole maps are written with, once for all layouts: [batch, channels, …] as it lies on the target.
 * Numbers per channel are plain values [channels].
 */
export interface Maps {
  input(index: number): Value
  /** scale · x + offset (+ sum). */
  affine(x: Value, scale: Value, offset: Value | null, sum?: Value): Value
  /** Σ over all axes but 1 → [channels]. */
  sumPerChannel(x: Value): Value
  /** Σ a · b over all axes but 1 → [channels], without writing the products down. */
  dotPerChannel(a: Value, b: Value): Value
  /** The biased variance per channel, of centred values where E[x²] − μ² would lose its digits. */
  variance(x: Value, mean: Value): Value
  /** Every value over the whole of its tile. */
  spread(x: Value, window: MapWindow): Value
  /** The mean of every tile. */
  meanOfTiles(x: Value, window: MapWindow): Value
}

export const valuesPerChannel = ({ shape }: Value): number => elementCount(shape) / shape[1]!

/** Maps as ONNX has them. */
export function plainMaps(pen: LoweringPen): Maps {
  const perChannel = (value: Value, like: Value): Value =>
    pen.reshape(
      value,
      like.shape.map((size, axis) => (axis === 1 ? size : 1)),
    )
  const affine = (x: Value, scale: Value, offset: Value | null, sum?: Value): Value => {
    const scaled = pen.multiply(x, perChannel(scale, x))
    const shifted = offset === null ? scaled : pen.add(scaled, perChannel(offset, x))
    return sum === undefined ? shifted : pen.add(shifted, sum)
  }
  return {
    input: (index) => pen.input(index),
    affine,
    sumPerChannel: (x) => sumPerChannel(pen, x),
    dotPerChannel: (a, b) => dotPerChannel(pen, a, b),
    variance(x, mean) {
      const centred = pen.subtract(x, perChannel(mean, x))
      return pen.divide(dotPerChannel(pen, centred, centred), pen.number(valuesPerChannel(x)))
    },
    spread(x, { strides }) {
      const scales = [1, 1, ...strides]
      const scaling = pen.constant(`scales ${scales.join(' ')}`, () => float32([4], scales))
      return pen.op('Resize', [x, '', scaling], spreadShape(x.shape, strides), {
        mode: string('nearest'),
        coordinate_transformation_mode: string('asymmetric'),
        nearest_mode: string('floor'),
      })
    },
    meanOfTiles: (x, { kernel, strides }) =>
      pen.op('AveragePool', [x], tiledShape(x.shape, strides), {
        kernel_shape: ints(kernel),
        strides: ints(strides),
      }),
  }
}

export const spreadShape = (shape: Shape, steps: readonly number[]): Shape =>
  shape.map((size, axis) => (axis < 2 ? size : size * steps[axis - 2]!))

export const tiledShape = (shape: Shape, steps: readonly number[]): Shape =>
  shape.map((size, axis) => (axis < 2 ? size : size / steps[axis - 2]!))

function sumPerChannel(pen: LoweringPen, value: Value): Value {
  const [batch, channels] = value.shape as [number, number]
  const places = valuesPerChannel(value) / batch
  if (places === 1) return pen.sum(pen.reshape(value, [batch, channels]), [0])
  // A product with ones: several times faster than the runtime's sum over the first and the last axes.
  const sums = pen.matMul(pen.reshape(value, [batch * channels, places]), pen.filled([places, 1], 1))
  return pen.sum(pen.reshape(sums, [batch, channels]), [0])
}

function dotPerChannel(pen: LoweringPen, a: Value, b: Value): Value {
  const [batch, channels] = a.shape as [number, number]
  const places = valuesPerChannel(a) / batch
  if (places === 1) return pen.sum(pen.reshape(pen.multiply(a, b), [batch, channels]), [0])
  const rows = (value: Value): Value => pen.reshape(value, [batch * channels, 1, places])
  // The turned operand is what the runtime makes a dot product of; a column given as such is much slower.
  const dots = pen.matMul(rows(a), pen.transpose(rows(b), [0, 2, 1]))
  return pen.sum(pen.reshape(dots, [batch, channels]), [0])
}
