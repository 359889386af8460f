import { elementCount } from '../../../graph/tensor.ts'
import { floatAttribute, int, ints, string } from '../../../graph/types.ts'
import type { Value } from '../layouts.ts'
import { spreadShape, tiledShape, valuesPerChannel, type Maps } from '../maps.ts'
import { attributesOf, pointWindow } from '../window.ts'
import type { BlockedPen } from './pen.ts'

/**
 * E[x²] − μ² is a good variance as long as the mean is not far from 0. Beyond so many variances its square has eaten
 * four bits, and the variance is computed again from centred values.
 */
const farMean = 16

/**
 * Sums of at most so many numbers go into one 32-bit number; those are added up afterwards. Of a sum of n numbers one
 * after the other, the last log₂(√n) bits are noise.
 */
const longestSum = 1024

/** Maps in blocks. */
export const blockedMaps = (pen: BlockedPen): Maps => ({
  input: (index) => pen.blocked(index),
  affine: (x, scale, offset, sum) => affine(pen, x, scale, offset, sum),
  sumPerChannel: (x) => overBatch(pen, partMeans(pen, x), valuesPerPart(x)),
  dotPerChannel: (a, b) => overBatch(pen, partDots(pen, a, b), 1),
  variance: (x, mean) => variance(pen, x, mean),
  spread: (x, { strides }) =>
    pen.own('Upsample', [x], spreadShape(x.shape, strides), {
      scales: ints([1, 1, ...strides]),
      mode: string('nearest'),
    }),
  meanOfTiles: (x, { kernel, strides }) => averages(pen, x, kernel, strides),
})

/**
 * One number per channel as the filter of a convolution of single places per channel, which beats the runtime's
 * multiplication of a map with a vector in this layout. Filters of one place lie the same in all layouts.
 */
export function affine(pen: BlockedPen, x: Value, scale: Value, offset: Value | null, sum?: Value): Value {
  const channels = x.shape[1]!
  const filter = pen.reshape(scale, [channels, 1, 1, 1])
  const bias = offset === null ? undefined : pen.reshape(offset, [channels])
  return pen.convolution(x, filter, pointWindow(channels), x.shape, { bias, sum })
}

const averages = (pen: BlockedPen, x: Value, kernel: readonly number[], strides: readonly number[]): Value =>
  pen.own('AveragePool', [x], tiledShape(x.shape, strides), {
    kernel_shape: ints(kernel),
    strides: ints(strides),
    pads: ints([0, 0, 0, 0]),
  })

function variance(pen: BlockedPen, x: Value, mean: Value): Value {
  const count = pen.number(valuesPerChannel(x))
  const square = pen.multiply(mean, mean)
  const raw = pen.subtract(pen.divide(overBatch(pen, partDots(pen, x, x), 1), count), square)
  const quick = pen.each('Max', [raw, pen.number(0)], raw)
  const epsilon = pen.number(floatAttribute(pen.node, 'epsilon', 1e-5))
  const limit = pen.multiply(pen.add(quick, epsilon), pen.number(farMean))
  const far = pen.op('ReduceMax', [pen.mask('Greater', square, limit)], [], { keepdims: int(0) })
  return pen.choose(pen.op('Greater', [far, pen.number(0)], []), quick.shape, {
    then: (inner) => {
      const centred = affine(inner, x, inner.filled(mean.shape, 1), inner.each('Neg', [mean], mean))
      return inner.divide(overBatch(inner, partDots(inner, centred, centred), 1), count)
    },
    otherwise: (inner) => inner.each('Identity', [quick], quick),
  })
}

/** Rows that are summed at once: a whole number of times in the map. */
function rowsAtOnce({ shape }: Value): number {
  const [height, width] = shape.slice(2) as [number, number]
  for (let rows = height; rows > 1; rows--) if (height % rows === 0 && rows * width <= longestSum) return rows
  return 1
}

const valuesPerPart = (x: Value): number => rowsAtOnce(x) * x.shape[3]!

/** Means of parts of each map, all of the same size: [batch, channels / block, parts, block] as it lies. */
function partMeans(pen: BlockedPen, x: Value): Value {
  const kernel = [rowsAtOnce(x), x.shape[3]!]
  return pen.opened(averages(pen, x, kernel, kernel))
}

/** Σ a · b of parts of each map, as it lies: [batch, channels / block, parts, block]. */
function partDots(pen: BlockedPen, a: Value, b: Value): Value {
  const [batch, channels, height, width] = a.shape as [number, number, number, number]
  const rows = rowsAtOnce(a)
  // Parts lie behind each other as channels do, so they may as well be channels: b is the kernel that covers a's part.
  const parts = (batch * channels * height) / rows
  const kernel = [rows, width]
  const dots = pen.own(
    'Conv',
    [pen.reshape(a, [1, parts, ...kernel]), pen.reshape(b, [parts, 1, ...kernel])],
    [1, parts, 1, 1],
    attributesOf({ ...pointWindow(parts), kernel }),
  )
  return pen.reshape(dots, [batch, channels / pen.block, height / rows, pen.block])
}

/** Σ over places → [batch, channels]. */
export function sumPerMap(pen: BlockedPen, x: Value): Value {
  const [batch, channels] = x.shape as [number, number]
  const sums = pen.sum(partMeans(pen, x), [2])
  return pen.multiply(pen.reshape(sums, [batch, channels]), pen.number(valuesPerPart(x)))
}

function overBatch(pen: BlockedPen, parts: Value, factor: number): Value {
  const sums = pen.sum(parts, [0, 2])
  const flat = pen.reshape(sums, [elementCount(sums.shape)])
  return factor === 1 ? flat : pen.multiply(flat, pen.number(factor))
}
