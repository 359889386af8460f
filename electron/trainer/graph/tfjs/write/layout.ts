import { positiveAxis } from '../../infer/dimensions.ts'
import { float32, toFloat32, transpose } from '../../tensor.ts'
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../types.ts'
import type { Node } from '../../types.ts'
import { lastAxis, unsupported } from './emitter.ts'
import type { Emitter, Write } from './emitter.ts'
import { attr } from './graph-def.ts'
import type { AttributeValue } from './graph-def.ts'
import { padding } from './pooling.ts'

const outputOf = (node: Node): string => node.outputs[0] ?? node.name

/** Reshape, Flatten, Squeeze, Unsqueeze: only the shape that comes out matters, and it is known. */
const writeReshape: Write = (node, emitter) => {
  const [input = ''] = node.inputs
  const name = outputOf(node)
  const { out } = emitter
  const shape = emitter.shape(input, node)
  const target = out.ints(emitter.target(name, node), `${name}/shape`)
  // A 1×1 map has its channels in the same order either way.
  const small = shape.length === 4 && shape[2] === 1 && shape[3] === 1 && emitter.isLast(input)
  const x = small ? emitter.last(input) : emitter.first(input)
  emitter.setFirst(name, out.add('Reshape', [x, target], { Tshape: attr.int32 }, name))
}

