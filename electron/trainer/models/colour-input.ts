import { GraphBuilder } from '../graph/builder.ts'
import { float32 } from '../graph/tensor.ts'
import { ints } from '../graph/types.ts'
import type { Network } from './network.ts'

/** Shares of red, green and blue in the brightness of a picture (ITU-R BT.601). */
export const luma = [0.299, 0.587, 0.114] as const

/**
 * Lets a network for grey pictures (`input` [batch, 1, height, width]) take colour ones ([batch, 3, height, width]): their
 * brightness is its first, constant layer, so that it is part of what is exported. Other networks stay as they are.
 */
export function takingColour(network: Network): Network {
  const [input] = network.graph.inputs
  if (input?.shape?.[1] !== 1) return network
  const { graph } = network
  const builder = new GraphBuilder(graph.name, graph.opsets)
  const picture = builder.input({ ...input, shape: [input.shape[0]!, 3, ...input.shape.slice(2)] })
  const shares = builder.constant('grey/shares', float32([1, 3, 1, 1], luma))
  const grey = builder.node('Conv', [picture, shares], { kernel_shape: ints([1, 1]) }, 'grey/picture')
  const inside = builder.embed(graph, new Map([[input.name, grey]]))
  for (const info of graph.outputs) builder.output(inside(info.name), info)
  return {
    graph: builder.build(),
    parameters: network.parameters.map((each) => ({ ...each, name: inside(each.name) })),
    statistics: network.statistics.map(({ mean, variance, output }) => ({
      mean: inside(mean),
      variance: inside(variance),
      output: inside(output),
    })),
  }
}
