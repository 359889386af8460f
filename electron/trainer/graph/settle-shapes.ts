import { dependents, prune } from './edit.ts'
import { inferValues } from './infer/index.ts'
import { countable } from './infer/content.ts'
import type { Inferred } from './infer/context.ts'
import { elementCount, float32, tensor, toInt64 } from './tensor.ts'
import type { Graph, Tensor } from './types.ts'

/**
 * Sizes and positions that a network computes from the shape of its input, as exporters write them down, become
 * constants where they are known beforehand; a free size among them becomes the −1 that a Reshape works out itself.
 * Without such side ways a network can be cut where only its maps pass, and no gradient runs into them. What is not
 * known stays as it is.
 */
export const settleShapes = (graph: Graph): Graph => settle(graph, inferValues(graph))

/** The same for what does not depend on the input at all: amounts of padding, say, that an exporter did not work out. */
export function foldConstants(graph: Graph): Graph {
  const depends = dependents(graph)
  return settle(graph, new Map([...inferValues(graph)].filter(([name]) => !depends.has(name))))
}

function settle(graph: Graph, known: ReadonlyMap<string, Inferred>): Graph {
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
  const { type, content } = value ?? {}
  const shape = countable(value?.shape)
  if (content === undefined || shape === undefined || content.length !== elementCount(shape)) return undefined
  const free = content.filter((size) => typeof size !== 'number').length
  if (free > (isTarget ? 1 : 0) || (free === 1 && content.includes(-1))) return undefined
  const entries = content.map((size) => (typeof size === 'number' ? size : -1))
  if (!entries.every(Number.isFinite)) return undefined
  // Of the real ones only single numbers, such as the scale of an attention: lists of them may be learned.
  if (type === 'float32') return entries.length === 1 ? float32(shape, entries) : undefined
  if (type === 'int32') return tensor('int32', shape, Int32Array.from(entries))
  return type === 'int64' ? tensor('int64', shape, BigInt64Array.from(entries, toInt64)) : undefined
}
