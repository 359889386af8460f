import {
  distillationObjectiveSchema,
  targetLength,
  type DistillationLoss,
} from '#shared/domain/distillation/objective.ts'
import type { LossConfig } from '#shared/domain/training/config.ts'
import { float32 } from '../../graph/tensor.ts'
import { int } from '../../graph/types.ts'
import { writeLoss } from '../losses.ts'
import { between, type Sketch } from './sketch.ts'
import type { CaseTable, Drawing } from './types.ts'

const [rows, classes] = [4, 3]
const hard = [1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]
/** As mixup and cutmix make them. */
const soft = [0.7, 0.3, 0, 0, 0.5, 0.5, 0.2, 0.2, 0.6, 1, 0, 0]
const equal = [1, 1, 1, 1]

interface Targets {
  targets?: readonly number[]
  weights?: readonly number[]
}

const lossOf = (
  s: Sketch,
  config: LossConfig,
  logits: string,
  { targets = hard, weights = equal }: Targets = {},
): string =>
  writeLoss(config, {
    builder: s.builder,
    logits,
    targets: s.given('targets', float32([weights.length, classes], targets)),
    rowWeights: s.given('row weights', float32([weights.length], weights)),
    classes,
  }).loss

const loss =
  (config: LossConfig, targets?: Targets): Drawing =>
  (s) =>
    lossOf(s, config, s.value('logits', [targets?.weights?.length ?? rows, classes], between(-3, 3)), targets)

const crossEntropy: LossConfig = { kind: 'cross-entropy', labelSmoothing: 0 }
const smoothed: LossConfig = { kind: 'cross-entropy', labelSmoothing: 0.1 }
const hinge: LossConfig = { kind: 'hinge', margin: 1, squared: false }
const squaredHinge: LossConfig = { ...hinge, squared: true }

/** Targets drawn: features of any size, probabilities, and labels on the first two rows only. */
const distillation =
  (
    featureLength: number,
    ofClasses: number,
    objective: Parameters<typeof distillationObjectiveSchema.parse>[0] = {},
  ): Drawing =>
  (s) => {
    const config: DistillationLoss = {
      ...distillationObjectiveSchema.parse(objective),
      ...{ kind: 'distillation', featureLength, classes: ofClasses },
    }
    const targets = Array.from({ length: 3 }, (_, row) => [
      ...Array.from({ length: featureLength }, (_, k) => Math.sin(5 * row + 2 * k + 1)),
      ...Array.from({ length: ofClasses }, (_, k) => (k === row ? 0.6 : 0.4 / (ofClasses - 1))),
      ...Array.from({ length: ofClasses }, (_, k) => (row < 2 && k === row ? 1 : 0)),
    ])
    return writeLoss(config, {
      builder: s.builder,
      logits: s.value('student', [3, featureLength + ofClasses], between(-2, 2)),
      targets: s.given('targets', float32([3, targetLength(config)], targets.flat())),
      rowWeights: s.given('row weights', float32([3], [1, 0.5, 1])),
      classes: featureLength + ofClasses,
    }).loss
  }

export const lossCases: CaseTable = {
  'Cross-entropy': loss(crossEntropy),
  'Cross-entropy with label smoothing': loss(smoothed),
  'Cross-entropy with soft targets': loss(crossEntropy, { targets: soft }),
  'Cross-entropy with soft targets, smoothed': loss(smoothed, { targets: soft }),
  'Cross-entropy with class weights': loss(crossEntropy, { weights: [0.5, 2, 1.5, 1] }),
  'Cross-entropy, last batch filled up': loss(smoothed, { weights: [1, 1, 0, 0] }),
  'Cross-entropy, batch of one': loss(crossEntropy, { targets: [0, 1, 0], weights: [1] }),
  'Cross-entropy, all rows of weight 0': loss(crossEntropy, { weights: [0, 0, 0, 0] }),
  'Cross-entropy of large logits': (s) =>
    lossOf(s, crossEntropy, s.value('logits', [rows, classes], between(-60, 60))),
  'Multi-class hinge (SVM)': loss(hinge),
  'Multi-class hinge, squared': loss(squaredHinge),
  'Multi-class hinge with soft targets': loss(hinge, { targets: soft, weights: [1, 2, 0.5, 0] }),
  'Distillation of features, angle': distillation(5, 0),
  'Distillation of features, distance': distillation(5, 0, { features: 'l2' }),
  'Distillation of features, softened answers and labels': distillation(4, 3),
  'Distillation of answers alone, without softening': distillation(0, 3, { temperature: 1 }),
}

/** A linear classifier whose weights are penalised. */
const penalisedBy =
  (penalty: (s: Sketch, w: string) => string): Drawing =>
  (s) => {
    const w = s.value('w', [classes, 5])
    const logits = s.op('Gemm', [s.value('x', [rows, 5]), w], { transB: int(1) })
    return s.sum(lossOf(s, crossEntropy, logits), penalty(s, w))
  }

const absolute = (s: Sketch, w: string): string =>
  s.op('Mul', [s.total(s.op('Abs', [w])), s.constant([], [0.1])])
const squares = (s: Sketch, w: string): string =>
  s.op('Mul', [s.total(s.op('Mul', [w, w])), s.constant([], [0.5 * 0.2])])

export const regulariserCases: CaseTable = {
  'L1 penalty': penalisedBy(absolute),
  'L2 penalty': penalisedBy(squares),
  'L1 and L2 penalties': penalisedBy((s, w) => s.sum(absolute(s, w), squares(s, w))),
  'L1 penalty at zero': (s) => absolute(s, s.value('w', [3], [0, 1, -2])),
  /** Norms of rows, which drive whole filters to zero (Yuan & Lin 2006). */
  'Penalty on the norms of filters': penalisedBy((s, w) => s.total(s.op('ReduceL2', [w, s.list(1)]))),
  'Dropout with its mask': (s) => {
    const x = s.op('Relu', [s.value('x', [2, 3, 2, 2])])
    const kept = s.given('mask', float32([2, 3, 1, 1], [2, 0, 2, 0, 2, 2]))
    return s.op('GlobalAveragePool', [s.op('Mul', [x, kept])])
  },
}
