import type { GraphBuilder } from '../graph/builder.ts'
import { int } from '../graph/types.ts'
import { Pens } from './pens.ts'

/**
 * Adds what coupled penalties hand to the gradient: λ₁·sign(w) for λ₁·Σ|w| and λ₂·w for ½·λ₂·Σw².
 * @param place flat vectors of one length.
 */
export function penalised(
  builder: GraphBuilder,
  place: { gradient: string; parameters: string; l1: number; l2: number },
): string {
  const { parameters, l1, l2 } = place
  const pens = new Pens(builder, 'penalty')
  let value = place.gradient
  if (l2 > 0) value = pens.op('Add', [value, pens.op('Mul', [parameters, l2])])
  if (l1 > 0) value = pens.op('Add', [value, pens.op('Mul', [pens.op('Sign', [parameters]), l1])])
  return value
}

/**
 * What the penalties add to the loss: λ₁·Σ|w| + ½·λ₂·Σw², [].
 * @param place a flat vector.
 */
export function penalty(
  builder: GraphBuilder,
  { parameters, l1, l2 }: { parameters: string; l1: number; l2: number },
): string {
  const pens = new Pens(builder, 'penalty')
  const absolute = overall(pens, 'ReduceL1', parameters)
  const squares = overall(pens, 'ReduceSumSquare', parameters)
  return pens.op('Add', [pens.op('Mul', [absolute, l1]), pens.op('Mul', [squares, l2 / 2])])
}

/**
 * Scales gradients down together so that their common Euclidean norm is at most `limit` (Pascanu et al. 2013,
 * algorithm 1): g · min(1, limit ÷ ‖g‖), with neither PyTorch's 1e-6 in the divisor nor a rounding where nothing is to
 * be clipped. An explosion is what clipping is for, so its squares must not overflow: they are taken of what is left after
 * division by the largest component. Zeros stay zeros; what is not finite stays so, and the norm says it.
 * @param gradients flat vectors.
 * @param limit null: they stay as they are, only the norm is computed (and overflows from about 1.8e19 on, in 32 bits).
 * @returns the gradients and their norm before clipping, [].
 */
export function clipByGlobalNorm(
  builder: GraphBuilder,
  gradients: readonly string[],
  limit: number | null,
): { gradients: string[]; norm: string } {
  const pens = new Pens(builder, 'norm')
  if (limit === null)
    return { gradients: [...gradients], norm: pens.op('Sqrt', [squareSum(pens, gradients)]) }
  const ends = gradients.flatMap((gradient) => [
    overall(pens, 'ReduceMax', gradient),
    pens.op('Neg', [overall(pens, 'ReduceMin', gradient)]),
  ])
  // Not 0, which would be divided by.
  const largest = pens.op('Max', [...ends, SMALLEST])
  const scaled = gradients.map((gradient) => pens.op('Div', [gradient, largest]))
  const root = pens.op('Sqrt', [squareSum(pens, scaled)])
  const factor = pens.op('Min', [1, pens.op('Div', [pens.op('Div', [limit, largest]), root])])
  return {
    gradients: gradients.map((gradient) => pens.op('Mul', [gradient, factor])),
    norm: pens.op('Mul', [largest, root]),
  }
}

/** The smallest 32-bit number with full precision. */
const SMALLEST = 2 ** -126

const overall = (pens: Pens, reduction: string, value: string): string =>
  pens.op(reduction, [value, pens.integers([0])], { keepdims: int(0) })

function squareSum(pens: Pens, values: readonly string[]): string {
  const squares = values.map((value) => overall(pens, 'ReduceSumSquare', value))
  return squares.length === 1 ? squares[0]! : pens.op('Sum', squares)
}

/**
 * Exponential moving average: decay · average + (1 − decay) · parameters.
 * @param place vectors of one length; `decay` is the name of a value of shape [].
 */
export function averaged(
  builder: GraphBuilder,
  place: { average: string; parameters: string; decay: string },
): string {
  const { average, parameters, decay } = place
  const pens = new Pens(builder, 'average')
  // average + (1 − decay) · (parameters − average): exact where both are equal.
  const share = pens.op('Sub', [1, decay])
  return pens.op('Add', [average, pens.op('Mul', [pens.op('Sub', [parameters, average]), share])])
}
