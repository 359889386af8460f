import { usedBy } from '../graph/edit.ts'
import type { Graph, Node } from '../graph/types.ts'

/**
 * A stretch of a network between two values through which everything from input to output passes. A plain chain has one
 * node per stretch; branches and shortcuts make a stretch of several.
 */
export interface Stretch {
  /** Those that depend on the network's input, in the order of the graph. */
  nodes: readonly Node[]
  /** The value at its end. */
  output: string
}

/**
 * Cuts a network with one input and one output wherever one value alone goes on: such a value dominates the output, and
 * the output depends on the input through it only. Nodes whose outputs nobody needs have to be pruned before.
 *
 * While the nodes are walked in order, the values that still will be read are counted: right after a value is made
 * through which everything passes, it is the only one.
 */
export function stretches(graph: Graph): Stretch[] {
  const left = new Map<string, number>()
  for (const node of graph.nodes) for (const name of usedBy(node)) left.set(name, (left.get(name) ?? 0) + 1)
  for (const { name } of graph.outputs) left.set(name, (left.get(name) ?? 0) + 1)

  const live = new Set(graph.inputs.map(({ name }) => name))
  const found: Stretch[] = []
  let nodes: Node[] = []
  for (const node of graph.nodes) {
    const inputs = usedBy(node)
    // What does not depend on the input is a constant that the network works out: no way leads through it.
    if (!inputs.some((name) => live.has(name))) continue
    nodes.push(node)
    for (const name of inputs) {
      const rest = (left.get(name) ?? 0) - 1
      left.set(name, rest)
      if (rest === 0) live.delete(name)
    }
    for (const name of node.outputs) if ((left.get(name) ?? 0) > 0) live.add(name)
    const [output] = live
    if (live.size === 1 && output !== undefined && node.outputs.includes(output)) {
      found.push({ nodes, output })
      nodes = []
    }
  }
  return found
}

/** Whether a node is a layer with learned numbers that stand in the graph. */
export const isWeighted = (node: Node, graph: Graph): boolean =>
  node.domain === '' &&
  ['Conv', 'Gemm', 'MatMul'].includes(node.op) &&
  graph.initialisers.has(node.inputs[1] ?? '')
