import { numbers, toInt64 } from '../tensor.ts'
import { trainingDomain } from '../training-operators.ts'
import type { Dimension, Graph, Node, Tensor, ValueInfo } from '../types.ts'
import { infoOf, maxContent, unknown } from './context.ts'
import type { Inferred, InferRule, NodeContext } from './context.ts'
import { elementwiseRules } from './elementwise.ts'
import { gatheringRules } from './gathering.ts'
import { layoutRules } from './layout.ts'
import { matrixRules } from './matrix.ts'
import { trainingRules } from './training.ts'
import { windowRules } from './windows.ts'

const rules: Record<string, InferRule> = {
  ...elementwiseRules,
  ...gatheringRules,
  ...layoutRules,
  ...matrixRules,
  ...windowRules,
}

const rulesOf: ReadonlyMap<string, Readonly<Record<string, InferRule>>> = new Map([
  ['', rules],
  [trainingDomain, trainingRules],
])

/** Whether the shape rule of ONNX's own operator `op` is known. */
export const knowsOperator = (op: string): boolean => Object.hasOwn(rules, op)

/**
 * Type and shape of every value, as far as the operators say. Unknown operators give unknown shapes; the rest goes on.
 * Throws `backbone-damaged` where the sizes contradict each other.
 */
export function inferShapes(graph: Graph): Map<string, ValueInfo> {
  return new Map([...inferValues(graph)].map(([name, inferred]) => [name, infoOf(name, inferred)]))
}

/** The same together with the entries of small integer values (shapes, axes, bounds) where they can be known. */
export function inferValues(graph: Graph): Map<string, Inferred> {
  const known = new Map<string, Inferred>()
  for (const input of graph.inputs) known.set(input.name, { type: input.type, shape: input.shape })
  for (const [name, value] of graph.initialisers) known.set(name, constantInfo(value))
  const opset = graph.opsets.get('') ?? 1
  for (const node of graph.nodes) {
    const results = run(node, opset, known)
    node.outputs.forEach((name, index) => {
      if (name !== '') known.set(name, results[index] ?? unknown)
    })
  }
  return known
}

function run(node: Node, opset: number, known: ReadonlyMap<string, Inferred>): Inferred[] {
  const ofDomain = rulesOf.get(node.domain)
  if (ofDomain === undefined) return []
  if (node.op === 'Constant' && node.domain === '') {
    const value = constantValue(node)
    return value === undefined ? [unknown] : [constantInfo(value)]
  }
  const rule = Object.hasOwn(ofDomain, node.op) ? ofDomain[node.op] : undefined
  if (rule === undefined) return []
  const context: NodeContext = {
    node,
    opset,
    input: (index) => known.get(node.inputs[index] ?? '') ?? unknown,
    has: (index) => (node.inputs[index] ?? '') !== '',
    integers: (index) => {
      const { content } = known.get(node.inputs[index] ?? '') ?? unknown
      return content?.every((size) => typeof size === 'number') ? content : undefined
    },
  }
  return rule(context)
}

function constantInfo(value: Tensor): Inferred {
  // Float ones are the scales of Resize, and the depth of OneHot.
  const counts = ['int64', 'int32', 'bool', 'float32'].includes(value.type)
  const content: Dimension[] | undefined =
    counts && value.data.length <= maxContent ? numbers(value) : undefined
  return { type: value.type, shape: value.shape, ...(content === undefined ? {} : { content }) }
}

/** The value of a Constant node, undefined for the forms that image networks do not use. */
export function constantValue(node: Node): Tensor | undefined {
  const {
    value,
    value_int: int,
    value_float: float,
    value_ints: ints,
    value_floats: floats,
  } = node.attributes
  if (value?.kind === 'tensor') return value.value
  if (int?.kind === 'int') return { type: 'int64', shape: [], data: BigInt64Array.of(toInt64(int.value)) }
  if (float?.kind === 'float') return { type: 'float32', shape: [], data: Float32Array.of(float.value) }
  if (ints?.kind === 'ints') {
    return { type: 'int64', shape: [ints.value.length], data: BigInt64Array.from(ints.value, toInt64) }
  }
  if (floats?.kind === 'floats') {
    return { type: 'float32', shape: [floats.value.length], data: Float32Array.from(floats.value) }
  }
  return undefined
}
