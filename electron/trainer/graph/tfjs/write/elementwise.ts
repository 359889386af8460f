import { numbers, toFloat32 } from '../../tensor.ts'
import { floatAttribute, intAttribute } from '../../types.ts'
import type { Node } from '../../types.ts'
import { unsupported } from './emitter.ts'
import type { Emitter, Write } from './emitter.ts'
import { attr } from './graph-def.ts'

/** ONNX operators that TensorFlow has under the same or another name. */
const sameName: Record<string, string> = {
  Relu: 'Relu',
  Sigmoid: 'Sigmoid',
  Tanh: 'Tanh',
  Softplus: 'Softplus',
  Selu: 'Selu',
  Exp: 'Exp',
  Log: 'Log',
  Sqrt: 'Sqrt',
  Abs: 'Abs',
  Neg: 'Neg',
  Erf: 'Erf',
  Reciprocal: 'Reciprocal',
  Floor: 'Floor',
  Ceil: 'Ceil',
  Sin: 'Sin',
  Cos: 'Cos',
  Sign: 'Sign',
}

const binaryNames: Record<string, string> = {
  Add: 'AddV2',
  Sub: 'Sub',
  Mul: 'Mul',
  Div: 'RealDiv',
  Pow: 'Pow',
  Max: 'Maximum',
  Min: 'Minimum',
  Sum: 'AddV2',
}

/** Reads the input in the order it is there in, and gives the output in the same. */
function unary(node: Node, emitter: Emitter, write: (x: string, name: string) => string): void {
  const [input = ''] = node.inputs
  const name = node.outputs[0] ?? node.name
  if (emitter.isLast(input)) emitter.setLast(name, write(emitter.last(input), name))
  else emitter.setFirst(name, write(emitter.first(input), name))
}

/** Bounds of a Clip node: [−Infinity, Infinity] where they are left out. */
export function bounds(node: Node, emitter: Emitter): [number, number] {
  const bound = (index: number, attribute: 'min' | 'max', open: number): number => {
    const name = node.inputs[index] ?? ''
    if (name === '') return floatAttribute(node, attribute, open)
    const value = emitter.constant(name)
    if (value === undefined) throw unsupported(node.op, node.name, 'its bounds are computed')
    return numbers(value)[0] ?? open
  }
  return [bound(1, 'min', -Infinity), bound(2, 'max', Infinity)]
}

const writeUnary: Write = (node, emitter) => {
  const op = sameName[node.op] ?? node.op
  unary(node, emitter, (x, name) => emitter.out.add(op, [x], {}, name))
}

const scalar = (emitter: Emitter, value: number, name: string): string =>
  emitter.out.floats(Float32Array.of(value), [], name)

function clip(emitter: Emitter, x: string, low: number, high: number, name: string): string {
  const { out } = emitter
  if (low === 0 && high === 6) return out.add('Relu6', [x], {}, name)
  if (low === 0 && high === Infinity) return out.add('Relu', [x], {}, name)
  const raised =
    low === -Infinity ? x : out.add('Maximum', [x, scalar(emitter, low, `${name}/low`)], {}, `${name}/raised`)
  return high === Infinity
    ? raised
    : out.add('Minimum', [raised, scalar(emitter, high, `${name}/high`)], {}, name)
}

const writeClip: Write = (node, emitter) => {
  const [low, high] = bounds(node, emitter)
  unary(node, emitter, (x, name) => clip(emitter, x, low, high, name))
}

/** max(0, min(1, alpha · x + beta)) */
function hardSigmoid(emitter: Emitter, x: string, alpha: number, beta: number, name: string): string {
  const scaled = emitter.out.add('Mul', [x, scalar(emitter, alpha, `${name}/alpha`)], {}, `${name}/scaled`)
  const moved = emitter.out.add('AddV2', [scaled, scalar(emitter, beta, `${name}/beta`)], {}, `${name}/moved`)
  return clip(emitter, moved, 0, 1, name)
}

const writeHardSigmoid: Write = (node, emitter) => {
  const [alpha, beta] = [floatAttribute(node, 'alpha', 0.2), floatAttribute(node, 'beta', 0.5)]
  unary(node, emitter, (x, name) => hardSigmoid(emitter, x, alpha, beta, name))
}

const writeHardSwish: Write = (node, emitter) =>
  unary(node, emitter, (x, name) =>
    emitter.out.add('Mul', [x, hardSigmoid(emitter, x, 1 / 6, 0.5, `${name}/gate`)], {}, name),
  )

const writeLeakyRelu: Write = (node, emitter) => {
  const alpha = attr.number(floatAttribute(node, 'alpha', 0.01))
  unary(node, emitter, (x, name) => emitter.out.add('LeakyRelu', [x], { alpha }, name))
}

const writeElu: Write = (node, emitter) => {
  if (floatAttribute(node, 'alpha', 1) !== 1) throw unsupported(node.op, node.name, 'its slope is not 1')
  unary(node, emitter, (x, name) => emitter.out.add('Elu', [x], {}, name))
}

const writeIdentity: Write = (node, emitter) =>
  unary(node, emitter, (x, name) => emitter.out.add('Identity', [x], {}, name))

