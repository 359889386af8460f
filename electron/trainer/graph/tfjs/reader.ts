import { readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, relative, resolve } from 'node:path'
import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import { buildGraph } from '../keras/build.ts'
import { modelClasses, parseModel } from '../keras/config.ts'
import type { NamedWeight, WeightSource } from '../keras/context.ts'
import { parseJson } from '../keras/json.ts'
import type { Graph, Tensor } from '../types.ts'
import { manifestSchema, unpackGroup } from './manifest.ts'
import type { Manifest } from './manifest.ts'

const maxJsonBytes = 64 * 2 ** 20
const maxWeightBytes = 1.5 * 2 ** 30

const fileSchema = z.object({
  format: z.string().optional(),
  modelTopology: z.unknown(),
  weightsManifest: manifestSchema,
})
const wrappedSchema = z.object({ model_config: z.unknown() })
const versionSchema = z.object({ keras_version: z.string() })

/**
 * Reads a TF.js layers model: `model.json` and, beside it, the weight files it names. Throws `backbone-damaged`,
 * `backbone-unsupported` (also for TF.js graph models, which keep no layers) or `operator-unsupported`.
 */
export async function readTfjsLayers(file: string, bytes: Uint8Array, defaultSize = 224): Promise<Graph> {
  if (bytes.length > maxJsonBytes)
    throw new KestrelError('backbone-unsupported', 'This model.json is too large.')
  const parsed = fileSchema.safeParse(parseJson(new TextDecoder().decode(bytes), 'model.json'))
  if (!parsed.success) {
    throw new KestrelError('backbone-unsupported', 'This JSON file is not a TensorFlow.js model.', {
      cause: parsed.error,
    })
  }
  const { modelTopology, weightsManifest } = parsed.data
  const wrapped = wrappedSchema.safeParse(modelTopology)
  const topology = wrapped.success ? wrapped.data.model_config : modelTopology
  const named = z.object({ class_name: z.string() }).safeParse(topology)
  if (!named.success || !modelClasses.has(named.data.class_name)) {
    throw new KestrelError(
      'backbone-unsupported',
      'This is a TensorFlow.js graph model, which keeps no layers.',
      {
        remedy: 'Add it as ONNX, as Kestrel exports its models too, or as a TensorFlow.js layers model.',
      },
    )
  }
  const weights = await readWeights(dirname(file), weightsManifest)
  const version = versionSchema.safeParse(modelTopology)
  const kerasMajor = version.success ? Number.parseInt(version.data.keras_version, 10) || 2 : 2
  return buildGraph(parseModel(topology), { kerasMajor, weights: flatWeights(weights), defaultSize })
}

async function readWeights(
  folder: string,
  manifest: Manifest,
): Promise<Map<string, Extract<Tensor, { type: 'float32' }>>> {
  const weights = new Map<string, Extract<Tensor, { type: 'float32' }>>()
  for (const [index, bytes] of (await readGroups(folder, manifest)).entries())
    for (const [name, value] of unpackGroup(manifest[index]!, bytes)) weights.set(name, value)
  return weights
}

/**
 * The bytes of each group of weights of a TF.js model, from the files that its manifest names.
 * @throws KestrelError `backbone-damaged` when it names files outside of its folder, `backbone-unsupported` when they are
 *   too large; system errors
 */
export async function readGroups(folder: string, manifest: Manifest): Promise<Uint8Array[]> {
  const groups: Uint8Array[] = []
  let total = 0
  for (const group of manifest) {
    const parts: Uint8Array[] = []
    for (const path of group.paths) {
      const full = resolve(folder, path)
      const inside = relative(folder, full)
      if (inside.startsWith('..') || isAbsolute(inside)) {
        throw new KestrelError(
          'backbone-damaged',
          'This TensorFlow.js model names weight files outside its folder.',
        )
      }
      total += (await stat(full)).size
      if (total > maxWeightBytes) {
        throw new KestrelError(
          'backbone-unsupported',
          'This model is too large for Kestrel (more than 1.5 GB).',
        )
      }
      parts.push(await readFile(full))
    }
    groups.push(Buffer.concat(parts))
  }
  return groups
}

/** Names are `layer/weight`; models inside a model do not appear in them, or appear in front. */
function flatWeights(weights: ReadonlyMap<string, Extract<Tensor, { type: 'float32' }>>): WeightSource {
  const byLayer = new Map<string, NamedWeight[]>()
  for (const [full, value] of weights) {
    const parts = full.split('/')
    const entry = { name: (parts.at(-1) ?? '').replace(/:\d+$/, ''), value }
    const layer = parts.at(-2) ?? ''
    byLayer.set(layer, [...(byLayer.get(layer) ?? []), entry])
  }
  return (layer) => byLayer.get(layer.name) ?? []
}
