import { z } from 'zod'
import { float32, int64s } from '../tensor.ts'
import { int, ints } from '../types.ts'
import { activate } from './activations.ts'
import { channelsOf, damagedIn, settings, single, unsupportedIn, weight } from './context.ts'
import type { KerasValue, LayerContext, LayerReader } from './context.ts'

const denseSchema = z.object({
  units: z.int().min(1).max(1_000_000),
  use_bias: z.boolean().default(true),
  activation: z.unknown(),
})

/** Kernel [in, units]. A four-dimensional input is a 1×1 convolution in the graph's layout. */
const dense: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { units, use_bias: useBias, activation } = settings(context, denseSchema)
  const length = channelsOf(value, context)
  const kernel = weight(context, 'kernel', 0, [length, units])
  const bias = useBias ? weight(context, 'bias', 1, [units]) : undefined
  const { builder, label } = context
  const shape = [...value.shape.slice(0, -1), units]
  const biasName = bias && builder.constant(`${label}/bias`, bias)
  if (value.shape.length === 4) {
    const turned = new Float32Array(kernel.data.length)
    for (let i = 0; i < length; i++) {
      for (let unit = 0; unit < units; unit++) turned[unit * length + i] = kernel.data[i * units + unit]!
    }
    const filters = builder.constant(`${label}/kernel`, float32([units, length, 1, 1], turned))
    const operands = [value.name, filters, ...(biasName === undefined ? [] : [biasName])]
    return activate({ name: builder.node('Conv', operands, {}, `${label}/Conv`), shape }, activation, context)
  }
  const kernelName = builder.constant(`${label}/kernel`, kernel)
  if (value.shape.length === 2) {
    const operands = [value.name, kernelName, ...(biasName === undefined ? [] : [biasName])]
    return activate({ name: builder.node('Gemm', operands, {}, `${label}/Gemm`), shape }, activation, context)
  }
  let name = builder.node('MatMul', [value.name, kernelName], {}, `${label}/MatMul`)
  if (biasName !== undefined) name = builder.node('Add', [name, biasName], {}, `${label}/Add`)
  return activate({ name, shape }, activation, context)
}

/** Brings a picture into Keras' order of values before its axes are merged. */
function channelsLast(value: KerasValue, context: LayerContext): string {
  if (value.shape.length !== 4) return value.name
  if (value.shape[1] === 1 && value.shape[2] === 1) return value.name
  const { builder, label } = context
  return builder.node('Transpose', [value.name], { perm: ints([0, 2, 3, 1]) }, `${label}/Transpose`)
}

const flatten: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const inner = value.shape.slice(1)
  const length = inner.reduce<number | null>((a, b) => (a === null || b === null ? null : a * b), 1)
  const { builder, label } = context
  const name = builder.node('Flatten', [channelsLast(value, context)], { axis: int(1) }, `${label}/Flatten`)
  return { name, shape: [value.shape[0]!, length] }
}

const reshape: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { target_shape: wanted } = settings(
    context,
    z.object({ target_shape: z.array(z.int().min(-1).nullable()).max(6) }),
  )
  const inner = value.shape.slice(1)
  if (inner.some((size) => size === null)) throw unsupportedIn(context, 'the size of its input is not fixed')
  const length = inner.reduce<number>((a, b) => a * (b ?? 1), 1)
  const known = wanted.reduce<number>((a, b) => (b === null || b === -1 ? a : a * b), 1)
  const target = wanted.map((size) => (size === null || size === -1 ? length / known : size))
  if (target.reduce((a, b) => a * b, 1) !== length || target.some((size) => !Number.isInteger(size))) {
    throw damagedIn(context, 'its target shape does not fit its input')
  }
  const { builder, label } = context
  const to = (shape: readonly number[], from: string): string =>
    builder.node('Reshape', [from, builder.constant(`${label}/shape`, int64s([-1, ...shape]))], {}, label)
  const shape = [value.shape[0]!, ...target]
  if (target.length !== 3) return { name: to(target, channelsLast(value, context)), shape }
  const [height, width, channels] = target as [number, number, number]
  if (height === 1 && width === 1) return { name: to([channels, 1, 1], channelsLast(value, context)), shape }
  const last = to([height, width, channels], channelsLast(value, context))
  return {
    name: builder.node('Transpose', [last], { perm: ints([0, 3, 1, 2]) }, `${label}/Transpose`),
    shape,
  }
}

const identity: LayerReader = (inputs, context) => single(inputs, context)

export const denseReaders: Record<string, LayerReader> = {
  Dense: dense,
  Flatten: flatten,
  Reshape: reshape,
  // These do something only while the model learns.
  Dropout: identity,
  SpatialDropout2D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  AlphaDropout: identity,
  StochasticDepth: identity,
  ActivityRegularization: identity,
  RandomFlip: identity,
  RandomRotation: identity,
  RandomZoom: identity,
  RandomContrast: identity,
  RandomTranslation: identity,
}
