import { GraphBuilder } from '../../graph/builder.ts'
import { prune, usedBy } from '../../graph/edit.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { inferShapes } from '../../graph/infer/index.ts'
import { trainingDomain } from '../../graph/training-operators.ts'
import type { Graph, Node } from '../../graph/types.ts'
import { ConstantPool, LoweringPen, type Value } from './pen.ts'
import { standardRules } from './standard.ts'

/**
 * What a device computes best. Found out once per process by a probe (`probeCpu`), never assumed: the block size of the
 * runtime's own layout depends on the processor, and its operators are not documented.
 */
export interface LoweringTarget {
  kind: 'standard' | 'nchwc'
  /** Channels per block of the runtime's own layout; 1 with `standard`. */
  block: number
}

export const standardTarget: LoweringTarget = { kind: 'standard', block: 1 }

const isTraining = (node: Node): boolean => node.domain === trainingDomain

/**
 * Turns the training operators of a graph into operators that ONNX Runtime has, and, with `nchwc`, convolutions whose
 * weights change into its own layout. All shapes must be known. A graph without training operators is returned as it is.
 * @throws KestrelError `operator-unsupported` for windows of other than two axes, `internal` where a shape is not known.
 */
export function lower(graph: Graph, _target: LoweringTarget = standardTarget): Graph {
  if (!graph.nodes.some(isTraining)) return graph
  return lowerNodes(prune(graph))
}

function lowerNodes(graph: Graph): Graph {
  const builder = new GraphBuilder(graph.name, graph.opsets)
  const infos = inferShapes(graph)
  const names = new Map<string, string>()
  for (const input of graph.inputs) names.set(input.name, builder.input(input))
  for (const [name, value] of graph.initialisers) names.set(name, builder.constant(name, value))
  const read = new Set([...graph.nodes.flatMap(usedBy), ...graph.outputs.map(({ name }) => name)])
  const current = (name: string): string => names.get(name) ?? name
  const valueOf = (name: string): Value => {
    const shape = infos.get(name)?.shape
    if (!shape?.every((size) => typeof size === 'number'))
      throw new KestrelError('internal', `The shape of "${name}" is not known: it cannot be trained through.`)
    return { name: current(name), shape }
  }
  const constants = new ConstantPool(builder)
  for (const node of graph.nodes) {
    if (!isTraining(node)) {
      const [first] = node.outputs
      const copied = builder.nodes(node.op, node.inputs.map(current), node.outputs.length, node.attributes, {
        domain: node.domain,
        wanted: first,
      })
      node.outputs.forEach((name, index) => names.set(name, copied[index]!))
      continue
    }
    const rule = Object.hasOwn(standardRules, node.op)
      ? standardRules[node.op as keyof typeof standardRules]
      : undefined
    if (rule === undefined)
      throw new KestrelError(
        'operator-unsupported',
        `There is no way to compute "${node.op}" on this device.`,
      )
    const pen = new LoweringPen(node, builder, constants, { valueOf, isRead: (name) => read.has(name) })
    rule(pen).forEach((value, index) => {
      const name = node.outputs[index] ?? ''
      if (value !== null && name !== '') names.set(name, value)
    })
  }
  for (const output of graph.outputs) builder.output(current(output.name), output)
  return prune(builder.build(graph.metadata))
}
