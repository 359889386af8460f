import { Worker } from 'node:worker_threads'
import { fromWire, KestrelError } from '#shared/errors/index.ts'
import { workerUrl } from '#shared/util/worker-url.ts'
import type { Graph } from '../types.ts'
import type { FromKerasWorker, KerasFormat, KerasTask } from './messages.ts'

/** The largest published networks are read in a few seconds. */
const patience = 120_000

/**
 * Reads a Keras model: `.h5` or `.keras`. The HDF5 library is C compiled to WebAssembly; it runs in a thread of its own,
 * so that a file made to confuse it can neither hang the app nor leave it in a broken state, and its memory is given
 * back. Throws `backbone-damaged`, `backbone-unsupported` or `operator-unsupported`.
 */
export async function readKeras(format: KerasFormat, file: string, defaultSize = 224): Promise<Graph> {
  const task: KerasTask = { format, file, defaultSize }
  const worker = new Worker(workerUrl('./keras-worker.ts', import.meta.url), {
    workerData: task,
    stdout: true,
    stderr: true,
  })
  // The library prints what it thinks of damaged files; the error says it.
  worker.stdout.resume()
  worker.stderr.resume()
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<Graph>((resolve, reject) => {
      const give = (what: string, cause?: unknown): void => reject(unreadable(what, cause))
      timer = setTimeout(() => give('reading it takes far too long'), patience)
      worker.on('message', (message: FromKerasWorker) => {
        if (message.type === 'graph') resolve(message.graph)
        else reject(fromWire(message.error))
      })
      worker.on('error', (error) => give('it cannot be read', error))
      worker.on('exit', () => give('it cannot be read'))
    })
  } finally {
    clearTimeout(timer)
    await worker.terminate()
  }
}

const unreadable = (what: string, cause: unknown): KestrelError =>
  new KestrelError('backbone-damaged', `This Keras file is damaged: ${what}.`, {
    remedy: 'Fetch the file again from where it came.',
    cause,
  })
