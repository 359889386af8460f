import type { GraphBuilder } from '../graph/builder.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import { int } from '../graph/types.ts'

/**
 * Adds what coupled penalties hand to the gradient: λ₁·sign(w) for λ₁·Σ|w| and λ₂·w for ½·λ₂·Σw².
 * @param place flat vectors of one length.
 */
export function penalised(
  builder: GraphBuilder,
  place: { gradient: string; parameters: string; l1: number; l2: number },
): string {
  const { parameters, l1, l2 } = place
  const number = (value: number): string => builder.constant('penalty/strength', scalar(value))
  let value = place.gradient
  if (l2 > 0)
    value = builder.node('Add', [value, builder.node('Mul', [parameters, number(l2)])], {}, 'penalty/l2')
  if (l1 > 0) {
    const signs = builder.node('Sign', [parameters], {}, 'penalty/signs')
    value = builder.node('Add', [value, builder.node('Mul', [signs, number(l1)])], {}, 'penalty/l1')
  }
  return value
}

/**
 * Scales gradients down together so that their common Euclidean norm is at most `limit` (Pascanu et al. 2013).
 * @param gradients flat vectors.
 * @param limit null: they stay as they are, only the norm is computed.
 * @returns the gradients and their norm before clipping, [].
 */
export function clipByGlobalNorm(
  builder: GraphBuilder,
  gradients: readonly string[],
  limit: number | null,
): { gradients: string[]; norm: string } {
  const axes = builder.constant('norm/axes', int64s([0]))
  const squares = gradients.map((gradient) =>
    builder.node('ReduceSumSquare', [gradient, axes], { keepdims: int(0) }, 'norm/squares'),
  )
  const total = squares.length === 1 ? squares[0]! : builder.node('Sum', squares, {}, 'norm/total')
  const norm = builder.node('Sqrt', [total], {}, 'norm/norm')
  if (limit === null) return { gradients: [...gradients], norm }
  const largest = builder.constant('norm/limit', scalar(limit))
  // limit ÷ max(norm, limit): exactly 1 where nothing is to be clipped.
  const factor = builder.node(
    'Div',
    [largest, builder.node('Max', [norm, largest], {}, 'norm/larger')],
    {},
    'norm/factor',
  )
  return {
    gradients: gradients.map((gradient) => builder.node('Mul', [gradient, factor], {}, 'norm/clipped')),
    norm,
  }
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
  // average + (1 − decay) · (parameters − average): exact where both are equal.
  const step = builder.node('Sub', [parameters, average], {}, 'average/step')
  const share = builder.node('Sub', [builder.constant('average/one', scalar(1)), decay], {}, 'average/share')
  return builder.node(
    'Add',
    [average, builder.node('Mul', [step, share], {}, 'average/part')],
    {},
    'average/next',
  )
}
