import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../graph/builder.ts'
import { inferShapes } from '../graph/infer/index.ts'
import type { Node } from '../graph/types.ts'
import { GradientContext, type GradientRule } from './context.ts'
import { gradientRules } from './rules/index.ts'

/**
 * Reverse-mode differentiation as a transformation of the graph (Griewank & Walther, "Evaluating Derivatives", 2nd ed.,
 * chapter 3): walks the nodes backwards and, for each one on a way from `wrt` to `of`, writes down the nodes that give
 * the gradients of its inputs from those of its outputs. What a value hands to several readers is summed.
 *
 * The new nodes stand in the same builder, so that an optimiser can go on from them.
 *
 * @param of a value with one element: the loss.
 * @param wrt names of any values (inputs, constants, results of nodes).
 * @returns for each of `wrt` the value that holds ∂of/∂wrt, of the same shape; zeros where `of` does not depend on it.
 * @throws KestrelError `operator-unsupported` where a node on the way has no rule, `internal` where a shape is not known.
 */
export function differentiate(
  builder: GraphBuilder,
  { of, wrt }: { of: string; wrt: readonly string[] },
): Map<string, string> {
  const graph = builder.build()
  const nodes = [...graph.nodes]
  const shapes = inferShapes(graph)
  const shapeOf = (name: string): readonly number[] => {
    const shape = shapes.get(name)?.shape
    if (!shape?.every((size) => typeof size === 'number'))
      throw new KestrelError('internal', `The shape of "${name}" is not known: no gradient can be written.`)
    return shape
  }
  const onTheWay = dependents(nodes, wrt)
  if (shapeOf(of).some((size) => size !== 1))
    throw new KestrelError('internal', `A gradient is taken of one number, and "${of}" holds several.`)

  const parts = new Map<string, string[]>([[of, [ones(builder, shapeOf(of))]]])
  const sums = new Map<string, string>()
  const gradientOf = (name: string): string | null => {
    const found = parts.get(name)
    if (found === undefined || found.length === 0) return null
    const known = sums.get(name)
    if (known !== undefined) return known
    const sum = found.length === 1 ? found[0]! : builder.node('Sum', found, {}, `gradient/${name}`)
    sums.set(name, sum)
    return sum
  }
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => onTheWay.has(name) && parts.has(name))) continue
    const context = new GradientContext(node, builder, shapeOf, {
      gradient: (index) => gradientOf(node.outputs[index] ?? ''),
      needs: (index) => onTheWay.has(node.inputs[index] ?? ''),
    })
    const gradients = ruleFor(node)(context)
    node.inputs.forEach((name, index) => {
      const gradient = gradients[index] ?? null
      if (name === '' || gradient === null || !onTheWay.has(name)) return
      parts.set(name, [...(parts.get(name) ?? []), gradient])
    })
  }
  return new Map(wrt.map((name) => [name, gradientOf(name) ?? zeros(builder, shapeOf(name))]))
}

/** Values that change when one of `roots` does, the roots included. */
function dependents(nodes: readonly Node[], roots: readonly string[]): Set<string> {
  const found = new Set(roots)
  for (const node of nodes)
    if (node.inputs.some((name) => found.has(name)))
      for (const name of node.outputs) if (name !== '') found.add(name)
  return found
}

function ruleFor(node: Node): GradientRule {
  const key = node.domain === '' ? node.op : `${node.domain}::${node.op}`
  const rule = Object.hasOwn(gradientRules, key) ? gradientRules[key] : undefined
  if (rule === undefined)
    throw new KestrelError(
      'operator-unsupported',
      `This network uses "${node.op}", which Kestrel cannot train through.`,
      {
        remedy: 'Use the network frozen, or choose another one.',
      },
    )
  return rule
}

const ones = (builder: GraphBuilder, shape: readonly number[]): string =>
  builder.constant('one', {
    type: 'float32',
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1),
  })

const zeros = (builder: GraphBuilder, shape: readonly number[]): string =>
  builder.constant('no_gradient', {
    type: 'float32',
    shape,
    data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  })
