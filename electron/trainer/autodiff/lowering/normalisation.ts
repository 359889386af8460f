import { elementCount } from '../../graph/tensor.ts'
import { floatAttribute } from '../../graph/types.ts'
import type { LoweringPen, LoweringRule, Value } from './pen.ts'

/**
 * y = γ · (x − μ) / √(σ² + ε) + β with the statistics of the batch (Ioffe & Szegedy, "Batch Normalization", algorithm 1).
 * The variance is that of the centred values: E[x²] − μ² loses all its digits where the mean is far from 0.
 */
export const batchNormalizationTraining: LoweringRule = (pen) => {
  const [x, gamma, beta] = [pen.input(0), pen.input(1), pen.input(2)]
  const count = elementCount(x.shape) / x.shape[1]!
  const mean = pen.multiply(sumPerChannel(pen, x), pen.number(1 / count))
  const centred = pen.subtract(x, perChannel(pen, mean, x))
  const variance = pen.multiply(dotPerChannel(pen, centred, centred), pen.number(1 / count))
  const factor = pen.multiply(gamma, inverseDeviation(pen, variance))
  const y = pen.add(pen.multiply(centred, perChannel(pen, factor, x)), perChannel(pen, beta, x))
  return [y.name, mean.name, variance.name]
}

/**
 * The chain rule through the statistics (the same paper, section 3), gathered into dx = a · dy + b · x + c per channel:
 * with r = 1/√(σ² + ε), a = γ · r, b = −a · r · dγ / n, c = −a · dβ / n − b · μ.
 */
export const batchNormalizationGradient: LoweringRule = (pen) => {
  const [x, gamma, mean, variance, dy] = [0, 1, 2, 3, 4].map((index) => pen.input(index)) as [
    Value,
    Value,
    Value,
    Value,
    Value,
  ]
  const count = elementCount(x.shape) / x.shape[1]!
  const inverse = inverseDeviation(pen, variance)
  const dbeta = sumPerChannel(pen, dy)
  const correlation = pen.subtract(dotPerChannel(pen, dy, x), pen.multiply(mean, dbeta))
  const dgamma = pen.multiply(correlation, inverse)
  if (!pen.wants(0)) return [null, dgamma.name, dbeta.name]
  const a = pen.multiply(gamma, inverse)
  const b = pen.multiply(pen.multiply(pen.multiply(a, inverse), dgamma), pen.number(-1 / count))
  const c = pen.subtract(pen.multiply(pen.multiply(a, dbeta), pen.number(-1 / count)), pen.multiply(b, mean))
  const dx = pen.add(
    pen.add(pen.multiply(dy, perChannel(pen, a, x)), pen.multiply(x, perChannel(pen, b, x))),
    perChannel(pen, c, x),
  )
  return [dx.name, dgamma.name, dbeta.name]
}

const inverseDeviation = (pen: LoweringPen, variance: Value): Value => {
  const guarded = pen.add(variance, pen.number(floatAttribute(pen.node, 'epsilon', 1e-5)))
  const deviation = pen.op('Sqrt', [guarded], guarded.shape)
  return pen.op('Reciprocal', [deviation], deviation.shape)
}

/** One number per channel, so that it broadcasts over `like`. */
export const perChannel = (pen: LoweringPen, value: Value, like: Value): Value =>
  pen.reshape(
    value,
    like.shape.map((size, axis) => (axis === 1 ? size : 1)),
  )

/** Σ over all axes but 1 → [channels]. */
export function sumPerChannel(pen: LoweringPen, value: Value): Value {
  const [batch, channels] = value.shape as [number, number]
  const places = elementCount(value.shape) / batch / channels
  if (places === 1) return pen.sum(pen.reshape(value, [batch, channels]), [0])
  // A product with ones: several times faster than the runtime's sum over the first and the last axis.
  const ones = pen.constant(`ones ${places}`, () => ({
    type: 'float32',
    shape: [places, 1],
    data: new Float32Array(places).fill(1),
  }))
  const rows = pen.reshape(value, [batch * channels, places])
  const sums = pen.matMul(rows, { name: ones, shape: [places, 1] })
  return pen.sum(pen.reshape(sums, [batch, channels]), [0])
}

/** Σ a · b over all axes but 1 → [channels], without writing the products down. */
export function dotPerChannel(pen: LoweringPen, a: Value, b: Value): Value {
  const [batch, channels] = a.shape as [number, number]
  const places = elementCount(a.shape) / batch / channels
  if (places === 1) return pen.sum(pen.reshape(pen.multiply(a, b), [batch, channels]), [0])
  const row = pen.reshape(a, [batch * channels, 1, places])
  const column = pen.reshape(b, [batch * channels, places, 1])
  return pen.sum(pen.reshape(pen.matMul(row, column), [batch, channels]), [0])
}
