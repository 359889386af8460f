import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import { GraphBuilder } from '../builder.ts'
import type { Graph } from '../types.ts'
import { activationReaders } from './activations.ts'
import type { KerasLayer, KerasModel, Ref } from './config.ts'
import { convolutionReaders } from './convolution.ts'
import { unsupportedIn } from './context.ts'
import type { KerasValue, LayerReader, WeightSource } from './context.ts'
import { denseReaders } from './dense.ts'
import { mergeReaders } from './merge.ts'
import { normalisationReaders } from './normalisation.ts'
import { poolingReaders } from './pooling.ts'

const readers: Record<string, LayerReader> = {
  ...activationReaders,
  ...convolutionReaders,
  ...denseReaders,
  ...mergeReaders,
  ...normalisationReaders,
  ...poolingReaders,
}

const readerOf = (className: string): LayerReader | undefined =>
  Object.hasOwn(readers, className) ? readers[className] : undefined

const size = z.int().min(1).max(16384).nullable()
const inputSchema = z
  .object({ batch_shape: z.array(size).optional(), batch_input_shape: z.array(size).optional() })
  .transform((config) => config.batch_shape ?? config.batch_input_shape)

export interface KerasBuildOptions {
  kerasMajor: number
  weights: WeightSource
  /** Height and width for models that take pictures of any size. */
  defaultSize: number
}

/**
 * A Keras model as a graph. Pictures come in as `input` [batch, channels, height, width]; values with four dimensions
 * are channels-first throughout, so that no transposition is left in a convolutional network.
 * Throws `operator-unsupported` (with the layer's name) for layers Kestrel does not read.
 */
export function buildGraph(model: KerasModel, options: KerasBuildOptions): Graph {
  if (model.inputs.length !== 1 || model.outputs.length !== 1) {
    throw new KestrelError(
      'backbone-unsupported',
      'This Keras model takes or gives more than one thing. A picture classifier has one input and one output.',
    )
  }
  const builder = new GraphBuilder(model.name)
  const input = inputOf(model, options.defaultSize)
  const [batch, ...inner] = input
  const [height, width, channels] = inner
  const graphShape = input.length === 4 ? [channels!, height!, width!] : inner
  const name = builder.input({ name: 'input', type: 'float32', shape: ['batch', ...graphShape] })
  const output = runModel(model, [{ name, shape: [batch ?? null, ...inner] }], [], builder, options)
  const outputShape = output.shape.slice(1)
  const [outHeight, outWidth, outChannels] = outputShape
  builder.output(output.name, {
    name: 'output',
    type: 'float32',
    shape: ['batch', ...(output.shape.length === 4 ? [outChannels!, outHeight!, outWidth!] : outputShape)],
  })
  return builder.build()
}

/** Shape of the model's input as Keras says it, the batch open and every other size fixed. */
function inputOf(model: KerasModel, defaultSize: number): (number | null)[] {
  const layer = model.layers.find((candidate) => candidate.name === model.inputs[0]?.layer)
  const parsed = inputSchema.safeParse(layer?.config)
  const inner = layer?.model ? inputOf(layer.model, defaultSize) : undefined
  const shape = inner ?? (parsed.success ? parsed.data : undefined)
  if (shape === undefined || shape.length < 2 || shape.length > 4) {
    throw new KestrelError('backbone-damaged', 'This Keras model does not say how large its input is.')
  }
  const [, ...rest] = shape
  if (rest.length === 3) return [null, rest[0] ?? defaultSize, rest[1] ?? defaultSize, rest[2] ?? 3]
  return [null, ...rest]
}

function runModel(
  model: KerasModel,
  inputs: readonly KerasValue[],
  path: readonly string[],
  builder: GraphBuilder,
  options: KerasBuildOptions,
): KerasValue {
  const layers = new Map(model.layers.map((layer) => [layer.name, layer]))
  const inputIndex = new Map(model.inputs.map((ref, index) => [ref.layer, index]))
  const done = new Map<string, KerasValue>()
  const keyOf = (ref: Ref): string => `${ref.node} ${ref.layer}`
  const callOf = (ref: Ref): { layer: KerasLayer; operands: (Ref | number)[] } => {
    const layer = layers.get(ref.layer)
    const call = layer?.calls[ref.node]
    if (layer === undefined || (call === undefined && !inputIndex.has(ref.layer)) || ref.tensor !== 0) {
      throw new KestrelError(
        'backbone-damaged',
        `The wiring of this Keras model is damaged at "${ref.layer}".`,
      )
    }
    return { layer, operands: call?.inputs ?? [] }
  }
  const run = (ref: Ref): KerasValue => {
    const { layer, operands } = callOf(ref)
    const index = inputIndex.get(ref.layer)
    if (index !== undefined && layer.calls.length === 0) {
      const given = inputs[index]
      if (given === undefined)
        throw new KestrelError('backbone-damaged', 'A model inside the model has no input.')
      return given
    }
    const values = operands.map((operand) =>
      typeof operand === 'number' ? operand : done.get(keyOf(operand))!,
    )
    return runLayer(layer, values, [...path, layer.name], builder, options)
  }
  // Depth first without recursion: published networks are hundreds of layers deep.
  const [output] = model.outputs
  if (output === undefined)
    throw new KestrelError('backbone-damaged', 'A model inside the model has no output.')
  const waiting: Ref[] = [output]
  const begun = new Set<string>()
  while (waiting.length > 0) {
    const ref = waiting.at(-1)!
    if (done.has(keyOf(ref))) {
      waiting.pop()
      continue
    }
    const missing = callOf(ref).operands.filter(
      (operand): operand is Ref => typeof operand !== 'number' && !done.has(keyOf(operand)),
    )
    if (missing.length === 0) {
      done.set(keyOf(ref), run(ref))
      waiting.pop()
      continue
    }
    if (begun.has(keyOf(ref))) {
      throw new KestrelError(
        'backbone-damaged',
        `The wiring of this Keras model runs in a circle at "${ref.layer}".`,
      )
    }
    begun.add(keyOf(ref))
    waiting.push(...missing.toReversed())
  }
  return done.get(keyOf(output))!
}

function runLayer(
  layer: KerasLayer,
  inputs: readonly (KerasValue | number)[],
  path: readonly string[],
  builder: GraphBuilder,
  options: KerasBuildOptions,
): KerasValue {
  if (layer.model !== null) {
    const values = inputs.filter((value): value is KerasValue => typeof value !== 'number')
    return runModel(layer.model, values, path, builder, options)
  }
  // An operator written as a layer keeps its real name in its settings.
  const operator = layer.className === 'TFOpLambda' || layer.className === 'SlicingOpLambda'
  const className = operator ? String(layer.config['function']) : layer.className
  const context = {
    builder,
    layer,
    label: path.join('/'),
    kerasMajor: options.kerasMajor,
    weights: options.weights(layer, path),
  }
  const reader = readerOf(className)
  if (reader === undefined) throw unsupportedIn(context, 'this kind of layer is not known to Kestrel')
  return reader(inputs, context)
}
