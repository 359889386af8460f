import { parentPort, workerData } from 'node:worker_threads'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import { readKerasArchive } from './archive.ts'
import { readKerasH5 } from './legacy.ts'
import { kerasTaskSchema, type FromKerasWorker } from './messages.ts'

/** Reads one Keras file in a thread of its own; see `readKeras`. */
const port = parentPort
if (!port) throw new KestrelError('internal', 'The Keras reader was started outside a worker thread.')
const send = (message: FromKerasWorker): void => port.postMessage(message)

try {
  const { format, bytes, defaultSize } = kerasTaskSchema.parse(workerData)
  const graph =
    format === 'keras-h5' ? await readKerasH5(bytes, defaultSize) : await readKerasArchive(bytes, defaultSize)
  send({ type: 'graph', graph })
} catch (error) {
  const known = error instanceof KestrelError ? error : null
  const unexpected = new KestrelError('backbone-damaged', 'This Keras file is damaged: it cannot be read.', {
    remedy: 'Fetch the file again from where it came.',
    cause: error,
  })
  send({ type: 'failed', error: toWire(known ?? unexpected), detail: String(error) })
}
