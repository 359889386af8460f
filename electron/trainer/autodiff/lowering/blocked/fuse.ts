import { floatAttribute, string } from '../../../graph/types.ts'
import type { Attribute, Attributes, Graph, Node } from '../../../graph/types.ts'
import { blockedDomain, type Shape } from '../layouts.ts'
import { Edit, GraphView } from '../peepholes/view.ts'

/**
 * The runtime's convolutions can add another map to what they compute and put an activation on it while it is still
 * at hand; each saves a pass over the map. Sums first: the activation comes after them.
 * @param maps the values that lie in blocks, with their shapes.
 */
export const fuse = (graph: Graph, maps: ReadonlyMap<string, Shape>): Graph =>
  withActivations(withSums(graph, maps))

const isPlainConvolution = (node: Node): boolean =>
  node.op === 'Conv' && node.domain === blockedDomain && node.attributes['activation'] === undefined

function withSums(graph: Graph, maps: ReadonlyMap<string, Shape>): Graph {
  const view = new GraphView(graph)
  const edit = new Edit(view)
  for (const sum of graph.nodes) {
    if (sum.op !== 'Add' || sum.domain !== '') continue
    const [left, right] = sum.inputs as [string, string]
    if (left === right || String(maps.get(left)) !== String(maps.get(right)) || !maps.has(left)) continue
    const pair = [
      [left, right],
      [right, left],
    ].find(([own]) => {
      const conv = view.maker(own, 'Conv', blockedDomain)
      return conv && isPlainConvolution(conv) && conv.inputs.length < 4 && view.onlyReader(own!) === sum
    })
    if (pair === undefined) continue
    const conv = view.maker(pair[0], 'Conv', blockedDomain)!
    if (edit.touches(conv, sum)) continue
    const [x, filter, bias = ''] = conv.inputs as [string, string, string?]
    edit.replace(conv, [])
    edit.replace(sum, [{ ...conv, inputs: [x, filter, bias, pair[1]!], outputs: sum.outputs }])
  }
  return edit.apply()
}

function withActivations(graph: Graph): Graph {
  const view = new GraphView(graph)
  const edit = new Edit(view)
  for (const node of graph.nodes) {
    const conv = view.maker(node.inputs[0], 'Conv', blockedDomain)
    const activation = activationOf(node, view)
    if (!conv || !activation || !isPlainConvolution(conv) || view.onlyReader(conv.outputs[0]!) !== node)
      continue
    edit.replace(conv, [
      { ...conv, outputs: node.outputs, attributes: { ...conv.attributes, ...activation } },
    ])
    edit.replace(node, [])
  }
  return edit.apply()
}

/** How the runtime's convolution names an activation, as attributes; undefined where it has none like that. */
function activationOf(node: Node, view: GraphView): Attributes | undefined {
  if (node.domain !== '') return undefined
  const named = (...parameters: number[]): Attributes => ({
    activation: string(node.op),
    ...(parameters.length === 0 ? {} : { activation_params: floats(parameters) }),
  })
  switch (node.op) {
    case 'Relu':
    case 'Sigmoid':
    case 'Tanh':
      return named()
    case 'LeakyRelu':
      return named(floatAttribute(node, 'alpha', 0.01))
    case 'HardSigmoid':
      return named(floatAttribute(node, 'alpha', 0.2), floatAttribute(node, 'beta', 0.5))
    case 'Clip': {
      const [low, high] = [view.number(node.inputs[1]), view.number(node.inputs[2])]
      return low === undefined || high === undefined ? undefined : named(low, high)
    }
    default:
      return undefined
  }
}

const floats = (value: readonly number[]): Attribute => ({ kind: 'floats', value })
