import { intAttribute, intsAttribute } from '../types.ts'
import type { Dimension } from '../types.ts'
import { explicitTransposedWindow, reach as reachOf, windowOf } from '../window.ts'
import type { Window, WrittenWindow } from '../window.ts'
import { mismatch } from './context.ts'
import type { InferRule, NodeContext } from './context.ts'
import { mapSize, product } from './dimensions.ts'

const padsOf = (window: Window, axis: number): [number, number] => [
  window.pads[axis] ?? 0,
  window.pads[axis + window.kernel.length] ?? 0,
]

/** Size along one spatial axis: floor or ceil of (size + pads − reach) / stride + 1 (onnx.ai/onnx/operators). */
export function slide(size: number, window: WrittenWindow, axis: number, ceil: boolean): number {
  const stride = window.strides[axis] ?? 1
  const reach = reachOf(window, axis)
  if (window.autoPad.startsWith('SAME')) return Math.ceil(size / stride)
  const [before, after] = window.autoPad === 'VALID' ? [0, 0] : padsOf(window, axis)
  const steps = (size + before + after - reach) / stride
  if (!ceil) return Math.floor(steps) + 1
  const out = Math.ceil(steps) + 1
  // A window that would start in the padding behind the picture is left out.
  return (out - 1) * stride >= size + before ? out - 1 : out
}

function spatialSizes(
  context: NodeContext,
  sizes: readonly Dimension[],
  window: WrittenWindow,
  ceil: boolean,
): Dimension[] {
  return sizes.map((size, axis) => {
    const out = mapSize(size, (known) => slide(known, window, axis, ceil))
    if (typeof out === 'number' && out < 1)
      throw mismatch(context.node, 'its window is larger than its input')
    return out
  })
}

const conv: InferRule = (context) => {
  const [x, w] = [context.input(0), context.input(1)]
  if (x.shape === null || w.shape === null) return [{ type: x.type, shape: null }]
  if (x.shape.length !== w.shape.length || x.shape.length < 3)
    throw mismatch(context.node, 'its kernel has another rank')
  const group = intAttribute(context.node, 'group', 1)
  const [inChannels, perGroup] = [x.shape[1], w.shape[1]]
  if (typeof inChannels === 'number' && typeof perGroup === 'number' && inChannels !== perGroup * group) {
    throw mismatch(context.node, `it takes ${perGroup * group} channels and gets ${inChannels}`)
  }
  const kernel = w.shape.slice(2)
  const known = intsAttribute(context.node, 'kernel_shape') ?? kernel.map((size) => Number(size ?? NaN))
  const window = windowOf(context.node, known)
  return [
    {
      type: x.type,
      shape: [
        x.shape[0] ?? null,
        w.shape[0] ?? null,
        ...spatialSizes(context, x.shape.slice(2), window, false),
      ],
    },
  ]
}

const pool: InferRule = (context) => {
  const x = context.input(0)
  const kernel = intsAttribute(context.node, 'kernel_shape')
  if (x.shape === null || kernel === undefined) return [{ type: x.type, shape: null }]
  const window = windowOf(context.node, kernel)
  const ceil = intAttribute(context.node, 'ceil_mode', 0) === 1
  const shape = [...x.shape.slice(0, 2), ...spatialSizes(context, x.shape.slice(2), window, ceil)]
  return [
    { type: x.type, shape },
    { type: 'int64', shape },
  ]
}

const globalPool: InferRule = (context) => {
  const x = context.input(0)
  return [{ type: x.type, shape: x.shape?.map((size, axis) => (axis < 2 ? size : 1)) ?? null }]
}

/** onnx.ai/onnx/operators/onnx__ConvTranspose.html */
const convTranspose: InferRule = (context) => {
  const [x, w] = [context.input(0), context.input(1)]
  if (x.shape === null || w.shape === null) return [{ type: x.type, shape: null }]
  const { node } = context
  const numbers = (shape: readonly Dimension[]): number[] => shape.slice(2).map((size) => Number(size ?? NaN))
  const { outputs } = explicitTransposedWindow(node, numbers(x.shape), numbers(w.shape))
  const sizes = outputs.map((size): Dimension => (Number.isNaN(size) ? null : size))
  const channels = mapSize(w.shape[1], (perGroup) => perGroup * intAttribute(node, 'group', 1))
  return [{ type: x.type, shape: [x.shape[0] ?? null, channels, ...sizes] }]
}

const normalise: InferRule = (context) => {
  const x = context.input(0)
  return [{ type: x.type, shape: x.shape }]
}

/** With `training_mode` the running statistics too. */
const batchNormalization: InferRule = (context) => [
  ...normalise(context),
  ...[3, 4].map((index) => ({ type: context.input(index).type, shape: context.input(index).shape })),
]

/** Mean and inverse deviation have one entry per lane. */
const layerNormalization: InferRule = (context) => {
  const { type, shape } = context.input(0)
  const axis = intAttribute(context.node, 'axis', -1)
  const from = axis < 0 ? axis + (shape?.length ?? 0) : axis
  const lanes = shape?.map((size, at): Dimension => (at < from ? size : 1)) ?? null
  // Statistics are 32-bit unless asked for in another type.
  const statistics = { type: 'float32' as const, shape: lanes }
  return [{ type, shape }, statistics, statistics]
}

const dropout: InferRule = (context) => [
  ...normalise(context),
  { type: 'bool', shape: context.input(0).shape },
]

/** ONNX Flatten: everything before `axis` becomes the first size, the rest the second. */
const flatten: InferRule = (context) => {
  const x = context.input(0)
  if (x.shape === null) return [{ type: x.type, shape: [null, null] }]
  const axis = intAttribute(context.node, 'axis', 1)
  const at = axis < 0 ? axis + x.shape.length : axis
  return [{ type: x.type, shape: [product(x.shape.slice(0, at)), product(x.shape.slice(at))] }]
}

export const windowRules: Record<string, InferRule> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
  BatchNormalization: batchNormalization,
  InstanceNormalization: normalise,
  GroupNormalization: normalise,
  LayerNormalization: layerNormalization,
  RMSNormalization: normalise,
  LRN: normalise,
  Dropout: dropout,
  Flatten: flatten,
}
