import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fromWire, KestrelError } from '#shared/errors/index.ts'
import { workerUrl } from '#shared/util/worker-url.ts'
import type { BatchPlan, BatchRecipe, FromBatchWorker, ToBatchWorker } from './batch-messages.ts'
import type { SharedPixels } from './pixel-reader.ts'

/** A worker that was asked to end and does not is ended from outside after this long. */
const END_DEADLINE = 3000
/** Steps in a row that had to wait before another thread is started. */
const PATIENCE = 3

/** A batch buffer in shared memory, used again and again. */
export interface BatchBuffer {
  id: number
  values: Float32Array
}

/**
 * The threads that make batches of one store of pictures, shared by the streams of a training (training, validation).
 * It begins with one and starts another when steps keep waiting although all are at work: the training step wants every
 * core, and threads that are not needed would only take turns with it.
 */
export class BatchThreads {
  private readonly pixels: SharedPixels
  private readonly most: number
  private readonly members: Member[] = []
  private readonly recipes = new Map<number, BatchRecipe>()
  private readonly buffers = new Map<number, BatchBuffer>()
  private readonly spare: BatchBuffer[] = []
  private next = 0
  private waits = 0
  private failure: Error | null = null

  /** @param most threads at most; default: all cores */
  constructor(pixels: SharedPixels, most: number = availableParallelism()) {
    this.pixels = pixels
    this.most = Math.max(1, most)
  }

  /** How many are running. */
  get size(): number {
    return this.members.length
  }

  /** @returns the number by which batches of this recipe are asked for. */
  addRecipe(recipe: BatchRecipe): number {
    const stream = this.next++
    this.recipes.set(stream, recipe)
    this.tellAll({ type: 'recipe', stream, recipe })
    return stream
  }

  dropRecipe(stream: number): void {
    this.recipes.delete(stream)
    this.tellAll({ type: 'drop-recipe', stream })
  }

  /** A buffer of this many numbers, an earlier one where there is one to spare. */
  takeBuffer(length: number): BatchBuffer {
    const at = this.spare.findIndex(({ values }) => values.length === length)
    if (at >= 0) return this.spare.splice(at, 1)[0]!
    // Sizes change seldom (another stream): what does not fit now is not kept for later.
    for (const { id } of this.spare.splice(0)) {
      this.buffers.delete(id)
      this.tellAll({ type: 'drop-buffer', buffer: id })
    }
    const values = new Float32Array(new SharedArrayBuffer(length * 4))
    const buffer = { id: this.next++, values }
    this.buffers.set(buffer.id, buffer)
    this.tellAll(bufferMessage(buffer))
    return buffer
  }

  /** Only when nothing is being written to it any more. */
  giveBuffer(buffer: BatchBuffer): void {
    this.spare.push(buffer)
  }

  /** @returns null once the batch is in the buffer, or why it is not; never rejects. */
  fill(stream: number, buffer: BatchBuffer, plan: BatchPlan): Promise<Error | null> {
    if (this.failure) return Promise.resolve(this.failure)
    if (this.members.length === 0) this.grow()
    const idlest = this.members.reduce((best, member) => (member.load < best.load ? member : best))
    return idlest.fill({ type: 'fill', job: this.next++, stream, buffer: buffer.id, plan })
  }

  /** Said before every step: whether its batch was still being made. */
  noteWait(waited: boolean): void {
    const busy = this.members.every(({ hasDelivered, load }) => hasDelivered && load > 0)
    this.waits = waited && busy ? this.waits + 1 : 0
    if (this.waits < PATIENCE || this.members.length >= this.most || this.failure) return
    this.waits = 0
    this.grow()
  }

  /** Ends the threads; batches still being made are given back as stopped. Safe to call twice. */
  async close(): Promise<void> {
    this.fail(new KestrelError('stopped', 'Stopped.'))
    await Promise.all(this.members.map((member) => member.end()))
  }

  private grow(): void {
    const member = new Member(this.pixels, (error) => this.fail(error))
    this.members.push(member)
    for (const [stream, recipe] of this.recipes) member.post({ type: 'recipe', stream, recipe })
    for (const buffer of this.buffers.values()) member.post(bufferMessage(buffer))
  }

  private fail(error: Error): void {
    if (this.failure) return
    this.failure = error
    for (const member of this.members) member.abandon(error)
  }

  private tellAll(message: ToBatchWorker): void {
    for (const member of this.members) member.post(message)
  }
}

const bufferMessage = ({ id, values }: BatchBuffer): ToBatchWorker => ({
  type: 'buffer',
  buffer: id,
  bytes: values.buffer as SharedArrayBuffer,
})

class Member {
  hasDelivered = false
  private readonly worker: Worker
  private readonly jobs = new Map<number, (outcome: Error | null) => void>()
  private readonly exited: Promise<void>

  constructor(pixels: SharedPixels, onFailure: (error: Error) => void) {
    this.worker = new Worker(workerUrl('./batch-worker.ts', import.meta.url), { workerData: pixels })
    this.worker.on('message', ({ job, error }: FromBatchWorker) => {
      this.hasDelivered = true
      const settle = this.jobs.get(job)
      this.jobs.delete(job)
      settle?.(error && fromWire(error))
    })
    this.worker.on('error', (error) => onFailure(crash(error)))
    this.exited = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        if (code !== 0) onFailure(crash(new Error(`the batch worker ended with code ${code}`)))
        resolve()
      })
    })
  }

  get load(): number {
    return this.jobs.size
  }

  fill(message: Extract<ToBatchWorker, { type: 'fill' }>): Promise<Error | null> {
    return new Promise((resolve) => {
      this.jobs.set(message.job, resolve)
      this.post(message)
    })
  }

  post(message: ToBatchWorker): void {
    this.worker.postMessage(message)
  }

  abandon(error: Error): void {
    for (const settle of this.jobs.values()) settle(error)
    this.jobs.clear()
  }

  async end(): Promise<void> {
    this.post({ type: 'end' })
    const deadline = setTimeout(() => void this.worker.terminate(), END_DEADLINE)
    await this.exited
    clearTimeout(deadline)
  }
}

const crash = (cause: unknown): KestrelError =>
  new KestrelError('training-crashed', 'A part of the training process stopped working.', {
    kept: 'What was learned up to the last finished epoch is kept.',
    remedy: 'Try again.',
    cause,
  })
