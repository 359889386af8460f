import { z } from 'zod'
import { int, ints } from '../types.ts'
import { windowAttributes } from './convolution.ts'
import { pair, requireChannelsLast, requireRank, settings, single, unsupportedIn } from './context.ts'
import type { LayerReader } from './context.ts'

const poolSchema = z.object({
  pool_size: pair.default([2, 2]),
  strides: pair.nullish(),
  padding: z.enum(['valid', 'same']).default('valid'),
})

/** TensorFlow leaves padded places out of the mean, as ONNX does by default. */
const pooling =
  (op: 'MaxPool' | 'AveragePool'): LayerReader =>
  (inputs, context) => {
    const value = single(inputs, context)
    requireRank(value, 4, context)
    requireChannelsLast(context)
    const config = settings(context, poolSchema)
    const window = {
      kernel: config.pool_size,
      strides: config.strides ?? config.pool_size,
      dilations: [1, 1] as const,
      padding: config.padding,
    }
    const { size, attributes } = windowAttributes(value, window, context, false)
    const name = context.builder.node(op, [value.name], attributes, `${context.label}/${op}`)
    return { name, shape: [value.shape[0]!, ...size, value.shape[3]!] }
  }

const globalSchema = z.object({ keepdims: z.boolean().default(false) })

const globalPooling =
  (op: 'GlobalAveragePool' | 'GlobalMaxPool'): LayerReader =>
  (inputs, context) => {
    const value = single(inputs, context)
    requireRank(value, 4, context)
    requireChannelsLast(context)
    const { keepdims } = settings(context, globalSchema)
    const { builder, label } = context
    const pooled = builder.node(op, [value.name], {}, `${label}/${op}`)
    const [batch, , , channels] = value.shape
    if (keepdims) return { name: pooled, shape: [batch!, 1, 1, channels!] }
    return {
      name: builder.node('Flatten', [pooled], { axis: int(1) }, `${label}/Flatten`),
      shape: [batch!, channels!],
    }
  }

/** `tf.reduce_mean` and the like are left to files that name the layer. */
const upSampling: LayerReader = (_inputs, context) => {
  throw unsupportedIn(context, 'layers that enlarge pictures have no place in a classifier')
}

const permute: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { dims } = settings(context, z.object({ dims: z.array(z.int().min(1)) }))
  if (value.shape.length === 4) throw unsupportedIn(context, 'swapping the axes of pictures is not read')
  const order = [0, ...dims]
  return {
    name: context.builder.node(
      'Transpose',
      [value.name],
      { perm: ints(order) },
      `${context.label}/Transpose`,
    ),
    shape: order.map((axis) => value.shape[axis] ?? null),
  }
}

export const poolingReaders: Record<string, LayerReader> = {
  MaxPooling2D: pooling('MaxPool'),
  AveragePooling2D: pooling('AveragePool'),
  GlobalAveragePooling2D: globalPooling('GlobalAveragePool'),
  GlobalMaxPooling2D: globalPooling('GlobalMaxPool'),
  UpSampling2D: upSampling,
  Permute: permute,
}
