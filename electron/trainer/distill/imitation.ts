import { createRandom } from '#shared/domain/random.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { producers } from '../graph/edit.ts'
import { float32, toFloat32 } from '../graph/tensor.ts'
import type { Graph, Node, Tensor } from '../graph/types.ts'
import { denseFans, drawWeights } from '../models/layers/initialisers.ts'
import type { Network } from '../models/network.ts'

/**
 * Lets the last layer of a classifier say, in front of the classes, what its teacher's features are: the layers below learn
 * both at once. Its rows for the classes stay as they are; those of the imitation begin at random.
 * @param columns numbers the teacher's features have; 0 changes nothing
 */
export function withImitation(network: Network, columns: number, seed: number): Network {
  if (columns === 0) return network
  const { weight, bias } = lastLayer(network.graph)
  const { initialisers } = network.graph
  const [classes = 0, length = 0] = initialisers.get(weight)!.shape
  const drawn = drawWeights(
    'lecun-normal',
    columns * length,
    denseFans(length, columns),
    createRandom(seed, 'imitation'),
  )
  const wider = new Map<string, Tensor>([[weight, below(drawn, initialisers.get(weight)!, [length])]])
  if (bias !== null) wider.set(bias, below(new Float32Array(columns), initialisers.get(bias)!, []))
  return {
    ...network,
    graph: withLastLayer(network.graph, wider, columns + classes),
    parameters: network.parameters.map((each) => ({
      ...each,
      shape: wider.get(each.name)?.shape ?? each.shape,
    })),
  }
}

/** The classifier alone again. @param columns as in {@link withImitation} */
export function withoutImitation(graph: Graph, columns: number): Graph {
  if (columns === 0) return graph
  const { weight, bias } = lastLayer(graph)
  const narrow = (name: string): [string, Tensor] => {
    const value = graph.initialisers.get(name)!
    const [rows = 0, ...rest] = value.shape
    const row = rest.reduce((product, size) => product * size, 1)
    return [name, float32([rows - columns, ...rest], toFloat32(value).slice(columns * row))]
  }
  const kept = new Map([narrow(weight), ...(bias === null ? [] : [narrow(bias)])])
  return withLastLayer(graph, kept, kept.get(weight)!.shape[0]!)
}

/** Rows in front of those of a tensor. */
function below(rows: Float32Array, value: Tensor, rest: readonly number[]): Tensor {
  const own = toFloat32(value)
  const all = new Float32Array(rows.length + own.length)
  all.set(rows)
  all.set(own, rows.length)
  return float32([all.length / rest.reduce((product, size) => product * size, 1), ...rest], all)
}

/** @throws KestrelError `internal` when the network does not end in a dense layer. */
function lastLayer(graph: Graph): { weight: string; bias: string | null } {
  const last: Node | undefined = producers(graph).get(graph.outputs[0]!.name)
  const turned = last?.attributes['transB']
  const [, weight, bias] = last?.inputs ?? []
  if (last?.op !== 'Gemm' || turned?.kind !== 'int' || turned.value !== 1 || !graph.initialisers.has(weight!))
    throw new KestrelError('internal', 'A student ends in a dense layer.')
  return { weight: weight!, bias: bias || null }
}

function withLastLayer(graph: Graph, numbers: ReadonlyMap<string, Tensor>, columns: number): Graph {
  return {
    ...graph,
    initialisers: new Map([...graph.initialisers, ...numbers]),
    outputs: graph.outputs.map((info) => ({ ...info, shape: [info.shape?.[0] ?? 'batch', columns] })),
  }
}
