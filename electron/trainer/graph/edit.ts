import { KestrelError } from '#shared/errors/index.ts'
import type { Attribute, Graph, Node, ValueInfo } from './types.ts'

/** Values that a node's subgraphs take from around it count as its inputs. */
function captured(attribute: Attribute): string[] {
  if (attribute.kind !== 'graph') return []
  const { nodes, inputs, initialisers, outputs } = attribute.value
  const own = new Set([
    ...inputs.map((info) => info.name),
    ...initialisers.keys(),
    ...nodes.flatMap((node) => node.outputs),
  ])
  const used = [...nodes.flatMap((node) => usedBy(node)), ...outputs.map((info) => info.name)]
  return used.filter((name) => !own.has(name))
}

/** Names of all values a node reads, those of its subgraphs included. */
export function usedBy(node: Node): string[] {
  return [...node.inputs, ...Object.values(node.attributes).flatMap(captured)].filter((name) => name !== '')
}

/** How often each value is read; outputs of the graph count as read. */
export function useCounts(graph: Graph): Map<string, number> {
  const counts = new Map<string, number>()
  const count = (name: string): void => void counts.set(name, (counts.get(name) ?? 0) + 1)
  for (const node of graph.nodes) usedBy(node).forEach(count)
  for (const output of graph.outputs) count(output.name)
  return counts
}

/** The node that gives each value. */
export function producers(graph: Graph): Map<string, Node> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)))
}

/** Inputs, and all values that depend on one. */
export function dependents(graph: Graph): Set<string> {
  const found = new Set(graph.inputs.map(({ name }) => name))
  for (const node of graph.nodes)
    if (usedBy(node).some((name) => found.has(name))) for (const name of node.outputs) found.add(name)
  return found
}

/** Leaves out everything the outputs do not need. Inputs of the graph stay. */
export function prune(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((output) => output.name))
  const nodes = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false
    for (const name of usedBy(node)) needed.add(name)
    return true
  })
  const initialisers = new Map([...graph.initialisers].filter(([name]) => needed.has(name)))
  return { ...graph, nodes: nodes.toReversed(), initialisers }
}

/** The part of a graph that computes one of its values. */
export function cutAt(graph: Graph, output: ValueInfo): Graph {
  return prune({ ...graph, outputs: [output] })
}

/** A node that reads other values, `names[old]` for `old`, its subgraphs included. */
export function withInputs(node: Node, names: ReadonlyMap<string, string>): Node {
  const swap = (name: string): string => names.get(name) ?? name
  const attributes = Object.entries(node.attributes).map(([key, attribute]): [string, Attribute] => {
    if (attribute.kind !== 'graph') return [key, attribute]
    const nodes = attribute.value.nodes.map((inner) => withInputs(inner, names))
    return [key, { kind: 'graph', value: { ...attribute.value, nodes } }]
  })
  return { ...node, inputs: node.inputs.map(swap), attributes: Object.fromEntries(attributes) }
}

/** Gives values new names. Throws `internal` when a new name is taken. */
export function renameValues(graph: Graph, names: ReadonlyMap<string, string>): Graph {
  const taken = new Set([
    ...graph.inputs.map((info) => info.name),
    ...graph.initialisers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
  ])
  for (const [from, to] of names) {
    if (from !== to && taken.has(to) && !names.has(to)) {
      throw new KestrelError('internal', `The name "${to}" is taken in the graph "${graph.name}".`)
    }
  }
  const swap = (name: string): string => names.get(name) ?? name
  const swapInfo = (info: ValueInfo): ValueInfo => ({ ...info, name: swap(info.name) })
  const swapAttribute = (attribute: Attribute): Attribute =>
    attribute.kind === 'graph' ? { kind: 'graph', value: swapGraph(attribute.value) } : attribute
  const swapNode = (node: Node): Node => ({
    ...node,
    inputs: node.inputs.map(swap),
    outputs: node.outputs.map(swap),
    attributes: Object.fromEntries(
      Object.entries(node.attributes).map(([name, attribute]) => [name, swapAttribute(attribute)]),
    ),
  })
  const swapGraph = (part: Graph): Graph => ({
    ...part,
    inputs: part.inputs.map(swapInfo),
    outputs: part.outputs.map(swapInfo),
    initialisers: new Map([...part.initialisers].map(([name, value]) => [swap(name), value])),
    nodes: part.nodes.map(swapNode),
  })
  return swapGraph(graph)
}
