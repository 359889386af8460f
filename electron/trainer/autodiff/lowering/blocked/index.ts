import { trainingDomain } from '../../../graph/training-operators.ts'
import { intAttribute, intsAttribute } from '../../../graph/types.ts'
import type { Node } from '../../../graph/types.ts'
import type { Shape, Value } from '../layouts.ts'
import type { Maps } from '../maps.ts'
import * as normalisation from '../normalisation.ts'
import type { LoweringPen } from '../pen.ts'
import * as pools from '../pooling.ts'
import { mapWindow, tiles } from '../window.ts'
import { convolution, convolutionInputGradient, convolutionWeightGradient } from './convolution.ts'
import { elementwise, isElementwise } from './elementwise.ts'
import { blockedMaps } from './maps.ts'
import type { BlockedPen, BlockedRule } from './pen.ts'
import { globalPooling, pooling } from './pooling.ts'
import { concatenation, reduction } from './reductions.ts'

/** A rule for maps in any layout, where the map it is about can lie in blocks. */
const onMaps =
  (
    rule: (pen: LoweringPen, maps: Maps) => (Value | null)[],
    suits: (pen: BlockedPen, shape: Shape) => boolean = () => true,
  ): BlockedRule =>
  (pen) => {
    const shape = intsAttribute(pen.node, 'input_shape') ?? pen.inputShape(0)
    return pen.blockable(shape) && pen.isBlocked(0) && suits(pen, shape) ? rule(pen, blockedMaps(pen)) : null
  }

const onTiles = (pen: BlockedPen, shape: Shape): boolean => tiles(mapWindow(pen.node), shape.slice(2))

const rules: Readonly<Record<string, BlockedRule>> = {
  Conv: convolution,
  MaxPool: pooling,
  AveragePool: pooling,
  GlobalMaxPool: globalPooling,
  GlobalAveragePool: globalPooling,
  BatchNormalization: onMaps(
    normalisation.batchNormalization,
    ({ node }) => intAttribute(node, 'training_mode', 0) === 0,
  ),
  ReduceSum: reduction,
  ReduceMean: reduction,
  Concat: concatenation,
}

const trainingRules: Readonly<Record<string, BlockedRule>> = {
  ConvInputGradient: convolutionInputGradient,
  ConvWeightGradient: convolutionWeightGradient,
  MaxPoolGradient: onMaps(pools.maxPoolGradient, onTiles),
  AveragePoolGradient: onMaps(pools.averagePoolGradient, onTiles),
  BatchNormalizationTraining: onMaps(normalisation.batchNormalizationTraining),
  BatchNormalizationGradient: onMaps(normalisation.batchNormalizationGradient),
  BatchStatistics: onMaps(normalisation.batchStatistics),
  PooledNormalizationGradient: onMaps(
    (pen, maps) => normalisation.pooledNormalizationGradient(pen, maps, mapWindow(pen.node)),
    onTiles,
  ),
}

/** How a node is computed in the runtime's own layout, if it may be. */
export function blockedRuleFor({ domain, op }: Node): BlockedRule | undefined {
  const table = domain === '' ? rules : domain === trainingDomain ? trainingRules : {}
  if (Object.hasOwn(table, op)) return table[op]
  return domain === '' && isElementwise(op) ? elementwise : undefined
}
