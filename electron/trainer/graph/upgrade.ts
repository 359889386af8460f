import { KestrelError } from '#shared/errors/index.ts'
import { useCounts } from './edit.ts'
import { inferShapes } from './infer/index.ts'
import { float32, int64s, scalar } from './tensor.ts'
import {
  floatAttribute,
  int,
  intAttribute,
  ints,
  intsAttribute,
  ownOpset,
  string,
  stringAttribute,
} from './types.ts'
import type { Attribute, Graph, Node, Tensor, ValueInfo } from './types.ts'

/** Below this, operators such as Reshape and BatchNormalization had other forms that nobody has written since 2018. */
const oldestOpset = 7

/** The newest set that ONNX Runtime 1.30 reads. Newer graphs are written down in it. */
export const newestOpset = 26

/** The newest set whose changes were looked through when this was written (onnx.ai/onnx/operators, 1.23). */
const newestRead = 28

/** Operators that changed their meaning before opset 18 and that image networks hardly use: refused by name. */
const notUpgraded: Record<string, number> = { Scan: 9, Loop: 13, If: 13 }

/**
 * Rewrites a graph of ONNX's operator sets 7–17 for the set that Kestrel writes (18), and one of 27 or 28 for the newest
 * set that the runtime reads (26); those between stay as they are. What changed between the sets is listed at
 * onnx.ai/onnx/operators. Throws `backbone-unsupported` for older and newer graphs and `operator-unsupported` for
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
  const tools: Tools = { constant, value, shapes: inferShapes(graph), used: useCounts(graph) }
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
function upgradeNodes(nodes: readonly Node[], from: number, tools: Tools): Node[] {
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
    return from < ownOpset ? upgradeNode(whole, from, tools) : lowerNode(whole, tools)
  })
}

interface Tools {
  constant(wanted: string, value: Tensor): string
  /** A name that is free. */
  value(wanted: string): string
  shapes: ReadonlyMap<string, ValueInfo>
  used: ReadonlyMap<string, number>
}

const without = (node: Node, ...names: string[]): Record<string, Attribute> =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)))

/** Moves a list attribute into the input at `index`. */
function attributeToInput(node: Node, attribute: string, index: number, tools: Tools): Node {
  const values = intsAttribute(node, attribute)
  if (values === undefined) return node
  const inputs = [...node.inputs]
  while (inputs.length < index) inputs.push('')
  inputs[index] = tools.constant(`${node.outputs[0]}/${attribute}`, int64s(values))
  return { ...node, inputs, attributes: without(node, attribute) }
}

function upgradeNode(node: Node, from: number, tools: Tools): Node[] {
  const since = Object.hasOwn(notUpgraded, node.op) ? notUpgraded[node.op] : undefined
  if (since !== undefined && from < since) throw unread(node)
  switch (node.op) {
    case 'Squeeze':
    case 'Unsqueeze':
    case 'ReduceSum':
      return [from < 13 ? attributeToInput(node, 'axes', 1, tools) : node]
    case 'ReduceMean':
    case 'ReduceMax':
    case 'ReduceMin':
    case 'ReduceProd':
    case 'ReduceL1':
    case 'ReduceL2':
    case 'ReduceLogSum':
    case 'ReduceLogSumExp':
    case 'ReduceSumSquare':
      return [attributeToInput(node, 'axes', 1, tools)]
    case 'Split':
      return [upgradeSplit(node, tools)]
    case 'Slice':
      return [from < 10 ? upgradeSlice(node, tools) : node]
    case 'Pad':
      return [from < 11 ? upgradePad(node, tools) : node]
    case 'Clip':
      return [from < 11 ? upgradeClip(node, tools) : node]
    case 'Dropout':
      // Only its inference form exists in files; the mask is dropped with it.
      return [{ ...node, inputs: node.inputs.slice(0, 1), attributes: {} }]
    case 'BatchNormalization':
      return [upgradeBatchNormalization(node, from, tools)]
    case 'Softmax':
    case 'LogSoftmax':
    case 'Hardmax':
      return from < 13 ? upgradeSoftmax(node, tools) : [node]
    case 'Upsample':
      return [upgradeUpsample(node, tools)]
    case 'Resize':
      return [from < 11 ? upgradeUpsample(node, tools) : node]
    case 'Scatter':
      return [{ ...node, op: 'ScatterElements' }]
    case 'TopK':
      return [from < 10 ? upgradeTopK(node, tools) : node]
    default:
      return [node]
  }
}

