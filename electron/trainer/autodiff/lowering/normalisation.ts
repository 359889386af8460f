import { floatAttribute } from '../../graph/types.ts'
import type { Value } from './layouts.ts'
import { valuesPerChannel, type Maps } from './maps.ts'
import type { LoweringPen } from './pen.ts'
import { maxPoolShares } from './pooling.ts'
import type { MapWindow } from './window.ts'

/** `kestrel::BatchStatistics`: x → mean, variance (biased). */
export function batchStatistics(pen: LoweringPen, maps: Maps): Value[] {
  const x = maps.input(0)
  const mean = pen.divide(maps.sumPerChannel(x), pen.number(valuesPerChannel(x)))
  return [mean, maps.variance(x, mean)]
}

/**
 * y = γ · (x − μ) / √(σ² + ε) + β with the statistics of the batch (Ioffe & Szegedy, "Batch Normalization", algorithm 1),
 * as one scale and one offset per channel.
 */
export function batchNormalizationTraining(pen: LoweringPen, maps: Maps): Value[] {
  const [mean, variance] = batchStatistics(pen, maps) as [Value, Value]
  return [normalised(pen, maps, pen.input(1), pen.input(2), mean, variance), mean, variance]
}

/** ONNX's `BatchNormalization` with statistics that are there already. */
export const batchNormalization = (pen: LoweringPen, maps: Maps): Value[] => [
  normalised(pen, maps, pen.input(1), pen.input(2), pen.input(3), pen.input(4)),
]

function normalised(
  pen: LoweringPen,
  maps: Maps,
  gamma: Value,
  beta: Value,
  mean: Value,
  variance: Value,
): Value {
  const scale = pen.multiply(gamma, inverseDeviation(pen, variance))
  return maps.affine(maps.input(0), scale, pen.subtract(beta, pen.multiply(mean, scale)))
}

/** Inputs x, γ, μ, σ², dy. */
export function batchNormalizationGradient(pen: LoweringPen, maps: Maps): (Value | null)[] {
  const [x, dy] = [maps.input(0), maps.input(4)]
  const dbeta = maps.sumPerChannel(dy)
  const { dgamma, a, b, c } = gradientPerChannel(pen, dbeta, maps.dotPerChannel(dy, x), valuesPerChannel(x))
  if (!pen.wants(0)) return [null, dgamma, dbeta]
  return [maps.affine(x, b, c, maps.affine(dy, a, null)), dgamma, dbeta]
}

/**
 * `kestrel::PooledNormalizationGradient`: a batch normalisation behind a maximum pooling. Inputs x, γ, μ, σ², dy, the
 * maxima of x, and the sign that x and γ have been multiplied with (`../peepholes/pooled-normalisation.ts`). A window
 * hands all of its gradient to its maximum, so the sums over the map are sums over the windows.
 */
export function pooledNormalizationGradient(
  pen: LoweringPen,
  maps: Maps,
  window: MapWindow,
): (Value | null)[] {
  const [x, dy, maxima, sign] = [maps.input(0), maps.input(4), maps.input(5), pen.input(6)]
  const dbeta = maps.sumPerChannel(dy)
  const correlation = maps.dotPerChannel(dy, maxima)
  const { dgamma, a, b, c } = gradientPerChannel(pen, dbeta, correlation, valuesPerChannel(x))
  const signed = (value: Value): Value => pen.multiply(value, sign)
  if (!pen.wants(0)) return [null, signed(dgamma), dbeta]
  const shares = maxPoolShares(pen, maps, { x, y: maxima, dy: maps.affine(dy, signed(a), null) }, window)
  return [maps.affine(x, signed(b), signed(c), shares), signed(dgamma), dbeta]
}

/**
 * The chain rule through the statistics (Ioffe & Szegedy, section 3), gathered into dx = a · dy + b · x + c per channel:
 * with r = 1/√(σ² + ε), dγ = r · (Σ dy·x − μ · dβ), a = γ · r, b = −a · r · dγ / n, c = −a · dβ / n − b · μ.
 */
function gradientPerChannel(
  pen: LoweringPen,
  dbeta: Value,
  correlation: Value,
  count: number,
): { dgamma: Value; a: Value; b: Value; c: Value } {
  const [gamma, mean, variance] = [pen.input(1), pen.input(2), pen.input(3)]
  const inverse = inverseDeviation(pen, variance)
  const dgamma = pen.multiply(pen.subtract(correlation, pen.multiply(mean, dbeta)), inverse)
  const a = pen.multiply(gamma, inverse)
  const share = pen.divide(a, pen.number(-count))
  const b = pen.multiply(pen.multiply(share, inverse), dgamma)
  const c = pen.subtract(pen.multiply(share, dbeta), pen.multiply(b, mean))
  return { dgamma, a, b, c }
}

/** 1/√(σ² + ε). */
function inverseDeviation(pen: LoweringPen, variance: Value): Value {
  const guarded = pen.add(variance, pen.number(floatAttribute(pen.node, 'epsilon', 1e-5)))
  return pen.each('Reciprocal', [pen.each('Sqrt', [guarded], guarded)], guarded)
}
