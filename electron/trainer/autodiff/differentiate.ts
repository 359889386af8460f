import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../graph/builder.ts'
import { broadcast } from '../graph/infer/dimensions.ts'
import type { Inferred } from '../graph/infer/context.ts'
import { constantValue, inferValues } from '../graph/infer/index.ts'
import type { DataType, Graph, Node } from '../graph/types.ts'
import { GradientContext, type GradientRule, type KnownValues } from './context.ts'
import { Pens } from './pens.ts'
import { gradientRules } from './rules/index.ts'

/**
 * Reverse-mode differentiation as a transformation of the graph (Griewank & Walther, "Evaluating Derivatives", 2nd ed.,
 * chapter 3): walks the nodes backwards and, for each one on a way from `wrt` to `of`, writes down the nodes that give
 * the gradients of its inputs from those of its outputs. What a value hands to several readers is summed.
 *
 * The new nodes stand in the same builder, so that an optimiser can go on from them. The graph is written in ONNX's
 * operator set 13 or newer (`upgradeOpset`).
 *
 * @param of a value with one element: the loss.
 * @param wrt names of any real values (inputs, constants, results of nodes).
 * @returns for each of `wrt` the value that holds ∂of/∂wrt, of the same shape; zeros where `of` does not depend on it.
 * @throws KestrelError `operator-unsupported` where a node on the way has no rule, or gives what is of unknown shape.
 */
export function differentiate(
  builder: GraphBuilder,
  { of, wrt }: { of: string; wrt: readonly string[] },
): Map<string, string> {
  const graph = builder.build()
  const nodes = [...graph.nodes]
  // Softmax, Clip, Split and others meant something else before.
  if ((graph.opsets.get('') ?? 0) < 13)
    throw new KestrelError('internal', 'Only graphs of ONNX operator set 13 or newer can be differentiated.')
  const values = inferValues(graph)
  const known = knownValues(graph, nodes, values)
  const onTheWay = dependents(nodes, wrt, values)
  refuseUnknown(nodes, of, onTheWay)
  if (known.shape(of).some((size) => size !== 1))
    throw new KestrelError('internal', `A gradient is taken of one number, and "${of}" holds several.`)

  const pens = new Pens(builder)
  const parts = new Map<string, string[]>([[of, [ones(builder, known.shape(of))]]])
  const sums = new Map<string, string>()
  const gradientOf = (name: string): string | null => {
    const found = parts.get(name)
    if (found === undefined) return null
    const sum = sums.get(name) ?? found.reduce((a, b) => addition(pens, a, b, known.shape(name)))
    sums.set(name, sum)
    return sum
  }
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => onTheWay.has(name) && parts.has(name))) continue
    const needs = (index: number): boolean => onTheWay.has(node.inputs[index] ?? '')
    const gradient = (index: number): string | null => gradientOf(node.outputs[index] ?? '')
    const context = new GradientContext(node, known, pens, { gradient, needs })
    const gradients = ruleFor(node)!(context)
    node.inputs.forEach((name, index) => {
      if (!needs(index)) return
      const part = gradients[index]
      if (part === undefined) throw context.refusal(`has no gradient for its input ${index + 1}`)
      if (part !== null) parts.set(name, [...(parts.get(name) ?? []), part])
    })
  }
  return new Map(
    wrt.map((name) => {
      const gradient = gradientOf(name)
      const shape = known.shape(name)
      return [name, gradient === null ? zeros(builder, shape) : pens.widened(gradient, shape)]
    }),
  )
}

/** The sum of two gradients of a value of a shape; narrow only where both are. */
function addition(pens: Pens, a: string, b: string, shape: readonly number[]): string {
  const [left, right] = [a, b].map((part) => pens.narrow.get(part) ?? shape)
  const sum = pens.op('Add', [a, b])
  pens.narrow.set(sum, broadcast([left!, right!]) as number[])
  return sum
}

