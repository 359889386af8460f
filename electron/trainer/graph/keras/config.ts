import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'

/**
 * Keras describes a model as JSON: layers, their settings, and which layer's output goes where. Three dialects are
 * read here into one form: Keras 1/2 (also TF.js), Keras 3, and Sequential models without any wiring.
 */

/** Output `tensor` of the `node`-th call of a layer. */
export interface Ref {
  layer: string
  node: number
  tensor: number
}

/** One call of a layer: tensors, or plain numbers where an operation takes one (`x + 3`). */
export interface Call {
  inputs: (Ref | number)[]
}

export interface KerasLayer {
  name: string
  className: string
  /** Settings as written; each layer's reader checks those it uses. */
  config: Readonly<Record<string, unknown>>
  calls: Call[]
  /** For a model used as a layer. */
  model: KerasModel | null
}

export interface KerasModel {
  name: string
  layers: KerasLayer[]
  inputs: Ref[]
  outputs: Ref[]
}

const maxLayers = 5000
const maxDepth = 8

const layerSchema = z.object({
  class_name: z.string(),
  name: z.string().optional(),
  config: z.unknown(),
  inbound_nodes: z.array(z.unknown()).optional(),
})

const modelSchema = z.object({ class_name: z.string(), config: z.unknown() })

const graphConfigSchema = z.object({
  name: z.string().optional(),
  layers: z.array(layerSchema).max(maxLayers),
  input_layers: z.unknown().optional(),
  output_layers: z.unknown().optional(),
})

const unsupported = (what: string): KestrelError =>
  new KestrelError('backbone-unsupported', `This Keras model cannot be used: ${what}.`)

export const modelClasses = new Set(['Functional', 'Model', 'Sequential'])

/** Checks and normalises a model's JSON. Throws `backbone-damaged` or `backbone-unsupported`. */
export function parseModel(json: unknown, depth = 0): KerasModel {
  const model = modelSchema.safeParse(json)
  if (!model.success) {
    throw new KestrelError(
      'backbone-damaged',
      'The description of the Keras model in this file is damaged.',
      {
        cause: model.error,
      },
    )
  }
  if (depth > maxDepth) throw unsupported('its models are nested too deeply')
  const { class_name: className } = model.data
  if (!modelClasses.has(className)) {
    throw unsupported(
      `it is a "${className}", and only Functional and Sequential models say how they are wired`,
    )
  }
  // Keras 1 and early TF.js wrote the layers of a Sequential as a bare list.
  const raw = Array.isArray(model.data.config) ? { layers: model.data.config } : model.data.config
  const config = graphConfigSchema.safeParse(raw)
  if (!config.success) {
    throw new KestrelError('backbone-damaged', 'The layers of the Keras model in this file are damaged.', {
      cause: config.error,
    })
  }
  const { name = 'model', layers: written, input_layers, output_layers } = config.data
  const sequential = className === 'Sequential'
  const layers = written.map((layer) => parseLayer(layer, depth))
  const names = new Set(layers.map((layer) => layer.name))
  if (names.size !== layers.length) throw unsupported('two layers have the same name')
  if (sequential) return wireSequential(name, layers)
  return { name, layers, inputs: parseRefs(input_layers), outputs: parseRefs(output_layers) }
}

function parseLayer(layer: z.infer<typeof layerSchema>, depth: number): KerasLayer {
  const parsed = z.record(z.string(), z.unknown()).safeParse(layer.config)
  const config = parsed.success ? parsed.data : {}
  const nested = modelClasses.has(layer.class_name)
  const name = layer.name ?? (typeof config['name'] === 'string' ? config['name'] : undefined)
  if (name === undefined) throw unsupported('a layer has no name')
  return {
    name,
    className: layer.class_name,
    config,
    calls: (layer.inbound_nodes ?? []).map(parseCall),
    model: nested ? parseModel({ class_name: layer.class_name, config: layer.config }, depth + 1) : null,
  }
}

