import { KestrelError } from '#shared/errors/index.ts'
import { useCounts } from './edit.ts'
import { inferShapes } from './infer/index.ts'
import { ownOpset } from './types.ts'
import type { Attribute, Graph, Node, Tensor } from './types.ts'
import { isSwish, downgradeNode } from './upgrade/newer.ts'
import { upgradeNode } from './upgrade/older.ts'
import type { UpgradeTools } from './upgrade/tools.ts'

/** Below this, operators such as Reshape and BatchNormalization had other forms that nobody has written since 2018. */
const oldestOpset = 7

/** The newest set that ONNX Runtime 1.30 reads. Newer graphs are written down in it. */
export const newestOpset = 26

/** The newest set whose changes were looked through when this was written (onnx.ai/onnx/operators, 1.23). */
const newestRead = 28

/**
 * Rewrites a graph of ONNX's operator sets 7–17 for the set that Kestrel writes (18), and one of 27 or 28 for the newest
 * set that the runtime reads (26); those between stay as they are, but for Swish, which the runtime lacks. What changed
 * between the sets is listed at onnx.ai/onnx/operators. Throws `backbone-unsupported` for older and newer graphs and `operator-unsupported` for
 * operators that are not brought over.
 */
export function upgradeOpset(graph: Graph): Graph {
  const from = graph.opsets.get('') ?? ownOpset
  const readable = from >= ownOpset && from <= newestOpset
  if (readable && !graph.nodes.some(isSwish)) return graph
  if (from < oldestOpset) {
    throw new KestrelError(
      'backbone-unsupported',
      `This ONNX file is written in operators from before 2018 (set ${from}).`,
      {
        remedy: 'Save the model again with a newer version of the program that made it.',
      },
    )
  }
  if (from > newestRead) {
    throw new KestrelError(
      'backbone-unsupported',
      `This ONNX file is written in operators that are newer than this Kestrel (set ${from}).`,
      {
        remedy: `Save the model again with operator set ${newestOpset} or an older one, or use a newer Kestrel.`,
      },
    )
  }
  const initialisers = new Map(graph.initialisers)
  const taken = namesIn(graph)
  const value = (wanted: string): string => {
    let name = wanted
    while (taken.has(name)) name += '_'
    taken.add(name)
    return name
  }
  const constant = (wanted: string, content: Tensor): string => {
    const name = value(wanted)
    initialisers.set(name, content)
    return name
  }
  const tools: UpgradeTools = { constant, value, shapes: inferShapes(graph), used: useCounts(graph) }
  const nodes = upgradeNodes(graph.nodes, from, tools)
  const to = Math.min(Math.max(from, ownOpset), newestOpset)
  return { ...graph, nodes, initialisers, opsets: new Map([...graph.opsets, ['', to]]) }
}

function namesIn(graph: Graph): Set<string> {
  const subgraphs = graph.nodes.flatMap((node) =>
    Object.values(node.attributes).flatMap((attribute) =>
      attribute.kind === 'graph' ? [...namesIn(attribute.value)] : [],
    ),
  )
  return new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initialisers.keys(),
    ...graph.nodes.flatMap((node) => node.outputs),
    ...subgraphs,
  ])
}

/** Bodies of If and Loop are of the same set; constants that are made for them stand outside, where they can see them. */
function upgradeNodes(nodes: readonly Node[], from: number, tools: UpgradeTools): Node[] {
  return nodes.flatMap((node) => {
    if (node.domain !== '') return [node]
    const attributes = Object.fromEntries(
      Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => [
        name,
        attribute.kind === 'graph'
          ? {
              kind: 'graph',
              value: { ...attribute.value, nodes: upgradeNodes(attribute.value.nodes, from, tools) },
            }
          : attribute,
      ]),
    )
    const whole = { ...node, attributes }
    return from < ownOpset ? upgradeNode(whole, from, tools) : downgradeNode(whole, tools)
  })
}
