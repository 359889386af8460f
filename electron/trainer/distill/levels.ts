import type { NetworkSpec } from '#shared/domain/network/index.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { inferShapes } from '../graph/infer/index.ts'
import { int } from '../graph/types.ts'
import type { Graph } from '../graph/types.ts'

/** How many of the last stages give features besides the last layer. */
const STAGES = 2

/**
 * Features of several levels: what the last stages of a student hold, averaged over the picture, in front of its own
 * features. The last layer has learned what things are; a stage before it still knows what they are made of, which is what
 * surfaces, materials and unfamiliar pictures are told apart by (Hariharan et al. 2015, "hypercolumns").
 * @param backbone `input` → `features`, of a network built from the description, its values still under their names
 * @throws KestrelError `internal` when a stage is not found in it
 */
export function withEarlierLevels(
  backbone: Graph,
  spec: NetworkSpec,
): { graph: Graph; featureLength: number } {
  const shapes = inferShapes(backbone)
  const builder = new GraphBuilder(backbone.name, backbone.opsets)
  const input = builder.input(backbone.inputs[0]!)
  const inside = builder.embed(backbone, new Map([[backbone.inputs[0]!.name, input]]))
  const levels = stageEnds(spec)
    .slice(-STAGES)
    .map((value) => {
      const channels = shapes.get(value)?.shape?.[1]
      if (typeof channels !== 'number')
        throw new KestrelError('internal', `The student has no value "${value}".`)
      const pooled = builder.node('GlobalAveragePool', [inside(value)], {}, `${value}/pool`)
      return { channels, features: builder.node('Flatten', [pooled], { axis: int(1) }, `${value}/features`) }
    })
  const own = backbone.outputs[0]!
  const featureLength = levels.reduce((sum, { channels }) => sum + channels, Number(own.shape![1]))
  const all = [...levels.map(({ features }) => features), inside(own.name)]
  builder.output(builder.node('Concat', all, { axis: int(1) }, 'levels'), {
    ...{ name: 'features', type: 'float32' },
    shape: ['batch', featureLength],
  })
  return { graph: builder.build(), featureLength }
}

/** Names of the values in which the stages of residual blocks end: before the maps are halved, or something else follows. */
export function stageEnds({ layers }: NetworkSpec): string[] {
  return layers.flatMap((layer, index) => {
    if (layer.type !== 'activation' || layers[index - 1]?.type !== 'residual') return []
    const next = layers[index + 1]
    const [first] = next?.type === 'residual' ? next.layers : []
    const goesOn = first !== undefined && !('stride' in first && first.stride > 1)
    return goesOn ? [] : [`${index + 1}_activation`]
  })
}
