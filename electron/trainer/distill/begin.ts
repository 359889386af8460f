import { KestrelError } from '#shared/errors/index.ts'
import { toFloat32, float32 } from '../graph/tensor.ts'
import type { Graph, Tensor } from '../graph/types.ts'
import type { Network } from '../models/network.ts'

/**
 * A student that goes on learning where an earlier one of the same form stands; pictures may have become larger.
 * @param earlier a whole student, the imitating layer still on top, its numbers under their names
 * @throws KestrelError `bad-request` when it is of another form
 */
export function beginAs(network: Network, earlier: Graph): Network {
  const initialisers = new Map<string, Tensor>(network.graph.initialisers)
  const names = [
    ...network.parameters.map(({ name }) => name),
    ...network.statistics.flatMap(({ mean, variance }) => [mean, variance]),
  ]
  for (const name of names) {
    const { shape } = initialisers.get(name)!
    const known = earlier.initialisers.get(name)
    if (known === undefined || known.shape.join() !== shape.join())
      throw new KestrelError('bad-request', 'The student to begin as is another network than this one.', {
        kept: 'Nothing was changed.',
        remedy: 'Name the same --student and --teacher as when it was made.',
      })
    initialisers.set(name, float32(shape, toFloat32(known).slice()))
  }
  return { ...network, graph: { ...network.graph, initialisers } }
}
