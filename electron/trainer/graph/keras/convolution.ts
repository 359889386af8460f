import { z } from 'zod'
import { float32, int64s, tensor, transpose } from '../tensor.ts'
import { int, ints, string } from '../types.ts'
import { activate } from './activations.ts'
import {
  channelsOf,
  pair,
  requireChannelsLast,
  requireRank,
  settings,
  single,
  unsupportedIn,
  weight,
} from './context.ts'
import type { KerasValue, LayerContext, LayerReader } from './context.ts'

const padding = z.enum(['valid', 'same'])
export type Padding = z.infer<typeof padding>

interface Window {
  kernel: readonly [number, number]
  strides: readonly [number, number]
  dilations: readonly [number, number]
  padding: Padding
}

/**
 * Size after a sliding window, and the padding before and after that TensorFlow's rule asks for
 * (tensorflow.org/api_docs/python/tf/nn, "Notes on padding"): with `same` the output is ceil(size / stride), what is
 * missing is divided evenly and the odd one goes after.
 */
export function windowAlong(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  mode: Padding,
): { out: number; before: number; after: number } {
  const reach = (kernel - 1) * dilation + 1
  if (mode === 'valid') return { out: Math.floor((size - reach) / stride) + 1, before: 0, after: 0 }
  const out = Math.ceil(size / stride)
  const total = Math.max((out - 1) * stride + reach - size, 0)
  const before = Math.floor(total / 2)
  return { out, before, after: total - before }
}

/** Attributes for Conv and the poolings, and the size of the result as [height, width]. */
export function windowAttributes(value: KerasValue, window: Window, context: LayerContext, dilated = true) {
  const along = ([1, 2] as const).map((axis) => {
    const size = value.shape[axis]
    if (size === null || size === undefined) return null
    const at = axis - 1
    const result = windowAlong(
      size,
      window.kernel[at]!,
      window.strides[at]!,
      window.dilations[at]!,
      window.padding,
    )
    if (result.out < 1) throw unsupportedIn(context, 'its window is larger than the picture that reaches it')
    return result
  })
  const [vertical, horizontal] = along
  const fixed = vertical && horizontal
  return {
    size: [vertical?.out ?? null, horizontal?.out ?? null] as const,
    attributes: {
      kernel_shape: ints(window.kernel),
      strides: ints(window.strides),
      ...(dilated ? { dilations: ints(window.dilations) } : {}),
      ...(fixed
        ? { pads: ints([vertical.before, horizontal.before, vertical.after, horizontal.after]) }
        : window.padding === 'same'
          ? { auto_pad: string('SAME_UPPER') }
          : { pads: ints([0, 0, 0, 0]) }),
    },
  }
}

const base = {
  kernel_size: pair,
  strides: pair.default([1, 1]),
  dilation_rate: pair.default([1, 1]),
  padding,
  use_bias: z.boolean().default(true),
  activation: z.unknown(),
}
const convSchema = z.object({
  ...base,
  filters: z.int().min(1).max(65536),
  groups: z.int().min(1).default(1),
})
const depthwiseSchema = z.object({ ...base, depth_multiplier: z.int().min(1).max(256).default(1) })
const separableSchema = z.object({
  ...base,
  filters: z.int().min(1).max(65536),
  depth_multiplier: z.int().min(1).max(256).default(1),
})

/** Kernel [height, width, in, out] to ONNX's [out, in, height, width]. */
const conv2d: LayerReader = (inputs, context) => {
  const value = imageInput(inputs, context)
  const config = settings(context, convSchema)
  const inChannels = channelsOf(value, context) / config.groups
  const kernel = weight(context, 'kernel', 0, [...config.kernel_size, inChannels, config.filters])
  const bias = config.use_bias ? weight(context, 'bias', 1, [config.filters]) : undefined
  const out = convolve(value, transpose(kernel, [3, 2, 0, 1]), bias?.data, config, config.groups, context)
  return activate(out, config.activation, context)
}

/** Kernel [height, width, channels, multiplier]; output channel c · multiplier + m, as ONNX's groups order them. */
const depthwiseConv2d: LayerReader = (inputs, context) => {
  const value = imageInput(inputs, context)
  const config = settings(context, depthwiseSchema)
  const channels = channelsOf(value, context)
  const kernel = depthwiseKernel('depthwise_kernel', channels, config, context)
  const bias = config.use_bias ? weight(context, 'bias', 1, [channels * config.depth_multiplier]) : undefined
  const out = convolve(value, kernel, bias?.data, config, channels, context)
  return activate(out, config.activation, context)
}

