import { intsAttribute } from '../types.ts'
import type { LoweringOperator, TrainingOperator } from '../training-operators.ts'
import type { InferRule } from './context.ts'

const shapeFrom =
  (attribute: string): InferRule =>
  (context) => [{ type: 'float32', shape: intsAttribute(context.node, attribute) ?? null }]

const likeInput =
  (index: number): InferRule =>
  (context) => [{ type: context.input(index).type, shape: context.input(index).shape }]

const normalise: InferRule = (context) => {
  const { type, shape } = context.input(0)
  const channels = shape === null ? null : [shape[1] ?? null]
  return [
    { type, shape },
    { type, shape: channels },
    { type, shape: channels },
  ]
}

/** Shapes of the training operators (`training-operators.ts`). */
export const trainingRules: Record<TrainingOperator | LoweringOperator, InferRule> = {
  ConvInputGradient: shapeFrom('input_shape'),
  ConvWeightGradient: shapeFrom('weight_shape'),
  MaxPoolGradient: likeInput(0),
  AveragePoolGradient: shapeFrom('input_shape'),
  BatchNormalizationTraining: normalise,
  BatchNormalizationGradient: normalise,
  BatchStatistics: (context) => normalise(context).slice(1),
  PooledNormalizationGradient: normalise,
  GatherGradient: shapeFrom('input_shape'),
  Dropout: likeInput(0),
}
