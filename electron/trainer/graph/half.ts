import { numberToHalf, tensor } from './tensor.ts'
import { int } from './types.ts'
import type { Graph, Tensor } from './types.ts'

/** Smaller constants stay as they are: nothing is gained. */
const LEAST = 64

/**
 * The same network with its weights in half precision, each widened before it is used: half the bytes, and it computes as
 * before (in 32 bits), with weights rounded to 11 significant bits. Runtimes widen once, when they load it.
 */
export function halveWeights(graph: Graph): Graph {
  const wide = [...graph.initialisers].filter(
    ([, value]) => value.type === 'float32' && value.data.length >= LEAST,
  )
  const initialisers = new Map<string, Tensor>(graph.initialisers)
  const nodes = [...graph.nodes]
  const taken = new Set([...initialisers.keys(), ...nodes.flatMap(({ outputs }) => outputs)])
  const casts = wide.map(([name, value]) => {
    let half = `${name}/half`
    while (taken.has(half)) half += '_'
    taken.add(half)
    initialisers.delete(name)
    initialisers.set(
      half,
      tensor('float16', value.shape, Uint16Array.from(value.data as Float32Array, numberToHalf)),
    )
    return {
      name: `${half}/widen`,
      op: 'Cast',
      domain: '',
      inputs: [half],
      outputs: [name],
      attributes: { to: int(1) },
    }
  })
  return { ...graph, initialisers, nodes: [...casts, ...nodes] }
}
