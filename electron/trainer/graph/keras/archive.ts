import { open } from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
import { z } from 'zod'
import { KestrelError } from '#shared/errors/index.ts'
import type { Graph } from '../types.ts'
import { buildGraph } from './build.ts'
import { parseModel } from './config.ts'
import type { KerasLayer, KerasModel } from './config.ts'
import type { WeightSource } from './context.ts'
import { withHdf5Bytes } from './hdf5.ts'
import type { Hdf5 } from './hdf5.ts'
import { parseJson } from './json.ts'

const maxConfigBytes = 64 * 2 ** 20
const maxWeightBytes = 1.5 * 2 ** 30

const damaged = (what: string, cause?: unknown): KestrelError =>
  new KestrelError('backbone-damaged', `This Keras file is damaged: ${what}.`, { cause })

/** Reads a `.keras` file: a zip of `config.json`, `metadata.json` and `model.weights.h5` (Keras 3, late Keras 2). */
export async function readKerasArchive(path: string, defaultSize = 224): Promise<Graph> {
  const parts = await unzip(path, {
    'config.json': maxConfigBytes,
    'metadata.json': maxConfigBytes,
    'model.weights.h5': maxWeightBytes,
  })
  const [config, weights] = [parts.get('config.json'), parts.get('model.weights.h5')]
  if (config === undefined || weights === undefined) {
    throw new KestrelError('backbone-unsupported', 'This zip file is not a Keras model.')
  }
  const model = parseModel(parseJson(new TextDecoder().decode(config), 'the description of the network'))
  const metadata = parts.get('metadata.json')
  const version = z
    .object({ keras_version: z.string() })
    .safeParse(metadata && parseJson(new TextDecoder().decode(metadata), 'its metadata'))
  const kerasMajor = version.success ? Number.parseInt(version.data.keras_version, 10) || 3 : 3
  return withHdf5Bytes(weights, (file) =>
    buildGraph(model, { kerasMajor, weights: archiveWeights(file, model), defaultSize }),
  )
}

/** Keras' own way of writing a class name in small letters (keras/src/utils/naming.py). */
export const snakeCase = (className: string): string =>
  className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()

/**
 * Weights stand under `layers/<class in small letters>[_n]/vars/0 …`, numbered in the order of the model's layers;
 * late files use the layers' names instead. Layers that hold layers nest another `layers`.
 */
function archiveWeights(file: Hdf5, model: KerasModel): WeightSource {
  const places = new Map<KerasLayer, string>()
  const walk = (part: KerasModel, root: string): void => {
    const container = ['layers', '_layer_checkpoint_dependencies'].find((name) => file.has(`${root}${name}`))
    if (container === undefined) return
    const used = new Map<string, number>()
    for (const layer of part.layers) {
      const kind = snakeCase(layer.className)
      const count = used.get(kind) ?? 0
      used.set(kind, count + 1)
      const numbered = `${root}${container}/${count === 0 ? kind : `${kind}_${count}`}`
      const named = `${root}${container}/${layer.name}`
      const place = file.has(numbered) ? numbered : named
      places.set(layer, place)
      if (layer.model !== null) walk(layer.model, `${place}/`)
    }
  }
  walk(model, '')
  return (layer) => {
    const place = places.get(layer)
    if (place === undefined) return []
    const indices = file.children(`${place}/vars`).toSorted((a, b) => Number(a) - Number(b))
    return indices.map((name) => ({ name, value: file.array(`${place}/vars/${name}`) }))
  }
}

/** The wanted entries of a zip, each held to its size limit while it is unpacked. */
async function unzip(
  path: string,
  limits: Readonly<Record<string, number>>,
): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>()
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    open(path, { lazyEntries: true, autoClose: false }, (error, opened) =>
      error === null ? resolve(opened) : reject(damaged('the zip cannot be opened', error)),
    )
  })
  await new Promise<void>((resolve, reject) => {
    zip.on('error', (error: Error) => reject(damaged('the zip cannot be read', error)))
    zip.on('end', resolve)
    zip.on('entry', (entry: Entry) => {
      const limit = Object.hasOwn(limits, entry.fileName) ? limits[entry.fileName] : undefined
      if (limit === undefined) {
        zip.readEntry()
        return
      }
      unpack(zip, entry, limit).then((data) => {
        found.set(entry.fileName, data)
        zip.readEntry()
      }, reject)
    })
    zip.readEntry()
  }).finally(() => zip.close())
  return found
}

async function unpack(zip: ZipFile, entry: Entry, limit: number): Promise<Uint8Array> {
  if (entry.uncompressedSize > limit) {
    throw new KestrelError('archive-too-large', `"${entry.fileName}" in this Keras file is too large.`)
  }
  const stream = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    zip.openReadStream(entry, (error, opened) =>
      error === null ? resolve(opened) : reject(damaged(`"${entry.fileName}" cannot be read`, error)),
    )
  })
  const chunks: Buffer[] = []
  try {
    for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array))
  } catch (error) {
    throw damaged(`"${entry.fileName}" cannot be unpacked`, error)
  }
  return Buffer.concat(chunks)
}
