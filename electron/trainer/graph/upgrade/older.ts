import { KestrelError } from '#shared/errors/index.ts'
import { float32, int64s, scalar } from '../tensor.ts'
import { int, intAttribute, ints, intsAttribute, string, stringAttribute } from '../types.ts'
import type { Node } from '../types.ts'
import { unread, without } from './tools.ts'
import type { UpgradeTools } from './tools.ts'

/** Operators that changed their meaning before opset 18 and that image networks hardly use: refused by name. */
const notUpgraded: Record<string, number> = { Scan: 9, Loop: 13, If: 13 }

/** Moves a list attribute into the input at `index`. */
function attributeToInput(node: Node, attribute: string, index: number, tools: UpgradeTools): Node {
  const values = intsAttribute(node, attribute)
  if (values === undefined) return node
  const inputs = [...node.inputs]
  while (inputs.length < index) inputs.push('')
  inputs[index] = tools.constant(`${node.outputs[0]}/${attribute}`, int64s(values))
  return { ...node, inputs, attributes: without(node, attribute) }
}

/** A node of set `from`, 7 to 17, in the form of set 18. */
export function upgradeNode(node: Node, from: number, tools: UpgradeTools): Node[] {
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
function upgradeSplit(node: Node, tools: UpgradeTools): Node {
  const moved = attributeToInput(node, 'split', 1, tools)
  if ((moved.inputs[1] ?? '') !== '' || moved.attributes['num_outputs'] !== undefined) return moved
  return {
    ...moved,
    attributes: { ...moved.attributes, num_outputs: { kind: 'int', value: node.outputs.length } },
  }
}

function upgradeSlice(node: Node, tools: UpgradeTools): Node {
  const starts = intsAttribute(node, 'starts') ?? []
  const axes = intsAttribute(node, 'axes') ?? starts.map((_, axis) => axis)
  const whole: Node = { ...node, attributes: { ...node.attributes, axes: ints(axes) } }
  return (['starts', 'ends', 'axes'] as const).reduce(
    (next, name, index) => attributeToInput(next, name, index + 1, tools),
    whole,
  )
}

function upgradePad(node: Node, tools: UpgradeTools): Node {
  const value = node.attributes['value']
  const moved = attributeToInput(node, 'pads', 1, tools)
  if (value?.kind !== 'float' || value.value === 0) return { ...moved, attributes: without(moved, 'value') }
  const filler = tools.constant(`${node.outputs[0]}/value`, scalar(value.value))
  return { ...moved, inputs: [...moved.inputs.slice(0, 2), filler], attributes: without(moved, 'value') }
}

function upgradeClip(node: Node, tools: UpgradeTools): Node {
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
function upgradeBatchNormalization(node: Node, from: number, tools: UpgradeTools): Node {
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
function upgradeSoftmax(node: Node, tools: UpgradeTools): Node[] {
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
function upgradeUpsample(node: Node, tools: UpgradeTools): Node {
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
function upgradeTopK(node: Node, tools: UpgradeTools): Node {
  const k = tools.constant(`${node.outputs[0]}/k`, int64s([intAttribute(node, 'k', 1)]))
  return { ...node, inputs: [node.inputs[0] ?? '', k], attributes: without(node, 'k') }
}