/** Adds, multiplies … any number of values, with numpy's broadcasting. */
const writeBinary: Write = (node, emitter) => {
  const op = binaryNames[node.op] ?? node.op
  const name = node.outputs[0] ?? node.name
  const rank = emitter.rank(name, node)
  const computed = node.inputs.filter((input) => emitter.constant(input) === undefined)
  const last = rank === 4 && computed.every((input) => emitter.rank(input, node) === 4)
  const operands = node.inputs.map((input) => emitter.operand(input, rank, last))
  const [first = '', ...rest] = operands
  const value = rest.reduce((sum, operand) => emitter.out.add(op, [sum, operand], {}, name), first)
  if (last) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

const writePrelu: Write = (node, emitter) => {
  const name = node.outputs[0] ?? node.name
  const slope = emitter.constant(node.inputs[1])
  if (slope === undefined) throw unsupported(node.op, node.name, 'its slope is computed')
  const rank = emitter.rank(node.inputs[0], node)
  const last = rank === 4
  const x = last ? emitter.last(node.inputs[0] ?? '') : emitter.first(node.inputs[0] ?? '')
  const alpha = emitter.operand(node.inputs[1] ?? '', rank, last)
  const value = emitter.out.add('Prelu', [x, alpha], {}, name)
  if (last) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

/** Normalisation that stands alone is a scale and a shift per channel. */
const writeBatchNormalization: Write = (node, emitter) => {
  const [, gammaName, betaName, meanName, varianceName] = node.inputs
  const values = [gammaName, betaName, meanName, varianceName].map((input) => emitter.numbers(input, node))
  const [gamma, beta, mean, variance] = values as [number[], number[], number[], number[]]
  const epsilon = floatAttribute(node, 'epsilon', 1e-5)
  const name = node.outputs[0] ?? node.name
  const factor = Float32Array.from(gamma, (value, channel) => value / Math.sqrt(variance[channel]! + epsilon))
  const shift = Float32Array.from(beta, (value, channel) => {
    const scale = gamma[channel]! / Math.sqrt(variance[channel]! + epsilon)
    return value - mean[channel]! * scale
  })
  const x = emitter.last(node.inputs[0] ?? '')
  const { out } = emitter
  const scaled = out.add(
    'Mul',
    [x, out.floats(factor, [factor.length], `${name}/factor`)],
    {},
    `${name}/scaled`,
  )
  emitter.setLast(
    name,
    out.add('AddV2', [scaled, out.floats(shift, [shift.length], `${name}/shift`)], {}, name),
  )
}

/** Over the last axes from `axis` on: (x − mean) / √(variance + ε) · scale + shift */
const writeLayerNormalization: Write = (node, emitter) => {
  const { out } = emitter
  const name = node.outputs[0] ?? node.name
  const [input = '', scaleName = '', shiftName = ''] = node.inputs
  const rank = emitter.rank(input, node)
  const axis = intAttribute(node, 'axis', -1)
  const from = axis < 0 ? axis + rank : axis
  const axes = out.ints(
    Array.from({ length: rank - from }, (_, index) => from + index),
    `${name}/axes`,
  )
  const reduce = { keep_dims: attr.bool(true), Tidx: attr.int32 }
  const x = emitter.first(input)
  const mean = out.add('Mean', [x, axes], reduce, `${name}/mean`)
  const centred = out.add('Sub', [x, mean], {}, `${name}/centred`)
  const squares = out.add('Mul', [centred, centred], {}, `${name}/squares`)
  const variance = out.add('Mean', [squares, axes], reduce, `${name}/variance`)
  const epsilon = scalar(emitter, floatAttribute(node, 'epsilon', 1e-5), `${name}/epsilon`)
  const safe = out.add('AddV2', [variance, epsilon], {}, `${name}/safe`)
  const deviation = out.add('Sqrt', [safe], {}, `${name}/deviation`)
  let value = out.add('RealDiv', [centred, deviation], {}, `${name}/normal`)
  const constant = (wanted: string): string => {
    const found = emitter.constant(wanted)
    if (found === undefined) throw unsupported(node.op, node.name, 'its scale is computed')
    return out.floats(toFloat32(found), found.shape, wanted)
  }
  value = out.add('Mul', [value, constant(scaleName)], {}, `${name}/scaled`)
  if (shiftName !== '') value = out.add('AddV2', [value, constant(shiftName)], {}, name)
  emitter.setFirst(name, value)
}

export const elementwiseWriters: Record<string, Write> = {
  ...Object.fromEntries(Object.keys(sameName).map((op) => [op, writeUnary])),
  ...Object.fromEntries(Object.keys(binaryNames).map((op) => [op, writeBinary])),
  Clip: writeClip,
  HardSigmoid: writeHardSigmoid,
  HardSwish: writeHardSwish,
  LeakyRelu: writeLeakyRelu,
  Elu: writeElu,
  PRelu: writePrelu,
  Identity: writeIdentity,
  Dropout: writeIdentity,
  BatchNormalization: writeBatchNormalization,
  LayerNormalization: writeLayerNormalization,
}