/** Set 13 made the sizes an input, set 18 asks for their number where they are left out. */
function upgradeSplit(node: Node, tools: Tools): Node {
  const moved = attributeToInput(node, 'split', 1, tools)
  if ((moved.inputs[1] ?? '') !== '' || moved.attributes['num_outputs'] !== undefined) return moved
  return {
    ...moved,
    attributes: { ...moved.attributes, num_outputs: { kind: 'int', value: node.outputs.length } },
  }
}

function upgradeSlice(node: Node, tools: Tools): Node {
  const starts = intsAttribute(node, 'starts') ?? []
  const axes = intsAttribute(node, 'axes') ?? starts.map((_, axis) => axis)
  const whole: Node = { ...node, attributes: { ...node.attributes, axes: ints(axes) } }
  return (['starts', 'ends', 'axes'] as const).reduce(
    (next, name, index) => attributeToInput(next, name, index + 1, tools),
    whole,
  )
}

function upgradePad(node: Node, tools: Tools): Node {
  const value = node.attributes['value']
  const moved = attributeToInput(node, 'pads', 1, tools)
  if (value?.kind !== 'float' || value.value === 0) return { ...moved, attributes: without(moved, 'value') }
  const filler = tools.constant(`${node.outputs[0]}/value`, scalar(value.value))
  return { ...moved, inputs: [...moved.inputs.slice(0, 2), filler], attributes: without(moved, 'value') }
}

function upgradeClip(node: Node, tools: Tools): Node {
  const bound = (name: 'min' | 'max'): string => {
    const attribute = node.attributes[name]
    return attribute?.kind === 'float'
      ? tools.constant(`${node.outputs[0]}/${name}`, scalar(attribute.value))
      : ''
  }
  return {
    ...node,
    inputs: [node.inputs[0] ?? '', bound('min'), bound('max')],
    attributes: without(node, 'min', 'max'),
  }
}

/** Files of set 7–13 list the training outputs; at inference nobody reads them. */
function upgradeBatchNormalization(node: Node, from: number, tools: Tools): Node {
  if (from >= 15) return node
  const extra = node.outputs.slice(1)
  if (intAttribute(node, 'spatial', 1) === 0 || extra.some((name) => (tools.used.get(name) ?? 0) > 0)) {
    throw new KestrelError(
      'operator-unsupported',
      `This network uses BatchNormalization in its training form ("${node.name || node.outputs[0]}").`,
    )
  }
  return {
    ...node,
    outputs: node.outputs.slice(0, 1),
    attributes: without(node, 'spatial', 'momentum', 'is_test'),
  }
}

/** Before set 13, softmax ran over all axes from `axis` on, as if they were one. */
function upgradeSoftmax(node: Node, tools: Tools): Node[] {
  const [x = ''] = node.inputs
  const [y = ''] = node.outputs
  const shape = tools.shapes.get(x)?.shape
  const axis = intAttribute(node, 'axis', 1)
  const behind = shape?.slice(axis < 0 ? axis + shape.length : axis).slice(1)
  if (axis === -1 || behind?.every((size) => size === 1))
    return [{ ...node, attributes: { axis: int(axis) } }]
  const [flat, soft, size] = [tools.value(`${y}/flat`), tools.value(`${y}/soft`), tools.value(`${y}/shape`)]
  const plain = { name: '', domain: '', attributes: {} }
  return [
    { ...plain, op: 'Flatten', inputs: [x], outputs: [flat], attributes: { axis: int(axis) } },
    { ...node, inputs: [flat], outputs: [soft], attributes: { axis: int(1) } },
    { ...plain, op: 'Shape', inputs: [x], outputs: [size] },
    { ...plain, op: 'Reshape', inputs: [soft, size], outputs: [y] },
  ]
}

