import { z } from 'zod'
import { float, int, ints } from '../types.ts'
import { float32, scalar } from '../tensor.ts'
import { channelsOf, graphAxis, perChannel, settings, single, unsupportedIn, weight } from './context.ts'
import type { LayerReader, NamedWeight } from './context.ts'

const axisSchema = z.union([
  z.int(),
  z.array(z.int()).transform((axes) => (axes.length === 1 ? axes[0]! : null)),
])

const batchSchema = z.object({
  axis: axisSchema.default(-1),
  epsilon: z.number().positive().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
})

/** Inference form: (x − mean) / √(variance + ε) · γ + β with the moving statistics. */
const batchNormalization: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { axis, epsilon, center, scale } = settings(context, batchSchema)
  const rank = value.shape.length
  if (axis === null || (axis !== -1 && axis !== rank - 1)) {
    throw unsupportedIn(context, 'it normalises another axis than the channels')
  }
  const channels = channelsOf(value, context)
  const { builder, label } = context
  // Left-out weights are left out of the order too.
  let index = 0
  const take = (name: string): NamedWeight['value'] => weight(context, name, index++, [channels])
  const gamma = scale ? take('gamma') : float32([channels], new Float32Array(channels).fill(1))
  const beta = center ? take('beta') : float32([channels], new Float32Array(channels))
  const mean = take('moving_mean')
  const variance = take('moving_variance')
  const name = builder.node(
    'BatchNormalization',
    [
      value.name,
      builder.constant(`${label}/gamma`, gamma),
      builder.constant(`${label}/beta`, beta),
      builder.constant(`${label}/moving_mean`, mean),
      builder.constant(`${label}/moving_variance`, variance),
    ],
    { epsilon: float(epsilon) },
    `${label}/BatchNormalization`,
  )
  return { name, shape: value.shape }
}

const layerNormSchema = z.object({
  axis: axisSchema.default(-1),
  epsilon: z.number().positive().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
})

/** Over the last axis; pictures are turned to channels last and back. */
const layerNormalization: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { axis, epsilon, center, scale } = settings(context, layerNormSchema)
  const rank = value.shape.length
  if (axis === null || (axis !== -1 && axis !== rank - 1)) {
    throw unsupportedIn(context, 'it normalises another axis than the last')
  }
  const channels = channelsOf(value, context)
  const { builder, label } = context
  let index = 0
  const ones = float32([channels], new Float32Array(channels).fill(1))
  const gamma = builder.constant(
    `${label}/gamma`,
    scale ? weight(context, 'gamma', index++, [channels]) : ones,
  )
  const beta = center ? [builder.constant(`${label}/beta`, weight(context, 'beta', index, [channels]))] : []
  const turn = (name: string, perm: readonly number[]): string =>
    rank === 4 ? builder.node('Transpose', [name], { perm: ints(perm) }, `${label}/Transpose`) : name
  const normal = builder.node(
    'LayerNormalization',
    [turn(value.name, [0, 2, 3, 1]), gamma, ...beta],
    { axis: int(-1), epsilon: float(epsilon) },
    `${label}/LayerNormalization`,
  )
  return { name: turn(normal, [0, 3, 1, 2]), shape: value.shape }
}

/** Keras' own ConvNeXt: x · γ, one factor per channel. */
const layerScale: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  // Saved without a name of its own.
  const name = context.weights[0]?.name ?? 'gamma'
  const gamma = weight(context, name, 0, [channelsOf(value, context)])
  const operand = perChannel(context, 'gamma', gamma.data, value.shape.length)
  return {
    name: context.builder.node('Mul', [value.name, operand], {}, `${context.label}/Mul`),
    shape: value.shape,
  }
}

const numberOrNumbers = z.union([z.number(), z.array(z.number())])

/** x · scale + offset */
const rescaling: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const { scale, offset } = settings(
    context,
    z.object({ scale: numberOrNumbers, offset: numberOrNumbers.default(0) }),
  )
  const { builder, label } = context
  const rank = value.shape.length
  const constant = (wanted: string, given: number | number[]): string =>
    typeof given === 'number'
      ? builder.constant(`${label}/${wanted}`, scalar(given))
      : perChannel(context, wanted, given, rank)
  let name = builder.node('Mul', [value.name, constant('scale', scale)], {}, `${label}/Mul`)
  if (offset !== 0) name = builder.node('Add', [name, constant('offset', offset)], {}, `${label}/Add`)
  return { name, shape: value.shape }
}

const normalizationSchema = z.object({
  axis: axisSchema.nullable().default(-1),
  mean: z.unknown().optional(),
  variance: z.unknown().optional(),
  invert: z.boolean().default(false),
})

/** (x − mean) / max(√variance, ε), ε = 1e-7, as keras.layers.Normalization */
const normalization: LayerReader = (inputs, context) => {
  const value = single(inputs, context)
  const config = settings(context, normalizationSchema)
  const rank = value.shape.length
  if (config.axis === null || graphAxis(config.axis, rank, context) !== graphAxis(-1, rank, context)) {
    throw unsupportedIn(context, 'it normalises another axis than the channels')
  }
  if (config.invert) throw unsupportedIn(context, 'it undoes a normalisation')
  const channels = channelsOf(value, context)
  const given = (setting: unknown, name: string, index: number): number[] => {
    if (setting === undefined || setting === null) {
      return Array.from(weight(context, name, index, [channels]).data)
    }
    const list = z.union([z.number(), z.array(z.unknown())]).safeParse(setting)
    const flat = list.success && typeof list.data === 'number' ? [list.data] : flatNumbers(list.data)
    return flat.length === 1 ? new Array<number>(channels).fill(flat[0]!) : flat
  }
  const mean = given(config.mean, 'mean', 0)
  const variance = given(config.variance, 'variance', 1)
  if (mean.length !== channels || variance.length !== channels) {
    throw unsupportedIn(context, 'its mean and variance are not one number per channel')
  }
  const { builder, label } = context
  const centred = builder.node(
    'Sub',
    [value.name, perChannel(context, 'mean', mean, rank)],
    {},
    `${label}/Sub`,
  )
  const spread = variance.map((square) => Math.max(Math.sqrt(square), 1e-7))
  const name = builder.node('Div', [centred, perChannel(context, 'spread', spread, rank)], {}, `${label}/Div`)
  return { name, shape: value.shape }
}

const flatNumbers = (value: unknown): number[] =>
  Array.isArray(value)
    ? value.flatMap(flatNumbers)
    : typeof value === 'number' && Number.isFinite(value)
      ? [value]
      : []

export const normalisationReaders: Record<string, LayerReader> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  LayerScale: layerScale,
  Rescaling: rescaling,
  Normalization: normalization,
}
