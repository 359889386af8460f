import type { DistillationLoss } from '#shared/domain/distillation/objective.ts'
import type { LossConfig } from '#shared/domain/training/config.ts'
import type { GraphBuilder } from '../graph/builder.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import { int } from '../graph/types.ts'
import { distillationAgreement, distillationRows } from './distillation-loss.ts'

/** What a step makes small: a loss that people choose, or how far a student is from its teacher. */
export type StepLoss = LossConfig | DistillationLoss

/** Names of values, all float32. */
export interface LossPlace {
  builder: GraphBuilder
  /** [batch, classes] */
  logits: string
  /** [batch, classes], rows sum to 1; soft targets are welcome. */
  targets: string
  /** [batch]: rows of weight 0 count for nothing; class weights enter here. */
  rowWeights: string
  classes: number
}

/**
 * The loss: one number, the mean over rows by their weights; and how many rows of a weight have their class on top (for a
 * student of features alone: the sum of its cosines to the teacher).
 */
export interface LossValues {
  loss: string
  correct: string
}

/** Writes a loss down. Every operator in it has a gradient rule. */
export function writeLoss(config: StepLoss, place: LossPlace): LossValues {
  const perRow = rowsLoss(config, place)
  const { builder, rowWeights } = place
  const rows = builder.constant('loss/rows', int64s([0]))
  const whole = { keepdims: int(0) }
  const weighted = builder.node('Mul', [perRow, rowWeights], {}, 'loss/weighted')
  const total = builder.node('ReduceSum', [weighted, rows], whole, 'loss/total')
  const weight = builder.node('ReduceSum', [rowWeights, rows], whole, 'loss/weight')
  // A batch whose rows all weigh nothing has the loss 0, not 0 ÷ 0.
  const divisor = builder.node(
    'Max',
    [weight, builder.constant('loss/least', scalar(1e-12))],
    {},
    'loss/divisor',
  )
  return { loss: builder.node('Div', [total, divisor], {}, 'loss/mean'), correct: correctIn(config, place) }
}

function rowsLoss(config: StepLoss, place: LossPlace): string {
  if (config.kind === 'distillation') return distillationRows(config, place)
  return config.kind === 'cross-entropy' ? crossEntropy(place, config.labelSmoothing) : hinge(place, config)
}

function correctIn(config: StepLoss, place: LossPlace): string {
  if (config.kind !== 'distillation') return countCorrect(place)
  const agreement = distillationAgreement(config, place)
  return 'rows' in agreement ? sumCounted(place, agreement.rows) : countCorrect({ ...place, ...agreement })
}

/**
 * −Σₖ tₖ·log pₖ per row, [batch], from logits by way of LogSoftmax, which does not overflow. With label smoothing ε the
 * targets are (1 − ε)·t + ε ÷ classes (Szegedy et al. 2016, section 7).
 */
function crossEntropy({ builder, logits, targets, classes }: LossPlace, smoothing: number): string {
  const columns = builder.constant('loss/columns', int64s([1]))
  const logs = builder.node('LogSoftmax', [logits], { axis: int(1) }, 'loss/log_probabilities')
  const number = (value: number): string => builder.constant('loss/number', scalar(value))
  const goal =
    smoothing === 0
      ? targets
      : builder.node(
          'Add',
          [
            builder.node('Mul', [targets, number(1 - smoothing)], {}, 'loss/kept'),
            number(smoothing / classes),
          ],
          {},
          'loss/smoothed',
        )
  const products = builder.node('Mul', [goal, logs], {}, 'loss/products')
  return builder.node(
    'Neg',
    [builder.node('ReduceSum', [products, columns], { keepdims: int(0) }, 'loss/sums')],
    {},
    'loss/rows_loss',
  )
}

/**
 * Σ_{k ≠ y} max(0, sₖ − s_y + margin) per row, [batch] (Weston & Watkins 1999; as the textbook's "multiclass SVM loss"; `squared`
 * squares each term). PyTorch's `MultiMarginLoss` is this divided by the number of classes. With soft targets the
 * score of the truth is the expected one, and each other class counts by how little it is meant: (1 − tₖ).
 */
function hinge(
  { builder, logits, targets }: LossPlace,
  { margin, squared }: { margin: number; squared: boolean },
): string {
  const columns = builder.constant('loss/columns', int64s([1]))
  const truth = builder.node(
    'ReduceSum',
    [builder.node('Mul', [logits, targets], {}, 'loss/picked'), columns],
    { keepdims: int(1) },
    'loss/truth',
  )
  const ahead = builder.node('Sub', [logits, truth], {}, 'loss/ahead')
  const late = builder.node(
    'Relu',
    [builder.node('Add', [ahead, builder.constant('loss/margin', scalar(margin))], {}, 'loss/shifted')],
    {},
    'loss/late',
  )
  const cost = squared ? builder.node('Mul', [late, late], {}, 'loss/squared') : late
  const others = builder.node('Sub', [builder.constant('loss/one', scalar(1)), targets], {}, 'loss/others')
  return builder.node(
    'ReduceSum',
    [builder.node('Mul', [cost, others], {}, 'loss/counted'), columns],
    { keepdims: int(0) },
    'loss/rows_loss',
  )
}

/**
 * Rows whose most meant class has the highest logit. Of equal logits the first is the answer, as everywhere in Kestrel: a
 * network that says the same for every class is right by chance, not always. Rows of weight 0 are left out.
 */
function countCorrect(place: LossPlace): string {
  const { builder, logits, targets } = place
  const top = { axis: int(1), keepdims: int(0) }
  const meant = builder.node('ArgMax', [targets], top, 'correct/meant')
  const answer = builder.node('ArgMax', [logits], top, 'correct/answer')
  return sumCounted(place, mask(place, builder.node('Equal', [answer, meant], {}, 'correct/right')))
}

/** Sum over the rows of a weight. */
function sumCounted(place: LossPlace, rows: string): string {
  const { builder, rowWeights } = place
  const counts = mask(
    place,
    builder.node('Greater', [rowWeights, builder.constant('correct/zero', scalar(0))], {}, 'correct/weighs'),
  )
  return builder.node(
    'ReduceSum',
    [
      builder.node('Mul', [rows, counts], {}, 'correct/counted'),
      builder.constant('correct/rows', int64s([0])),
    ],
    { keepdims: int(0) },
    'correct/count',
  )
}

/** 1 where a condition holds, else 0. */
const mask = ({ builder }: LossPlace, condition: string): string =>
  builder.node('Cast', [condition], { to: int(1) }, 'correct/mask')
