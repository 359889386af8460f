import { open, readFile, stat } from 'node:fs/promises'
import { KestrelError } from '#shared/errors/index.ts'
import { readKeras } from '../graph/keras/index.ts'
import { readOnnx } from '../graph/onnx/index.ts'
import { readTfjsLayers } from '../graph/tfjs/index.ts'
import type { Graph } from '../graph/types.ts'

export type ModelFormat = 'onnx' | 'keras-h5' | 'keras-archive' | 'tfjs-layers'

export interface ModelSource {
  format: ModelFormat
  /** Whole network of the file, classifier included. */
  graph: Graph
}

/** Image backbones are tens to hundreds of megabytes. */
const maxFileBytes = 1.5 * 2 ** 30

const begins = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  magic.every((byte, index) => bytes[index] === byte)

/** Tells model formats apart by their first bytes, never by the name of the file. */
export function sniffModel(bytes: Uint8Array): ModelFormat | undefined {
  if (begins(bytes, [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a])) return 'keras-h5'
  if (begins(bytes, [0x50, 0x4b, 0x03, 0x04])) return 'keras-archive'
  const first = bytes.find((byte) => ![0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf].includes(byte))
  if (first === 0x7b) return 'tfjs-layers'
  // An ONNX file begins with a small field: the version of its format, or the name of the program that wrote it.
  return bytes.length > 8 && [0x08, 0x12, 0x3a, 0x42].includes(bytes[0] ?? 0) ? 'onnx' : undefined
}

async function firstBytes(file: string): Promise<Uint8Array> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(new Uint8Array(64), 0, 64, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}

/**
 * Reads a network from a file a person gives. Throws `file-missing`, `file-empty`, `backbone-unsupported`,
 * `backbone-damaged` or `operator-unsupported`.
 */
export async function readModel(file: string): Promise<ModelSource> {
  const { size } = await stat(file)
  if (size === 0) throw new KestrelError('file-empty', 'This file is empty.')
  if (size > maxFileBytes) {
    throw new KestrelError('backbone-unsupported', 'This model is too large for Kestrel (more than 1.5 GB).')
  }
  const format = sniffModel(await firstBytes(file))
  switch (format) {
    case 'onnx':
      return { format, graph: readOnnx(await readFile(file)) }
    case 'keras-h5':
    case 'keras-archive':
      return { format, graph: await readKeras(format, file) }
    case 'tfjs-layers':
      return { format, graph: await readTfjsLayers(file, await readFile(file)) }
    case undefined:
      throw new KestrelError('backbone-unsupported', 'Kestrel does not know this kind of model file.', {
        remedy:
          'Use an ONNX file, a whole Keras model (.h5 or .keras), or the model.json of TensorFlow.js layers.',
      })
  }
}