const writeTranspose: Write = (node, emitter) => {
  const [input = ''] = node.inputs
  const name = outputOf(node)
  const rank = emitter.rank(input, node)
  const order = intsAttribute(node, 'perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis)
  const perm = emitter.out.ints(order, `${name}/order`)
  emitter.setFirst(
    name,
    emitter.out.add('Transpose', [emitter.first(input), perm], { Tperm: attr.int32 }, name),
  )
}

const writeConcat: Write = (node, emitter) => {
  const name = outputOf(node)
  const { out } = emitter
  const rank = emitter.rank(name, node)
  const axis = positiveAxis(intAttribute(node, 'axis', 1), rank)
  const last = rank === 4
  const parts = node.inputs.map((input) => (last ? emitter.last(input) : emitter.first(input)))
  const at = out.int(last ? lastAxis(axis) : axis, `${name}/axis`)
  const attributes = { N: attr.int(parts.length), Tidx: attr.int32 }
  const value = out.add('ConcatV2', [...parts, at], attributes, name)
  if (last) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

/** TensorFlow's softmax runs over the last axis only. */
const writeSoftmax: Write = (node, emitter) => {
  const [input = ''] = node.inputs
  const name = outputOf(node)
  const rank = emitter.rank(input, node)
  const axis = positiveAxis(intAttribute(node, 'axis', -1), rank)
  const op = node.op
  if (rank === 4 && axis === 1) emitter.setLast(name, emitter.out.add(op, [emitter.last(input)], {}, name))
  else if (axis === rank - 1) emitter.setFirst(name, emitter.out.add(op, [emitter.first(input)], {}, name))
  else throw unsupported(op, node.name, 'it runs over an axis in the middle')
}

/** One part of a value along constant bounds. */
function slice(
  emitter: Emitter,
  node: Node,
  name: string,
  bounds: ReadonlyMap<number, { from: number; size: number }>,
): void {
  const [input = ''] = node.inputs
  const { out } = emitter
  const rank = emitter.rank(input, node)
  const last = rank === 4
  const begin = new Array<number>(rank).fill(0)
  const extent = new Array<number>(rank).fill(-1)
  for (const [axis, { from, size }] of bounds) {
    const at = last ? lastAxis(axis) : axis
    begin[at] = from
    extent[at] = size
  }
  const operands = [
    last ? emitter.last(input) : emitter.first(input),
    out.ints(begin, `${name}/begin`),
    out.ints(extent, `${name}/extent`),
  ]
  const value = out.add('Slice', operands, { Index: attr.int32 }, name)
  if (last) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

const writeSlice: Write = (node, emitter) => {
  const starts = emitter.numbers(node.inputs[1], node)
  const axesName = node.inputs[3] ?? ''
  const axes = axesName === '' ? starts.map((_, axis) => axis) : emitter.numbers(axesName, node)
  const stepsName = node.inputs[4] ?? ''
  if (stepsName !== '' && emitter.numbers(stepsName, node).some((step) => step !== 1)) {
    throw unsupported(node.op, node.name, 'it leaves out every other value')
  }
  const name = outputOf(node)
  const shape = emitter.shape(node.inputs[0], node)
  const result = emitter.shape(name, node)
  const bounds = new Map<number, { from: number; size: number }>()
  axes.forEach((written, index) => {
    const axis = positiveAxis(written, shape.length)
    const [whole, size] = [shape[axis], result[axis]]
    if (typeof whole !== 'number' || typeof size !== 'number') {
      throw unsupported(node.op, node.name, 'its bounds hang on the batch')
    }
    const start = starts[index] ?? 0
    bounds.set(axis, { from: Math.min(Math.max(start < 0 ? start + whole : start, 0), whole), size })
  })
  slice(emitter, node, name, bounds)
}

const writeSplit: Write = (node, emitter) => {
  const shape = emitter.shape(node.inputs[0], node)
  const axis = positiveAxis(intAttribute(node, 'axis', 0), shape.length)
  let from = 0
  for (const name of node.outputs) {
    const size = emitter.shape(name, node)[axis]
    if (typeof size !== 'number') throw unsupported(node.op, node.name, 'its parts are not fixed')
    slice(emitter, node, name, new Map([[axis, { from, size }]]))
    from += size
  }
}

const writePad: Write = (node, emitter) => {
  const mode = stringAttribute(node, 'mode', 'constant')
  if (mode !== 'constant' || (node.inputs[3] ?? '') !== '') {
    throw unsupported(node.op, node.name, 'it pads with the picture itself')
  }
  const [input = '', padsName, fillerName = ''] = node.inputs
  const pads = intsAttribute(node, 'pads') ?? emitter.numbers(padsName, node)
  const filler =
    fillerName === '' ? floatAttribute(node, 'value', 0) : (emitter.numbers(fillerName, node)[0] ?? 0)
  const name = outputOf(node)
  const { out } = emitter
  const rank = emitter.rank(input, node)
  const last = rank === 4
  const amounts = new Array<number>(rank * 2).fill(0)
  for (let axis = 0; axis < rank; axis++) {
    const at = last ? lastAxis(axis) : axis
    amounts[at * 2] = pads[axis] ?? 0
    amounts[at * 2 + 1] = pads[axis + rank] ?? 0
  }
  const operands = [
    last ? emitter.last(input) : emitter.first(input),
    padding(emitter, name, amounts),
    out.floats(Float32Array.of(filler), [], `${name}/filler`),
  ]
  const value = out.add('PadV2', operands, { Tpaddings: attr.int32 }, name)
  if (last) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

const writeGather: Write = (node, emitter) => {
  const [input = '', indexName] = node.inputs
  const indices = emitter.constant(indexName)
  if (indices?.shape.length !== 1) throw unsupported(node.op, node.name, 'it picks by computed places')
  const name = outputOf(node)
  const { out } = emitter
  const rank = emitter.rank(input, node)
  const axis = positiveAxis(intAttribute(node, 'axis', 0), rank)
  const last = rank === 4
  const size = emitter.shape(input, node)[axis]
  const places = emitter
    .numbers(indexName, node)
    .map((at) => (at < 0 && typeof size === 'number' ? at + size : at))
  const operands = [
    last ? emitter.last(input) : emitter.first(input),
    out.ints(places, `${name}/places`),
    out.int(last ? lastAxis(axis) : axis, `${name}/axis`),
  ]
  const attributes = { Tparams: attr.float, Tindices: attr.int32, Taxis: attr.int32, batch_dims: attr.int(0) }
  const value = out.add('GatherV2', operands, attributes, name)
  if (last) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

const reduceNames: Record<string, string> = {
  ReduceMean: 'Mean',
  ReduceSum: 'Sum',
  ReduceMax: 'Max',
  ReduceMin: 'Min',
}

const writeReduce: Write = (node, emitter) => {
  const [input = '', axesName = ''] = node.inputs
  const name = outputOf(node)
  const { out } = emitter
  const rank = emitter.rank(input, node)
  const written =
    intsAttribute(node, 'axes') ?? (axesName === '' ? undefined : emitter.numbers(axesName, node))
  const axes = (written ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) =>
    positiveAxis(axis, rank),
  )
  const keep = intAttribute(node, 'keepdims', 1) === 1
  const spatial = rank === 4 && [...axes].sort().join() === '2,3'
  const last = rank === 4 && (keep || spatial)
  const at = out.ints(last ? axes.map(lastAxis) : axes, `${name}/axes`)
  const x = last ? emitter.last(input) : emitter.first(input)
  const attributes = { keep_dims: attr.bool(keep), Tidx: attr.int32 }
  const value = out.add(reduceNames[node.op] ?? node.op, [x, at], attributes, name)
  if (last && keep) emitter.setLast(name, value)
  else emitter.setFirst(name, value)
}

/** alpha · A · B + beta · C */
const writeGemm: Write = (node, emitter) => {
  const [input = '', weightName = '', biasName = ''] = node.inputs
  const name = outputOf(node)
  const { out } = emitter
  const weights = emitter.constant(weightName)
  const bias = emitter.constant(biasName)
  const unscaled = floatAttribute(node, 'alpha', 1) === 1 && floatAttribute(node, 'beta', 1) === 1
  if (weights?.shape.length !== 2 || !unscaled || (biasName !== '' && bias === undefined)) {
    throw unsupported(node.op, node.name, 'its weights are computed')
  }
  const matrix = float32(weights.shape, toFloat32(weights))
  const turned = intAttribute(node, 'transB', 0) === 1 ? transpose(matrix, [1, 0]) : matrix
  const kernel = out.floats(turned.data, turned.shape, `${name}/kernel`)
  const turns = {
    transpose_a: attr.bool(intAttribute(node, 'transA', 0) === 1),
    transpose_b: attr.bool(false),
  }
  const x = emitter.first(input)
  if (bias === undefined) {
    emitter.setFirst(name, out.add('MatMul', [x, kernel], turns, name))
    return
  }
  const shift = out.floats(toFloat32(bias), [bias.data.length], `${name}/bias`)
  const fused = { ...turns, fused_ops: attr.texts(['BiasAdd']), num_args: attr.int(1) }
  emitter.setFirst(name, out.add('_FusedMatMul', [x, kernel, shift], fused, name))
}

const writeMatMul: Write = (node, emitter) => {
  const [a = '', b = ''] = node.inputs
  const name = outputOf(node)
  const flat = emitter.rank(a, node) === 2 && emitter.rank(b, node) === 2
  const turns: Record<string, AttributeValue> = flat
    ? { transpose_a: attr.bool(false), transpose_b: attr.bool(false) }
    : { adj_x: attr.bool(false), adj_y: attr.bool(false) }
  const op = flat ? 'MatMul' : 'BatchMatMulV2'
  emitter.setFirst(name, emitter.out.add(op, [emitter.first(a), emitter.first(b)], turns, name))
}

export const layoutWriters: Record<string, Write> = {
  Reshape: writeReshape,
  Flatten: writeReshape,
  Squeeze: writeReshape,
  Unsqueeze: writeReshape,
  Transpose: writeTranspose,
  Concat: writeConcat,
  Softmax: writeSoftmax,
  LogSoftmax: writeSoftmax,
  Slice: writeSlice,
  Split: writeSplit,
  Pad: writePad,
  Gather: writeGather,
  ReduceMean: writeReduce,
  ReduceSum: writeReduce,
  ReduceMax: writeReduce,
  ReduceMin: writeReduce,
  Gemm: writeGemm,
  MatMul: writeMatMul,
}
