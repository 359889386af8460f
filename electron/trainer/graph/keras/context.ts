import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import type { GraphBuilder } from '../builder.ts'
import { float32 } from '../tensor.ts'
import type { Tensor } from '../types.ts'
import type { KerasLayer } from './config.ts'

/**
 * A Keras tensor on its way into the graph. `shape` is as Keras says it, batch first and channels last (null: not
 * fixed); the graph holds four-dimensional values as [batch, channels, height, width] and all others as Keras does.
 */
export interface KerasValue {
  name: string
  shape: readonly (number | null)[]
}

export interface NamedWeight {
  /** Last part of the name the file gives, such as `kernel`. */
  name: string
  value: Extract<Tensor, { type: 'float32' }>
}

/** Weights of a layer in the file's order; `path` is the layer's name after those of the models around it. */
export type WeightSource = (layer: KerasLayer, path: readonly string[]) => readonly NamedWeight[]

export interface LayerContext {
  builder: GraphBuilder
  layer: KerasLayer
  /** Names of the values in the graph begin with this. */
  label: string
  /** 1, 2 or 3: some activations changed their meaning. */
  kerasMajor: number
  weights: readonly NamedWeight[]
}

export type LayerReader = (inputs: readonly (KerasValue | number)[], context: LayerContext) => KerasValue

const inLayer = (context: LayerContext): string =>
  `layer "${context.layer.name}" (${context.layer.className})`

export const unsupportedIn = (context: LayerContext, what: string): KestrelError =>
  new KestrelError('operator-unsupported', `Kestrel cannot read ${inLayer(context)} of this model: ${what}.`)

export const damagedIn = (context: LayerContext, what: string, cause?: unknown): KestrelError =>
  new KestrelError('backbone-damaged', `The model file is damaged at ${inLayer(context)}: ${what}.`, {
    cause,
  })

/** The layer's settings, checked. Throws `backbone-damaged` for those that make no sense. */
export function settings<T extends z.ZodType>(context: LayerContext, schema: T): z.infer<T> {
  const parsed = schema.safeParse(context.layer.config)
  if (!parsed.success) throw damagedIn(context, 'its settings make no sense', parsed.error)
  return parsed.data
}

export function single(inputs: readonly (KerasValue | number)[], context: LayerContext): KerasValue {
  const [value] = inputs
  if (value === undefined || typeof value === 'number') throw damagedIn(context, 'it has no input')
  return value
}

/**
 * A weight by its Keras name; files that keep only the order give it by `index`. Throws `backbone-damaged` when it is
 * missing or has another shape (null: any size).
 */
export function weight(
  context: LayerContext,
  name: string,
  index: number,
  shape: readonly (number | null)[],
): Extract<Tensor, { type: 'float32' }> {
  const byName = context.weights.find((entry) => entry.name === name)
  const found = byName ?? context.weights.find((entry, at) => at === index && /^\d+$/.test(entry.name))
  if (found === undefined) throw damagedIn(context, `the weights "${name}" are missing`)
  const { value } = found
  const fits =
    value.shape.length === shape.length &&
    shape.every((size, axis) => size === null || size === value.shape[axis])
  if (!fits) {
    throw damagedIn(
      context,
      `the weights "${name}" have the shape [${value.shape.join(', ')}], not [${shape.map((size) => size ?? 'any').join(', ')}]`,
    )
  }
  return value
}

/** Channels of a value; throws when Keras left them open. */
export function channelsOf(value: KerasValue, context: LayerContext): number {
  const channels = value.shape.at(-1)
  if (channels === null || channels === undefined) {
    throw unsupportedIn(context, 'the number of channels is not fixed')
  }
  return channels
}

export function requireRank(value: KerasValue, rank: number, context: LayerContext): void {
  if (value.shape.length !== rank) {
    throw unsupportedIn(context, `its input has ${value.shape.length} dimensions instead of ${rank}`)
  }
}

/** Axis of a Keras value (channels last) to the axis of the value in the graph (channels first when rank is 4). */
export function graphAxis(axis: number, rank: number, context: LayerContext): number {
  const positive = axis < 0 ? axis + rank : axis
  if (positive < 0 || positive >= rank) throw damagedIn(context, `the axis ${axis} does not exist`)
  return rank === 4 ? [0, 2, 3, 1][positive]! : positive
}

/** A constant per channel that broadcasts over a value in the graph's layout. */
export function perChannel(
  context: LayerContext,
  wanted: string,
  data: ArrayLike<number>,
  rank: number,
): string {
  const shape = rank === 4 ? [1, data.length, 1, 1] : [data.length]
  return context.builder.constant(`${context.label}/${wanted}`, float32(shape, data))
}

export const pair = z.union([
  z.tuple([z.int().min(1).max(4096), z.int().min(1).max(4096)]),
  z
    .int()
    .min(1)
    .max(4096)
    .transform((size): [number, number] => [size, size]),
])

/** Keras writes `data_format` only where it can differ; only channels-last models are read. */
export function requireChannelsLast(context: LayerContext): void {
  if (context.layer.config['data_format'] === 'channels_first') {
    throw unsupportedIn(context, 'it keeps channels first')
  }
}
