import type { TrainingOperator } from '../../graph/training-operators.ts'
import { convInputGradient, convWeightGradient } from './convolution.ts'
import { gatherGradient } from './gather.ts'
import { batchNormalizationGradient, batchNormalizationTraining } from './normalisation.ts'
import type { LoweringRule } from './pen.ts'
import { averagePoolGradient, maxPoolGradient } from './pooling.ts'

/** Places of dropout that no training step has given a mask to do nothing. */
const dropout: LoweringRule = (pen) => [pen.input(0).name]

/** Training operators as operators that every engine for ONNX has. */
export const standardRules: Readonly<Record<TrainingOperator, LoweringRule>> = {
  ConvInputGradient: convInputGradient,
  ConvWeightGradient: convWeightGradient,
  MaxPoolGradient: maxPoolGradient,
  AveragePoolGradient: averagePoolGradient,
  BatchNormalizationTraining: batchNormalizationTraining,
  BatchNormalizationGradient: batchNormalizationGradient,
  GatherGradient: gatherGradient,
  Dropout: dropout,
}
