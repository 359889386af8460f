import { KestrelError } from '#shared/errors/index.ts'
import type { LoweringOperator, TrainingOperator } from '../../graph/training-operators.ts'
import type { Node } from '../../graph/types.ts'
import { convInputGradient, convWeightGradient } from './convolution.ts'
import { gatherGradient } from './gather.ts'
import { plainMaps, type Maps } from './maps.ts'
import type { Value } from './layouts.ts'
import * as normalisation from './normalisation.ts'
import type { LoweringPen, LoweringRule } from './pen.ts'
import * as pooling from './pooling.ts'
import { mapWindow } from './window.ts'

const onMaps =
  (rule: (pen: LoweringPen, maps: Maps) => (Value | null)[]): LoweringRule =>
  (pen) =>
    rule(pen, plainMaps(pen))

/** Places of dropout that no training step has given a mask do nothing. */
const dropout: LoweringRule = (pen) => [pen.input(0)]

/** Training operators as operators that every engine for ONNX has. */
const standardRules: Readonly<Record<TrainingOperator | LoweringOperator, LoweringRule>> = {
  ConvInputGradient: convInputGradient,
  ConvWeightGradient: convWeightGradient,
  MaxPoolGradient: onMaps(pooling.maxPoolGradient),
  AveragePoolGradient: onMaps(pooling.averagePoolGradient),
  BatchNormalizationTraining: onMaps(normalisation.batchNormalizationTraining),
  BatchNormalizationGradient: onMaps(normalisation.batchNormalizationGradient),
  BatchStatistics: onMaps(normalisation.batchStatistics),
  PooledNormalizationGradient: onMaps((pen, maps) =>
    normalisation.pooledNormalizationGradient(pen, maps, mapWindow(pen.node)),
  ),
  GatherGradient: gatherGradient,
  Dropout: dropout,
}

/** @throws KestrelError `operator-unsupported` for a training operator that nobody has written a lowering for. */
export function standardRuleFor({ op }: Node): LoweringRule {
  if (!Object.hasOwn(standardRules, op))
    throw new KestrelError('operator-unsupported', `There is no way to compute "${op}" on this device.`)
  return standardRules[op as TrainingOperator]
}
