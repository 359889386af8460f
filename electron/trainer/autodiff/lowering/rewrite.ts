import { KestrelError } from '#shared/errors/index.ts'
import { GraphBuilder } from '../../graph/builder.ts'
import { prune, usedBy } from '../../graph/edit.ts'
import { inferValues } from '../../graph/infer/index.ts'
import { trainingDomain } from '../../graph/training-operators.ts'
import type { Graph, Node } from '../../graph/types.ts'
import { blockedRuleFor } from './blocked/index.ts'
import { fuse } from './blocked/fuse.ts'
import { BlockedPen } from './blocked/pen.ts'
import type { LoweringTarget } from './index.ts'
import { blockedDomain, Layouts, type Shape, type Value } from './layouts.ts'
import { ConstantPool, LoweringPen, type LoweringPlace } from './pen.ts'
import { shareCommon } from './share.ts'
import { standardRuleFor } from './standard.ts'

/** Writes a graph anew, node by node, in the operators of a target. Outputs keep their names. */
export function rewrite(graph: Graph, { kind, block }: LoweringTarget): Graph {
  const opsets = kind === 'nchwc' ? new Map([...graph.opsets, [blockedDomain, 1]]) : graph.opsets
  const builder = new GraphBuilder(graph.name, opsets)
  // So that no value has to make way for an output later.
  for (const { name } of graph.outputs)
    if (!graph.inputs.some((input) => input.name === name)) builder.unique(name)
  const place = placeOf(graph, builder, block)
  const given = new Set([...graph.inputs.map(({ name }) => name), ...graph.initialisers.keys()])
  for (const node of graph.nodes) {
    const results =
      (kind === 'nchwc' ? blockedRuleFor(node)?.(new BlockedPen(node, place, block)) : null) ??
      (node.domain === trainingDomain ? standardRuleFor(node)(new LoweringPen(node, place)) : null) ??
      copied(node, place)
    node.outputs.forEach((name, index) => {
      const value = results[index]
      if (name !== '' && value) place.define(name, value)
    })
  }
  // The first output that a value becomes gives it its name; others read it by that.
  const names = new Map<string, string>()
  for (const output of graph.outputs) {
    const { name } = place.layouts.get(output.name, 'plain')
    builder.output(names.get(name) ?? name, output)
    if (!given.has(name) && !names.has(name)) names.set(name, output.name)
  }
  const written = builder.build(graph.metadata)
  return kind === 'nchwc' ? fuse(shareCommon(written), place.layouts.maps) : prune(written)
}

type Place = LoweringPlace & {
  define: (name: string, value: Value) => void
  sizesOf: (name: string) => Shape | null
}

function placeOf(graph: Graph, builder: GraphBuilder, block: number): Place {
  const infos = inferValues(graph)
  const read = new Set([...graph.nodes.flatMap(usedBy), ...graph.outputs.map(({ name }) => name)])
  const layouts = new Layouts(builder, block)
  const sizesOf = (name: string): Shape | null => {
    const shape = infos.get(name)?.shape
    return shape?.every((size) => typeof size === 'number') ? shape : null
  }
  const define = (name: string, { name: written, layout }: Pick<Value, 'name' | 'layout'>): void =>
    layouts.define(name, written, layout, sizesOf(name) ?? [], infos.get(name)?.type ?? null)
  for (const input of graph.inputs) define(input.name, { name: builder.input(input), layout: 'plain' })
  for (const [name, value] of graph.initialisers)
    define(name, { name: builder.constant(name, value), layout: 'plain' })
  return {
    builder,
    layouts,
    constants: new ConstantPool(builder),
    define,
    sizesOf,
    shapeOf(name) {
      const shape = sizesOf(name)
      if (shape === null)
        throw new KestrelError(
          'internal',
          `The shape of "${name}" is not known: it cannot be trained through.`,
        )
      return shape
    },
    integersOf(name) {
      const content = infos.get(name)?.content
      return content?.every((size) => typeof size === 'number') ? content : undefined
    },
    isRead: (name) => read.has(name),
  }
}

/** A node that every engine has, as it stands. */
function copied(node: Node, { builder, layouts, sizesOf }: Place): Value[] {
  const inputs = node.inputs.map((name) => (name === '' ? '' : layouts.get(name, 'plain').name))
  return builder.copy(node, inputs).map((name, index) => ({
    name,
    shape: sizesOf(node.outputs[index]!) ?? [],
    layout: 'plain',
  }))
}
