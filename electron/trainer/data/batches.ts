import type { Scaling } from '#imaging/augment/index.ts'
import { isOff, type Augmentation, type Size } from '#shared/domain/augmentation/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import type { EpochOrder } from '#shared/domain/sampling.ts'
import { drawMixing, type MixingDraw, type MixingStrengths } from '#shared/domain/training/mixing.ts'
import { stoppedError } from '../host/context.ts'
import type { BatchPlan } from './batch-messages.ts'
import type { BatchBuffer, BatchThreads } from './batch-threads.ts'

/** Batches made or in the making while a step is at work. */
const AHEAD = 3

export interface BatchStreamOptions {
  order: EpochOrder
  /** Epochs in all; the stream ends with the last one. */
  epochs: number
  batchSize: number
  /** A last batch of an epoch with fewer pictures is left out, but for the only one. Default 1: none is. */
  smallestBatch?: number
  /** Where to begin; default: at the beginning. */
  from?: BatchPosition
  size: Size
  scaling: Scaling
  /** null: pictures as they are. */
  augmentation: Augmentation | null
  /** Pictures of a batch mixed with each other; default: not. */
  mixing?: MixingStrengths
  /** Of augmentation and mixing. */
  seed: number
  ahead?: number
}

/** Epoch, and batch within it, both counted from 0. */
export interface BatchPosition {
  epoch: number
  batch: number
}

export interface Batch extends BatchPosition {
  /** float32 `[rows, 3, height, width]` in shared memory; the next call of `next` writes over it. */
  x: Float32Array
  rows: Int32Array
  /** How `x` was mixed; targets are to be mixed alike (`mixTargets`). */
  mixing: MixingDraw
  /** Whether it is the last of its epoch. */
  last: boolean
}

interface Planned extends BatchPlan, BatchPosition {
  last: boolean
}

interface Ordered {
  planned: Planned
  buffer: BatchBuffer
  outcome: Promise<Error | null>
  settled: boolean
}

/**
 * The batches of a training, made in other threads while the step before is at work. A few buffers go round; nothing is
 * made further ahead than they hold. The same options give the same numbers, whatever the threads do and wherever the
 * stream begins.
 *
 *     for await (const { x, rows, last } of stream) { …step…; if (last) …validate… }
 */
export class BatchStream {
  private readonly threads: BatchThreads
  private readonly options: BatchStreamOptions
  private readonly recipe: number
  private readonly plans: Iterator<Planned, void>
  private readonly free: BatchBuffer[]
  private readonly ordered: Ordered[] = []
  private given: BatchBuffer | null = null
  private closing: Promise<void> | null = null
  private upNext: BatchPosition

  constructor(threads: BatchThreads, options: BatchStreamOptions) {
    const { size, scaling, augmentation, seed, batchSize } = options
    this.threads = threads
    this.options = options
    this.recipe = threads.addRecipe({
      ...size,
      scaling: { mean: scaling.mean, divisor: scaling.divisor, channelOrder: scaling.channelOrder },
      augmentation: augmentation && isOff(augmentation) ? null : augmentation,
      seed,
    })
    this.plans = plans(options)
    this.upNext = options.from ?? { epoch: 0, batch: 0 }
    const length = batchSize * 3 * size.width * size.height
    // One more for the batch that the step is reading.
    this.free = Array.from({ length: (options.ahead ?? AHEAD) + 1 }, () => threads.takeBuffer(length))
    this.orderMore()
  }

  /** Of the batch that comes next: what a checkpoint keeps, and `from` takes. */
  get position(): BatchPosition {
    return this.upNext
  }

  /**
   * @returns null after the last batch.
   * @throws KestrelError what went wrong while this batch was made; `training-crashed` when a thread ended; `stopped`
   *   when the stream was closed.
   */
  async next(): Promise<Batch | null> {
    if (this.closing) throw stoppedError()
    if (this.given) this.free.push(this.given)
    this.given = null
    this.orderMore()
    const head = this.ordered[0]
    if (!head) return null
    this.threads.noteWait(!head.settled)
    const error = await head.outcome
    if (this.isClosed()) throw stoppedError()
    if (error) throw error
    this.ordered.shift()
    this.given = head.buffer
    const { epoch, batch, rows, mixing, last } = head.planned
    this.upNext = last ? { epoch: epoch + 1, batch: 0 } : { epoch, batch: batch + 1 }
    const { width, height } = this.options.size
    const x = head.buffer.values.subarray(0, rows.length * 3 * width * height)
    return { x, rows, mixing, epoch, batch, last }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void> {
    try {
      for (let batch = await this.next(); batch; batch = await this.next()) yield batch
    } finally {
      await this.close()
    }
  }

  /** Waits for what is in the making and gives the buffers back. Safe to call twice. */
  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  private async end(): Promise<void> {
    await Promise.all(this.ordered.map(({ outcome }) => outcome))
    this.threads.dropRecipe(this.recipe)
    for (const { buffer } of this.ordered.splice(0)) this.free.push(buffer)
    if (this.given) this.free.push(this.given)
    this.given = null
    for (const buffer of this.free.splice(0)) this.threads.giveBuffer(buffer)
  }

  /** A call of its own, because closing may happen while `next` waits. */
  private isClosed(): boolean {
    return this.closing !== null
  }

  private orderMore(): void {
    while (this.free.length > 0) {
      const { done, value: planned } = this.plans.next()
      if (done) return
      const buffer = this.free.pop()!
      const { epoch, first, rows, mixing } = planned
      const outcome = this.threads.fill(this.recipe, buffer, { epoch, first, rows, mixing })
      const ordered: Ordered = { planned, buffer, outcome, settled: false }
      void outcome.then(() => (ordered.settled = true))
      this.ordered.push(ordered)
    }
  }
}

/** Batches of an epoch of so many pictures. */
export function batchesPerEpoch(
  pictures: number,
  { batchSize, smallestBatch = 1 }: Pick<BatchStreamOptions, 'batchSize' | 'smallestBatch'>,
): number {
  const rest = pictures % batchSize
  const whole = (pictures - rest) / batchSize
  return whole + (rest > 0 && (rest >= smallestBatch || whole === 0) ? 1 : 0)
}

function* plans(options: BatchStreamOptions): Generator<Planned, void> {
  const { order, epochs, batchSize, size, seed, from = { epoch: 0, batch: 0 } } = options
  const strengths = options.mixing ?? { mixup: 0, cutmix: 0 }
  for (let epoch = from.epoch; epoch < epochs; epoch++) {
    const all = order(epoch)
    const batches = batchesPerEpoch(all.length, options)
    for (let batch = epoch === from.epoch ? from.batch : 0; batch < batches; batch++) {
      const first = batch * batchSize
      const rows = all.slice(first, first + batchSize)
      const random = createRandom(seed, `mixing ${epoch} ${batch}`)
      const mixing = drawMixing(random, strengths, [rows.length, 3, size.height, size.width])
      yield { epoch, batch, first, rows, mixing, last: batch === batches - 1 }
    }
  }
}