const isReal = (type: DataType | null): boolean =>
  type === null || ['float32', 'float64', 'float16', 'bfloat16'].includes(type)

/** Real values that change when one of `roots` does, the roots included. What is whole or a truth value has no gradient. */
function dependents(
  nodes: readonly Node[],
  roots: readonly string[],
  values: ReadonlyMap<string, Inferred>,
): Set<string> {
  const found = new Set(roots)
  for (const node of nodes)
    if (node.inputs.some((name) => found.has(name)))
      for (const name of node.outputs)
        if (name !== '' && isReal(values.get(name)?.type ?? null)) found.add(name)
  return found
}

function knownValues(
  graph: Graph,
  nodes: readonly Node[],
  values: ReadonlyMap<string, Inferred>,
): KnownValues {
  const written = new Map(
    nodes.filter(({ op }) => op === 'Constant').map((node) => [node.outputs[0] ?? '', node]),
  )
  return {
    shape(name) {
      const shape = values.get(name)?.shape
      if (!shape?.every((size) => typeof size === 'number')) throw unknownSizes(name, nodes, values)
      return shape
    },
    type: (name) => values.get(name)?.type ?? null,
    integers(name) {
      const content = values.get(name)?.content
      return content?.every((size) => typeof size === 'number') ? content : undefined
    },
    constant(name) {
      const node = written.get(name)
      return graph.initialisers.get(name) ?? (node && constantValue(node))
    },
  }
}

/** The error for a value of unknown shape: names the node that it comes from. */
function unknownSizes(
  name: string,
  nodes: readonly Node[],
  values: ReadonlyMap<string, Inferred>,
): KestrelError {
  const isKnown = (each: string): boolean =>
    each === '' || (values.get(each)?.shape?.every((size) => typeof size === 'number') ?? false)
  const behind = new Set([name])
  const unknown = nodes.toReversed().filter(({ inputs, outputs }) => {
    if (!outputs.some((each) => behind.has(each))) return false
    for (const each of inputs) behind.add(each)
    return !outputs.every(isKnown)
  })
  const first = unknown.findLast(({ inputs }) => inputs.every(isKnown))
  if (first === undefined)
    return new KestrelError('internal', `The shape of "${name}" is not known: no gradient can be written.`)
  return new KestrelError(
    'operator-unsupported',
    `This network uses "${first.op}" ("${first.name || first.outputs[0]}") with sizes that are known only when it runs, which Kestrel cannot train through.`,
    { remedy: 'Use the network frozen, or choose another one.' },
  )
}

function ruleFor(node: Node): GradientRule | undefined {
  const key = node.domain === '' ? node.op : `${node.domain}::${node.op}`
  return Object.hasOwn(gradientRules, key) ? gradientRules[key] : undefined
}

/** Names all operators on a way from the values in question to `of` that have no rule. */
function refuseUnknown(nodes: readonly Node[], of: string, onTheWay: ReadonlySet<string>): void {
  const needed = new Set([of])
  const unknown = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name) && onTheWay.has(name))) return false
    for (const name of node.inputs) needed.add(name)
    return ruleFor(node) === undefined
  })
  if (unknown.length === 0) return
  const names = [...new Set(unknown.map(({ op }) => op))].toSorted()
  throw new KestrelError(
    'operator-unsupported',
    `This network uses ${names.map((op) => `"${op}"`).join(', ')}, which Kestrel cannot train through.`,
    { remedy: 'Use the network frozen, or choose another one.' },
  )
}

const filled = (builder: GraphBuilder, name: string, shape: readonly number[], value: number): string =>
  builder.constant(name, {
    type: 'float32',
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
  })

const ones = (builder: GraphBuilder, shape: readonly number[]): string => filled(builder, 'one', shape, 1)

const zeros = (builder: GraphBuilder, shape: readonly number[]): string =>
  filled(builder, 'no_gradient', shape, 0)
