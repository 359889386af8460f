import { prune, withInputs } from '../../graph/edit.ts'
import type { Attribute, Graph, Node } from '../../graph/types.ts'

/**
 * What is computed twice is computed once: nodes with the same operator, attributes and inputs become one. Rules write
 * without looking at each other (a kernel laid out anew for the way there and the way back, a mask for two products).
 */
export function shareCommon(graph: Graph): Graph {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const first = new Map<string, Node>()
  const replaced = new Map<string, string>()
  const nodes = graph.nodes.flatMap((written) => {
    const node = withInputs(written, replaced)
    const key = keyOf(node)
    const known = key === null ? undefined : first.get(key)
    // Outputs of the graph keep their names.
    if (known === undefined || node.outputs.some((name) => outputs.has(name))) {
      if (key !== null && known === undefined) first.set(key, node)
      return [node]
    }
    node.outputs.forEach((name, index) => replaced.set(name, known.outputs[index]!))
    return []
  })
  return prune({ ...graph, nodes })
}

/** Says everything about what a node computes; null where that is not to be shared. */
function keyOf(node: Node): string | null {
  const attributes = Object.entries(node.attributes).toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (attributes.some(([, { kind }]) => kind === 'graph' || kind === 'tensor')) return null
  const written = attributes.map(([name, attribute]) => [name, textOf(attribute)])
  return JSON.stringify([node.domain, node.op, node.inputs, node.outputs.length, written])
}

/** Not JSON of the value alone: −0 and infinities would be lost. */
const textOf = ({ kind, value }: Attribute): string =>
  `${kind} ${String(value)}${Object.is(value, -0) ? '-' : ''}`
