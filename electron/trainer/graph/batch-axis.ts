import { axesOf } from './infer/layout.ts'
import { elementwiseRules } from './infer/elementwise.ts'
import { factors, positiveAxis } from './infer/dimensions.ts'
import type { Inferred, NodeContext, Shape } from './infer/context.ts'
import { intAttribute } from './types.ts'
import type { Dimension, Node } from './types.ts'

/** What the free first dimension of the input is called. */
export const BATCH = 'batch'

type Known = ReadonlyMap<string, Inferred>

/** Whether pictures are counted along an axis, alone or with something else (`4*batch`: the heads of each). */
export const countsPictures = (size: Dimension | undefined): boolean =>
  typeof size === 'string' && factors(size).symbol === BATCH

/** The axes along which pictures are counted. */
export const batchAxes = (shape: Shape | undefined): number[] =>
  (shape ?? []).flatMap((size, axis) => (countsPictures(size) ? [axis] : []))

const product = (sizes: readonly Dimension[]): number | undefined =>
  sizes.every((size) => typeof size === 'number') ? sizes.reduce((a, b) => a * b, 1) : undefined

/**
 * How many numbers of one picture stand before its neighbour's in memory: the sizes before the batch, and what is counted
 * together with it further out. By size (`4*batch`); null where it is not the same for all values.
 */
export type Orders = ReadonlyMap<string, 'outer' | 'inner' | null>

/** Where the batch stands among the numbers of a value, counted by what is further out than it; undefined if not known. */
export function batchPlace(shape: Shape | undefined, orders: Orders): number | undefined {
  const axes = batchAxes(shape)
  const [axis] = axes
  if (!shape || axes.length !== 1 || axis === undefined) return undefined
  const [size, before] = [shape[axis] as string, product(shape.slice(0, axis))]
  const order = size === BATCH ? 'outer' : orders.get(size)
  if (before === undefined || !order) return undefined
  return order === 'outer' ? before : before * factors(size).factor
}

/** How sizes such as `4*batch` came together, from the reshapes that made them. */
export function ordersOf(nodes: readonly Node[], known: Known): Orders {
  const orders = new Map<string, 'outer' | 'inner' | null>()
  for (const node of nodes) {
    const inputs = node.inputs.map((name) => known.get(name)?.shape)
    for (const name of node.outputs) {
      const shape = known.get(name)?.shape
      for (const axis of batchAxes(shape)) {
        const size = shape![axis] as string
        const isNew = size !== BATCH && !inputs.some((input) => input?.includes(size))
        const reshapes = node.domain === '' && ['Reshape', 'Flatten'].includes(node.op)
        const renewed = reshapes && !inputs[0]?.includes(size)
        if (!isNew && !renewed) continue
        const [place, before] = [batchPlace(inputs[0], orders), product(shape!.slice(0, axis))]
        const { factor } = factors(size)
        const order =
          !reshapes || place === undefined || before === undefined
            ? null
            : place === before
              ? 'outer'
              : place === before * factor
                ? 'inner'
                : null
        orders.set(size, orders.has(size) && orders.get(size) !== order ? null : order)
      }
    }
  }
  return orders
}

/** Operators that do with each row of the first axis the same, whatever their other axes are for them. */
const rowwise = new Set([
  ...['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool'],
  ...['GlobalLpPool', 'BatchNormalization', 'InstanceNormalization', 'GroupNormalization', 'LRN', 'Resize'],
  ...['Upsample', 'DepthToSpace', 'SpaceToDepth', 'Pad'],
])
const moving = new Set([
  ...['Reshape', 'Flatten', 'Transpose', 'Squeeze', 'Unsqueeze', 'Expand', 'Tile', 'Shape', 'Size'],
])
const alongOneAxis = new Set(['Concat', 'Split', 'Gather', 'Slice', 'CumSum'])
const lanes = new Set(['Softmax', 'LogSoftmax', 'Hardmax', 'LpNormalization'])

const looksAlong = new Set(['LayerNormalization', 'MatMul', 'Gemm'])

/** Whether `mixesPictures` is certain of a node: its operator is known, and it takes nothing from the pictures of a training step. */
export const isUnderstood = (node: Node): boolean =>
  node.domain === '' &&
  intAttribute(node, 'training_mode', 0) === 0 &&
  (node.op.startsWith('Reduce') ||
    Object.hasOwn(elementwiseRules, node.op) ||
    [rowwise, moving, alongOneAxis, lanes, looksAlong].some((operators) => operators.has(node.op)))

/** Whether a node may give one picture something of another one. */
export function mixesPictures(node: Node, opset: number, known: Known): boolean {
  const shapes = node.inputs.map((name) => known.get(name)?.shape)
  const [first] = shapes
  const touched = shapes.flatMap(batchAxes)
  if (touched.length === 0) return false
  const onlyFirst = shapes.every((shape) => batchAxes(shape).every((axis) => axis === 0))
  if (node.domain !== '') return !onlyFirst
  const at = batchAxes(first)
  const rank = first?.length ?? 0
  const axis = (fallback: number): number => positiveAxis(intAttribute(node, 'axis', fallback), rank)
  if (moving.has(node.op)) return false
  if (rowwise.has(node.op)) return !onlyFirst
  if (lanes.has(node.op)) {
    const from = axis(opset < 13 && node.op !== 'LpNormalization' ? 1 : -1)
    return at.some((each) => (opset < 13 ? each >= from : each === from))
  }
  if (node.op === 'LayerNormalization') return at.some((each) => each >= axis(-1))
  if (node.op === 'Slice' || node.op === 'CumSum' || node.op.startsWith('Reduce')) {
    const context = contextOf(node, opset, known)
    const index = node.op === 'Slice' ? 3 : 1
    const axes = axesOf(context, index)?.map((each) => positiveAxis(each, rank))
    return at.some((each) => axes?.includes(each) ?? true)
  }
  if (alongOneAxis.has(node.op)) return touched.includes(axis(node.op === 'Concat' ? 1 : 0))
  if (node.op === 'MatMul') {
    const [a, b] = shapes
    return (a?.length ?? 0) < 2 || countsPictures(a?.at(-1)) || countsPictures(b?.at(-2))
  }
  if (node.op === 'Gemm') {
    const summed = (index: number, name: string, plain: number): boolean =>
      countsPictures(shapes[index]?.[intAttribute(node, name, 0) === 1 ? 1 - plain : plain])
    return summed(0, 'transA', 1) || summed(1, 'transB', 0)
  }
  return Object.hasOwn(elementwiseRules, node.op) ? node.op === 'MeanVarianceNormalization' : !onlyFirst
}

function contextOf(node: Node, opset: number, known: Known): NodeContext {
  const input = (index: number): Inferred =>
    known.get(node.inputs[index] ?? '') ?? { type: null, shape: null }
  return {
    ...{ node, opset, input },
    has: (index) => (node.inputs[index] ?? '') !== '',
    integers: (index) => {
      const { content } = input(index)
      return content?.every((size) => typeof size === 'number') ? content : undefined
    },
  }
}
