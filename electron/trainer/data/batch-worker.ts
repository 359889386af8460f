import { parentPort, workerData } from 'node:worker_threads'
import { KestrelError, toWire, type WireError } from '#shared/errors/index.ts'
import {
  batchRecipeSchema,
  batchWorkerDataSchema,
  type BatchPlan,
  type BatchRecipe,
  type FromBatchWorker,
  type ToBatchWorker,
} from './batch-messages.ts'
import { fillBatch } from './fill-batch.ts'
import { PixelReader } from './pixel-reader.ts'

/** Makes batches, one after the other, into shared buffers. */
const port = parentPort
if (!port) throw new KestrelError('internal', 'The batch worker was started outside a worker thread.')

const reader = new PixelReader(batchWorkerDataSchema.parse(workerData))
const buffers = new Map<number, Float32Array>()
const recipes = new Map<number, BatchRecipe>()

function fill(stream: number, buffer: number, plan: BatchPlan): WireError | null {
  const [recipe, target] = [recipes.get(stream), buffers.get(buffer)]
  try {
    if (!recipe || !target)
      throw new KestrelError('internal', 'A batch was asked for before it was described.')
    fillBatch(reader, recipe, plan, target)
    return null
  } catch (error) {
    return toWire(error)
  }
}

port.on('message', (message: ToBatchWorker) => {
  switch (message.type) {
    case 'buffer':
      buffers.set(message.buffer, new Float32Array(message.bytes))
      return
    case 'drop-buffer':
      buffers.delete(message.buffer)
      return
    case 'recipe':
      recipes.set(message.stream, batchRecipeSchema.parse(message.recipe))
      return
    case 'drop-recipe':
      recipes.delete(message.stream)
      return
    case 'fill': {
      const { job, stream, buffer, plan } = message
      port.postMessage({ job, error: fill(stream, buffer, plan) } satisfies FromBatchWorker)
      return
    }
    case 'end':
      port.close()
  }
})
