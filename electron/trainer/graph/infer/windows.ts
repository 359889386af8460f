import { intAttribute, intsAttribute } from '../types.ts'
import type { Dimension } from '../types.ts'
import { explicitTransposedWindow, reach as reachOf, windowOf } from '../window.ts'
import type { WrittenWindow } from '../window.ts'
import { mismatch } from './context.ts'
import type { InferRule, NodeContext } from './context.ts'
import { mapSize, product } from './dimensions.ts'

/** Size along one spatial axis: floor or ceil of (size + pads − reach) / stride + 1 (onnx.ai/onnx/operators). */
export function slide(size: number, window: WrittenWindow, axis: number, ceil: boolean): number {
  const stride = window.strides[axis] ?? 1
  const reach = reachOf(window, axis)
  if (window.autoPad.startsWith('SAME')) return Math.ceil(size / stride)
  const before = window.autoPad === 'VALID' ? 0 : (window.pads[axis] ?? 0)
  const after = window.autoPad === 'VALID' ? 0 : (window.pads[axis + window.kernel.length] ?? 0)
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

/** Weights are [in, out / groups, …]; the sizes are those of the input of the convolution it turns round. */
const convTranspose: InferRule = (context) => {
  const [x, w] = [context.input(0), context.input(1)]
  const rank = x.shape?.length
  if (x.shape === null || w.shape === null || rank === undefined) return [{ type: x.type, shape: null }]
  if (rank !== w.shape.length || rank < 3) throw mismatch(context.node, 'its kernel has another rank')
  const known = (shape: readonly Dimension[]): number[] => shape.slice(2).map((size) => Number(size ?? NaN))
  const { outputs } = explicitTransposedWindow(context.node, known(x.shape), known(w.shape))
  const channels = mapSize(w.shape[1], (size) => size * intAttribute(context.node, 'group', 1))
  const sizes = outputs.map((size) => (Number.isNaN(size) ? null : size))
  return [{ type: x.type, shape: [x.shape[0] ?? null, channels, ...sizes] }]
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

const normalise: InferRule = (context) => {
  const x = context.input(0)
  return [{ type: x.type, shape: x.shape }]
}

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
  BatchNormalization: normalise,
  InstanceNormalization: normalise,
  GroupNormalization: normalise,
  LayerNormalization: normalise,
  RMSNormalization: normalise,
  LRN: normalise,
  Dropout: normalise,
  Flatten: flatten,
}