/** Upsample, and Resize of set 10: pixels lie at their corners, and the one before a place is the nearest. */
function upgradeUpsample(node: Node, tools: Tools): Node {
  const scales = node.attributes['scales']
  const given =
    scales?.kind === 'floats'
      ? tools.constant(`${node.outputs[0]}/scales`, float32([scales.value.length], scales.value))
      : (node.inputs[1] ?? '')
  return {
    ...node,
    op: 'Resize',
    inputs: [node.inputs[0] ?? '', '', given],
    attributes: {
      mode: string(stringAttribute(node, 'mode', 'nearest')),
      coordinate_transformation_mode: string('asymmetric'),
      nearest_mode: string('floor'),
    },
  }
}

/** The number of entries was an attribute until set 10. */
function upgradeTopK(node: Node, tools: Tools): Node {
  const k = tools.constant(`${node.outputs[0]}/k`, int64s([intAttribute(node, 'k', 1)]))
  return { ...node, inputs: [node.inputs[0] ?? '', k], attributes: without(node, 'k') }
}

/**
 * Sets 27 and 28 gave operators more number types, Range a precision for 16-bit floats and SpaceToDepth the other order
 * of channels. Their new operators are not known to the runtime, which says so.
 */
function lowerNode(node: Node, tools: Tools): Node[] {
  if (isSwish(node)) return spellSwish(node, tools)
  if (node.op === 'Range') return [{ ...node, attributes: without(node, 'stash_type') }]
  if (node.op !== 'SpaceToDepth' || stringAttribute(node, 'mode', 'DCR') === 'DCR')
    return [node.op === 'SpaceToDepth' ? { ...node, attributes: without(node, 'mode') } : node]
  const channels = tools.shapes.get(node.inputs[0] ?? '')?.shape?.[1]
  if (typeof channels !== 'number') throw unread(node)
  const [y = ''] = node.outputs
  const deep = tools.value(`${y}/deep`)
  const blocks = intAttribute(node, 'blocksize', 1) ** 2
  // Channel c of block b is the (c · blocks + b)-th of CRD and the (b · channels + c)-th of DCR.
  const order = Array.from(
    { length: channels * blocks },
    (_, at) => (at % blocks) * channels + Math.floor(at / blocks),
  )
  return [
    { ...node, outputs: [deep], attributes: without(node, 'mode') },
    {
      name: '',
      op: 'Gather',
      domain: '',
      inputs: [deep, tools.constant(`${y}/order`, int64s(order))],
      outputs: [y],
      attributes: { axis: int(1) },
    },
  ]
}

const isSwish = ({ op, domain }: Node): boolean => op === 'Swish' && domain === ''

/** x · σ(α · x): set 24 made it one operator, which the runtime does not have on the processor. */
function spellSwish(node: Node, tools: Tools): Node[] {
  const [x = ''] = node.inputs
  const [y = ''] = node.outputs
  const alpha = floatAttribute(node, 'alpha', 1)
  const [scaled, gate] = [tools.value(`${y}/scaled`), tools.value(`${y}/gate`)]
  const plain = { name: '', domain: '', attributes: {} }
  const factor: Node[] =
    alpha === 1
      ? []
      : [{ ...plain, op: 'Mul', inputs: [x, tools.constant(`${y}/alpha`, scalar(alpha))], outputs: [scaled] }]
  return [
    ...factor,
    { ...plain, op: 'Sigmoid', inputs: [alpha === 1 ? x : scaled], outputs: [gate] },
    { ...node, op: 'Mul', inputs: [x, gate], attributes: {} },
  ]
}

const unread = (node: Node): KestrelError =>
  new KestrelError(
    'operator-unsupported',
    `This network uses the operator ${node.op} in a form that Kestrel does not read ("${node.name || node.outputs[0]}").`,
  )
