import { prune } from './edit.ts'
import { inferValues } from './infer/index.ts'
import type { Inferred } from './infer/context.ts'
import { tensor, toInt64 } from './tensor.ts'
import type { Graph, Tensor } from './types.ts'

/**
 * Sizes and positions that a network computes from the shape of its input, as exporters write them down, become
 * constants where they are known beforehand; a free size among them becomes the −1 that a Reshape works out itself.
 * Without such side ways a network can be cut where only its maps pass, and no gradient runs into them. What is not
 * known stays as it is.
 */
export function settleShapes(graph: Graph): Graph {
  const known = inferValues(graph)
  const initialisers = new Map(graph.initialisers)
  const settled = (name: string, isTarget: boolean): string => {
    if (name === '' || graph.initialisers.has(name)) return name
    const constant = `${name}/known${isTarget ? '_shape' : ''}`
    if (initialisers.has(constant)) return constant
    const value = constantOf(known.get(name), isTarget)
    if (value === undefined || known.has(constant)) return name
    initialisers.set(constant, value)
    return constant
  }
  const nodes = graph.nodes.map((node) => {
    const isReshape = node.op === 'Reshape' && node.domain === ''
    return { ...node, inputs: node.inputs.map((name, index) => settled(name, isReshape && index === 1)) }
  })
  return prune({ ...graph, nodes, initialisers })
}

function constantOf(value: Inferred | undefined, isTarget: boolean): Tensor | undefined {
  const { type, shape, content } = value ?? {}
  if (type !== 'int64' || content === undefined || !shape || shape.length > 1) return undefined
  const free = content.filter((size) => typeof size !== 'number').length
  if (free > (isTarget ? 1 : 0) || (free === 1 && content.includes(-1))) return undefined
  if (content.length !== (shape.length === 0 ? 1 : shape[0])) return undefined
  if (content.some((size) => typeof size === 'number' && !Number.isInteger(size))) return undefined
  const numbers = content.map((size) => toInt64(typeof size === 'number' ? size : -1))
  return tensor('int64', shape.length === 0 ? [] : [content.length], BigInt64Array.from(numbers))
}