const separableConv2d: LayerReader = (inputs, context) => {
  const value = imageInput(inputs, context)
  const config = settings(context, separableSchema)
  const channels = channelsOf(value, context)
  const spread = channels * config.depth_multiplier
  const depthwise = depthwiseKernel('depthwise_kernel', channels, config, context)
  const pointwise = weight(context, 'pointwise_kernel', 1, [1, 1, spread, config.filters])
  const bias = config.use_bias ? weight(context, 'bias', 2, [config.filters]) : undefined
  const middle = convolve(value, depthwise, undefined, config, channels, context)
  const plain = { kernel_size: [1, 1], strides: [1, 1], dilation_rate: [1, 1], padding: 'valid' } as const
  const out = convolve(middle, transpose(pointwise, [3, 2, 0, 1]), bias?.data, plain, 1, context)
  return activate(out, config.activation, context)
}

function depthwiseKernel(
  name: string,
  channels: number,
  config: { kernel_size: readonly [number, number]; depth_multiplier: number },
  context: LayerContext,
) {
  const [height, width] = config.kernel_size
  const shape = [height, width, channels, config.depth_multiplier]
  // Keras 3 calls the kernel of a depthwise layer just "kernel".
  const given = context.weights.some((entry) => entry.name === name) ? name : 'kernel'
  const turned = transpose(weight(context, given, 0, shape), [2, 3, 0, 1])
  return tensor('float32', [channels * config.depth_multiplier, 1, height, width], turned.data)
}

function imageInput(inputs: readonly (KerasValue | number)[], context: LayerContext): KerasValue {
  const value = single(inputs, context)
  requireRank(value, 4, context)
  requireChannelsLast(context)
  return value
}

function convolve(
  value: KerasValue,
  kernel: ReturnType<typeof float32>,
  bias: Float32Array | undefined,
  config: {
    kernel_size: readonly [number, number]
    strides: readonly [number, number]
    dilation_rate: readonly [number, number]
    padding: Padding
  },
  groups: number,
  context: LayerContext,
): KerasValue {
  const window = {
    kernel: config.kernel_size,
    strides: config.strides,
    dilations: config.dilation_rate,
    padding: config.padding,
  }
  const { size, attributes } = windowAttributes(value, window, context)
  const { builder, label } = context
  const operands = [value.name, builder.constant(`${label}/kernel`, kernel)]
  if (bias !== undefined) operands.push(builder.constant(`${label}/bias`, float32([bias.length], bias)))
  const name = builder.node('Conv', operands, { ...attributes, group: int(groups) }, `${label}/Conv`)
  return { name, shape: [value.shape[0] ?? null, ...size, kernel.shape[0]!] }
}

const amount = z.int().min(0).max(4096)
const sides = z.union([
  amount.transform((all) => [all, all, all, all]),
  z.tuple([amount, amount]).transform(([v, h]) => [v, v, h, h]),
  z
    .tuple([z.tuple([amount, amount]), z.tuple([amount, amount])])
    .transform(([[top, bottom], [left, right]]) => [top, bottom, left, right]),
])

const zeroPadding2d: LayerReader = (inputs, context) => {
  const value = imageInput(inputs, context)
  const [top, bottom, left, right] = settings(context, z.object({ padding: sides })).padding as [
    number,
    number,
    number,
    number,
  ]
  const { builder, label } = context
  const pads = builder.constant(`${label}/pads`, int64s([0, 0, top, left, 0, 0, bottom, right]))
  const name = builder.node('Pad', [value.name, pads], { mode: string('constant') }, `${label}/Pad`)
  const [batch, height, width, channels] = value.shape
  return { name, shape: [batch!, grown(height, top + bottom), grown(width, left + right), channels!] }
}

const grown = (size: number | null | undefined, by: number): number | null =>
  size === null || size === undefined ? null : size + by

const cropping2d: LayerReader = (inputs, context) => {
  const value = imageInput(inputs, context)
  const [top, bottom, left, right] = settings(context, z.object({ cropping: sides })).cropping as [
    number,
    number,
    number,
    number,
  ]
  const [batch, height, width, channels] = value.shape
  if (typeof height !== 'number' || typeof width !== 'number') {
    throw unsupportedIn(context, 'the picture size is not fixed')
  }
  const { builder, label } = context
  const name = builder.node(
    'Slice',
    [
      value.name,
      builder.constant(`${label}/starts`, int64s([top, left])),
      builder.constant(`${label}/ends`, int64s([height - bottom, width - right])),
      builder.constant(`${label}/axes`, int64s([2, 3])),
    ],
    {},
    `${label}/Slice`,
  )
  return { name, shape: [batch!, height - top - bottom, width - left - right, channels!] }
}

export const convolutionReaders: Record<string, LayerReader> = {
  Conv2D: conv2d,
  Convolution2D: conv2d,
  DepthwiseConv2D: depthwiseConv2d,
  SeparableConv2D: separableConv2d,
  ZeroPadding2D: zeroPadding2d,
  Cropping2D: cropping2d,
}