/** Without wiring each layer feeds the next; an input layer is added where the first layer only states its shape. */
function wireSequential(name: string, layers: KerasLayer[]): KerasModel {
  const first = layers[0]
  if (first === undefined) throw unsupported('it has no layers')
  const all = first.className === 'InputLayer' ? layers : [inputFor(first), ...layers]
  const wired = all.map((layer, index): KerasLayer => {
    const before = all[index - 1]
    return { ...layer, calls: before === undefined ? [] : [{ inputs: [refTo(before.name)] }] }
  })
  const [head, last] = [wired[0], wired.at(-1)]
  if (head === undefined || last === undefined) throw unsupported('it has no layers')
  return { name, layers: wired, inputs: [refTo(head.name)], outputs: [refTo(last.name)] }
}

const refTo = (layer: string): Ref => ({ layer, node: 0, tensor: 0 })

function inputFor(first: KerasLayer): KerasLayer {
  let shape = first.config['batch_input_shape'] ?? first.config['batch_shape']
  const inner = first.model?.layers.find((layer) => layer.className === 'InputLayer')
  shape ??= inner?.config['batch_input_shape'] ?? inner?.config['batch_shape']
  if (shape === undefined) throw unsupported('it does not say how large its input is')
  return {
    name: `${first.name}_input`,
    className: 'InputLayer',
    config: { batch_shape: shape },
    calls: [],
    model: null,
  }
}

const historySchema = z.tuple([z.string(), z.int().min(0), z.int().min(0)])
const kerasTensorSchema = z.object({
  class_name: z.literal('__keras_tensor__'),
  config: z.object({ keras_history: historySchema }),
})
const oldRefSchema = z.tuple([z.string(), z.int().min(0), z.int().min(0)]).rest(z.unknown())

function parseCall(node: unknown): Call {
  const inputs: (Ref | number)[] = []
  if (Array.isArray(node)) {
    // Keras 1/2: one call is a list of [layer, node, tensor, {further arguments}]; a single one may stand bare.
    const entries = oldRefSchema.safeParse(node).success ? [node] : node
    for (const entry of entries) {
      const ref = oldRefSchema.safeParse(entry)
      if (!ref.success) throw unsupported('its wiring is written in an unknown way')
      inputs.push({ layer: ref.data[0], node: ref.data[1], tensor: ref.data[2] })
      inputs.push(...operands(ref.data[3]))
    }
    return { inputs }
  }
  const call = z.object({ args: z.array(z.unknown()) }).safeParse(node)
  if (!call.success) throw unsupported('its wiring is written in an unknown way')
  const visit = (value: unknown): void => {
    const tensor = kerasTensorSchema.safeParse(value)
    if (tensor.success) {
      const [layer, nodeIndex, tensorIndex] = tensor.data.config.keras_history
      inputs.push({ layer, node: nodeIndex, tensor: tensorIndex })
    } else if (typeof value === 'number') inputs.push(value)
    else if (Array.isArray(value)) value.forEach(visit)
  }
  call.data.args.forEach(visit)
  return { inputs }
}

/** Second operand of operators such as `tf.math.multiply`: `{ y: 0.5 }` or `{ y: [layer, node, tensor] }`. */
function operands(kwargs: unknown): (Ref | number)[] {
  const parsed = z.object({ y: z.unknown() }).safeParse(kwargs)
  if (!parsed.success) return []
  const { y } = parsed.data
  if (typeof y === 'number') return [y]
  const ref = oldRefSchema.safeParse(y)
  return ref.success ? [{ layer: ref.data[0], node: ref.data[1], tensor: ref.data[2] }] : []
}

/** `["input", 0, 0]`, or a list of such. */
function parseRefs(value: unknown): Ref[] {
  const entries = historySchema.safeParse(value).success ? [value] : value
  const parsed = z.array(historySchema).min(1).safeParse(entries)
  if (!parsed.success) throw unsupported('it does not say where its inputs and outputs are')
  return parsed.data.map(([layer, node, tensor]) => ({ layer, node, tensor }))
}
