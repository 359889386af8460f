import { parentPort, workerData } from 'node:worker_threads'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import type { Graph } from '../types.ts'
import { readKerasArchive } from './archive.ts'
import { readKerasH5 } from './legacy.ts'
import { kerasTaskSchema, type FromKerasWorker } from './messages.ts'

/** Reads one Keras file in a thread of its own; see `readKeras`. */
const port = parentPort
if (!port) throw new KestrelError('internal', 'The Keras reader was started outside a worker thread.')
const send = (message: FromKerasWorker, transfer: ArrayBuffer[] = []): void =>
  port.postMessage(message, transfer)

/** The weights change hands without being copied. */
function buffersOf(graph: Graph): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>()
  for (const { data } of graph.initialisers.values()) {
    if (ArrayBuffer.isView(data) && data.buffer instanceof ArrayBuffer) buffers.add(data.buffer)
  }
  return [...buffers]
}

try {
  const { format, file, defaultSize } = kerasTaskSchema.parse(workerData)
  const graph =
    format === 'keras-h5' ? await readKerasH5(file, defaultSize) : await readKerasArchive(file, defaultSize)
  send({ type: 'graph', graph }, buffersOf(graph))
} catch (error) {
  const known = error instanceof KestrelError ? error : null
  const unexpected = new KestrelError('backbone-damaged', 'This Keras file is damaged: it cannot be read.', {
    remedy: 'Fetch the file again from where it came.',
    cause: error,
  })
  send({ type: 'failed', error: toWire(known ?? unexpected), detail: String(error) })
}
