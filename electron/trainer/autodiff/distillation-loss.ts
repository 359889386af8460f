import type { DistillationLoss } from '#shared/domain/distillation/objective.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { int64s, scalar } from '../graph/tensor.ts'
import { int } from '../graph/types.ts'
import type { LossPlace } from './losses.ts'

/**
 * How far a student is from its teacher, per row, [batch]: the weighted sum of
 * - features: 1 − cos(student, teacher), or the mean of the squared differences;
 * - soft: T² · cross-entropy of softmax(student ÷ T) against the teacher's softened probabilities (Hinton et al. 2015,
 *   section 2: T² keeps its gradient as large as that of the labels at any temperature);
 * - labels: the cross-entropy against the true label; rows without one have zeros there and add nothing.
 */
export function distillationRows(loss: DistillationLoss, place: LossPlace): string {
  const { builder } = place
  const { features, soft, labels } = partsOf(loss, place)
  const { weights, temperature } = loss
  const parts: { rows: string; weight: number }[] = []
  if (features)
    parts.push({
      rows:
        loss.features === 'cosine' ? angle(place, features) : distance(place, features, loss.featureLength),
      weight: weights.features,
    })
  if (soft && labels) {
    parts.push(
      { rows: crossEntropy(place, soft, temperature), weight: weights.soft * temperature ** 2 },
      { rows: crossEntropy(place, labels, 1), weight: weights.labels },
    )
  }
  const weighted = parts
    .filter(({ weight }) => weight > 0)
    .map(({ rows, weight }) =>
      weight === 1 ? rows : builder.node('Mul', [rows, number(place, weight)], {}, 'loss/part'),
    )
  if (weighted.length === 0)
    throw new KestrelError('bad-request', 'With these weights the student would have nothing to learn.', {
      remedy: 'Leave one of the weights of a part that is there above 0.',
    })
  return weighted.reduce((sum, rows) => builder.node('Add', [sum, rows], {}, 'loss/rows_loss'))
}

/**
 * How well the student does, summed over the rows of a weight: the cosines where there are only features, else the rows
 * whose true label is on top.
 */
export function distillationAgreement(
  loss: DistillationLoss,
  place: LossPlace,
): { rows: string } | { logits: string; targets: string } {
  const { features, labels } = partsOf(loss, place)
  if (labels) return { logits: labels.given, targets: labels.wanted }
  return { rows: cosine(place, features!) }
}

interface Part {
  /** What the student gives, [batch, columns]. */
  given: string
  /** What it should give. */
  wanted: string
}

function partsOf({ featureLength, classes }: DistillationLoss, place: LossPlace) {
  const slice = (value: string, from: number, length: number): string =>
    place.builder.node(
      'Slice',
      [
        value,
        ...[[from], [from + length], [1]].map((numbers) =>
          place.builder.constant('loss/range', int64s(numbers)),
        ),
      ],
      {},
      'loss/columns_of',
    )
  const part = (given: number, wanted: number, length: number): Part | null =>
    length === 0
      ? null
      : { given: slice(place.logits, given, length), wanted: slice(place.targets, wanted, length) }
  return {
    features: part(0, 0, featureLength),
    soft: part(featureLength, featureLength, classes),
    labels: part(featureLength, featureLength + classes, classes),
  }
}

const number = ({ builder }: LossPlace, value: number): string =>
  builder.constant('loss/number', scalar(value))

const sumOf = ({ builder }: LossPlace, value: string): string =>
  builder.node(
    'ReduceSum',
    [value, builder.constant('loss/columns', int64s([1]))],
    { keepdims: int(0) },
    'loss/sums',
  )

const product = (place: LossPlace, a: string, b: string): string =>
  place.builder.node('Mul', [a, b], {}, 'loss/products')

function cosine(place: LossPlace, { given, wanted }: Part): string {
  const { builder } = place
  const lengths = product(
    place,
    sumOf(place, product(place, given, given)),
    sumOf(place, product(place, wanted, wanted)),
  )
  // A row of zeros has no direction: its cosine is 0, and so is its gradient.
  const safe = builder.node('Add', [lengths, number(place, 1e-6)], {}, 'loss/safe')
  return builder.node(
    'Div',
    [sumOf(place, product(place, given, wanted)), builder.node('Sqrt', [safe], {}, 'loss/length')],
    {},
    'loss/cosine',
  )
}

const angle = (place: LossPlace, part: Part): string =>
  place.builder.node('Sub', [number(place, 1), cosine(place, part)], {}, 'loss/angle')

function distance(place: LossPlace, { given, wanted }: Part, length: number): string {
  const apart = place.builder.node('Sub', [given, wanted], {}, 'loss/apart')
  return product(place, sumOf(place, product(place, apart, apart)), number(place, 1 / length))
}

function crossEntropy(place: LossPlace, { given, wanted }: Part, temperature: number): string {
  const { builder } = place
  const scaled =
    temperature === 1
      ? given
      : builder.node('Mul', [given, number(place, 1 / temperature)], {}, 'loss/softened')
  const logs = builder.node('LogSoftmax', [scaled], { axis: int(1) }, 'loss/log_probabilities')
  return builder.node('Neg', [sumOf(place, product(place, wanted, logs))], {}, 'loss/cross_entropy')
}
