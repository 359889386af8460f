import { elementCount, float32 } from '#trainer/graph/tensor.ts'
import type { Graph, Tensor } from '#trainer/graph/types.ts'
import type { Network } from '#trainer/models/network.ts'

/** The numbers of `tests/fixtures/architectures/make.py`: −1 … 1, from the position and a stream alone. */
export function noise(count: number, stream: number): Float32Array {
  const start = Math.imul(stream, 0x9e3779b1)
  const values = new Float32Array(count)
  for (let index = 0; index < count; index++) {
    let x = (index + start) | 0
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
    values[index] = ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1
  }
  return values
}

/** The same network with the numbers that `make.py` puts in, parameters and running statistics alike. */
export function filledWithNoise({ graph, parameters, statistics }: Network): Graph {
  const roles = new Map<string, string>(parameters.map(({ name, role }) => [name, role]))
  for (const { mean, variance } of statistics) roles.set(mean, 'mean').set(variance, 'variance')
  const matrices = new Set(graph.nodes.flatMap(({ op, inputs }) => (op === 'MatMul' ? [inputs[1]] : [])))
  let stream = 0
  const fill = (name: string, { shape }: Tensor): Tensor => {
    const values = noise(elementCount(shape), ++stream)
    const fanIn = matrices.has(name) ? shape[0]! : elementCount(shape.slice(1))
    const role = roles.get(name)
    if (role === 'weight')
      return float32(
        shape,
        values.map((value) => value * Math.sqrt(6 / fanIn)),
      )
    if (role === 'scale' || role === 'variance')
      return float32(
        shape,
        values.map((value) => 1 + value / 4),
      )
    return float32(
      shape,
      values.map((value) => value / 10),
    )
  }
  const initialisers = new Map(
    [...graph.initialisers].map(([name, value]) => [name, roles.has(name) ? fill(name, value) : value]),
  )
  return { ...graph, initialisers }
}
