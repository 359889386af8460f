import { KestrelError } from '#shared/errors/index.ts'
import { useCounts } from './edit.ts'
import { inferShapes } from './infer/index.ts'
import { int64s, scalar } from './tensor.ts'
import { intAttribute, ints, intsAttribute, ownOpset } from './types.ts'
import type { Attribute, Graph, Node, Tensor, ValueInfo } from './types.ts'

/** Below this, operators such as Reshape and BatchNormalization had other forms that nobody has written since 2018. */
const oldestOpset = 7

/** Operators that changed their meaning before opset 18 and that image networks hardly use: refused by name. */
const notUpgraded: Record<string, number> = { Upsample: 10, Scan: 9, Loop: 13, If: 13, Resize: 11 }

/**
 * Rewrites a graph of ONNX's operator sets 7–17 for the set that Kestrel writes (18); newer ones stay as they are.
 * What changed between the sets is listed at onnx.ai/onnx/operators. Throws `backbone-unsupported` for older graphs
 * and `operator-unsupported` for operators that are not brought over.
 */
export function upgradeOpset(graph: Graph): Graph {
  const from = graph.opsets.get('') ?? ownOpset
  if (from >= ownOpset) return graph
  if (from < oldestOpset) {
    throw new KestrelError(
      'backbone-unsupported',
      `This ONNX file is written in operators from before 2018 (set ${from}).`,
      {
        remedy: 'Save the model again with a newer version of the program that made it.',
      },
    )
  }
  const initialisers = new Map(graph.initialisers)
  const taken = new Set([...initialisers.keys(), ...graph.nodes.flatMap((node) => node.outputs)])
  const constant = (wanted: string, value: Tensor): string => {
    let name = wanted
    while (taken.has(name)) name += '_'
    taken.add(name)
    initialisers.set(name, value)
    return name
  }
  const shapes = inferShapes(graph)
  const used = useCounts(graph)
  const nodes = graph.nodes.flatMap((node) =>
    node.domain === '' ? upgradeNode(node, from, { constant, shapes, used }) : [node],
  )
  return { ...graph, nodes, initialisers, opsets: new Map([...graph.opsets, ['', ownOpset]]) }
}

interface Tools {
  constant(wanted: string, value: Tensor): string
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
  if (since !== undefined && from < since) {
    throw new KestrelError(
      'operator-unsupported',
      `This network uses the operator ${node.op} in a form that Kestrel does not read ("${node.name || node.outputs[0]}").`,
    )
  }
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
      return from < 13 ? upgradeSoftmax(node, tools) : [node]
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
  const shape = tools.shapes.get(node.inputs[0] ?? '')?.shape
  const axis = intAttribute(node, 'axis', 1)
  const rank = shape?.length
  const positive = axis < 0 ? axis + (rank ?? 0) : axis
  const behind = shape?.slice(positive + 1)
  const single = rank !== undefined && (positive === rank - 1 || behind?.every((size) => size === 1))
  if (rank === undefined && axis !== -1 && axis !== 1) throw ambiguous(node)
  if (rank !== undefined && !single) throw ambiguous(node)
  return [{ ...node, attributes: { axis: { kind: 'int', value: axis } } }]
}

const ambiguous = (node: Node): KestrelError =>
  new KestrelError(
    'operator-unsupported',
    `This network uses ${node.op} over several axes at once ("${node.name || node.outputs[0]}").`,
  )
