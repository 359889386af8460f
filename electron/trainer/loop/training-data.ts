import type { TrainResult } from '#shared/contract/trainer.ts'
import type { Augmentation } from '#shared/domain/augmentation/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import { givenOrder } from '#shared/domain/sampling.ts'
import type { EpochOrder } from '#shared/domain/sampling.ts'
import type { MixingStrengths } from '#shared/domain/training/mixing.ts'
import { BatchThreads } from '../data/batch-threads.ts'
import { BatchStream } from '../data/batches.ts'
import { PixelStore } from '../data/pixels.ts'
import { inSplitOrder, requireEnough } from '../head/rows.ts'
import type { TrainImage } from '../head/rows.ts'
import type { RequestContext } from '../host/context.ts'

/** Pictures of a plain batch for judging: keeps the cores busy, and large networks within little memory. */
export const JUDGING_BATCH = 16

/** The pictures of a training, decoded once, and the threads that make batches of them. */
export class TrainingData {
  /** Pictures in the order of their rows: training, validation, test. Rows of unreadable ones are in none of the parts. */
  readonly images: readonly TrainImage[]
  readonly labels: Int32Array
  readonly failed: TrainResult['failed']
  readonly preprocessing: Preprocessing
  /** From the pixel cache, and decoded now. */
  readonly counts: { cached: number; decoded: number }
  private readonly store: PixelStore
  private readonly threads: BatchThreads
  private readonly readable: readonly boolean[]

  private constructor(images: readonly TrainImage[], preprocessing: Preprocessing, store: PixelStore) {
    this.images = images
    this.preprocessing = preprocessing
    this.store = store
    this.threads = new BatchThreads(store.shared)
    this.labels = Int32Array.from(images, ({ label }) => label)
    const gone = new Set(store.failed.map(({ index }) => index))
    this.readable = images.map((_, row) => !gone.has(row))
    this.failed = store.failed.map(({ index, error }) => ({ id: images[index]!.id, error }))
    this.counts = { cached: store.cached, decoded: store.decoded }
  }

  /**
   * @param requireSome refuses pictures that nothing can be learned from.
   * @throws KestrelError `stopped`, `disk-full`, and what `requireSome` throws: `too-few-pictures`, `too-few-classes`
   */
  static async open(
    request: { images: readonly TrainImage[]; cacheDir: string },
    preprocessing: Preprocessing,
    context: RequestContext,
    requireSome: (readable: readonly TrainImage[]) => void = requireEnough,
  ): Promise<TrainingData> {
    const images = inSplitOrder(request.images)
    const store = await PixelStore.open({
      images,
      preprocessing,
      cacheDir: request.cacheDir,
      stop: context.stop,
      onProgress: (done, total, rate) => context.progress('reading', done, total, rate),
    })
    try {
      const gone = new Set(store.failed.map(({ index }) => index))
      requireSome(images.filter((_, row) => !gone.has(row)))
      return new TrainingData(images, preprocessing, store)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Rows of a part of the pictures. */
  rows(...splits: readonly TrainImage['split'][]): number[] {
    return this.images.flatMap(({ split }, row) =>
      this.readable[row] && splits.includes(split) ? [row] : [],
    )
  }

  /** Batches to learn from; close it. @param firstEpoch counted from 0 */
  learning(options: {
    order: EpochOrder
    epochs: number
    firstEpoch: number
    batchSize: number
    augmentation: Augmentation
    mixing: MixingStrengths
    seed: number
  }): BatchStream {
    const { order, epochs, firstEpoch, batchSize, augmentation, mixing, seed } = options
    return new BatchStream(this.threads, {
      ...this.common(),
      order,
      epochs,
      batchSize,
      // The statistics of a very short batch would be noise; its pictures come in another batch of the next epoch.
      smallestBatch: Math.min(8, batchSize),
      from: { epoch: firstEpoch, batch: 0 },
      augmentation,
      mixing: { mixup: mixing.mixup, cutmix: mixing.cutmix },
      seed,
    })
  }

  /** The pictures as they are, once; close it. */
  judging(rows: readonly number[]): BatchStream {
    return new BatchStream(this.threads, {
      ...this.common(),
      order: givenOrder(rows),
      epochs: 1,
      batchSize: JUDGING_BATCH,
      augmentation: null,
      seed: 0,
    })
  }

  async close(): Promise<void> {
    await this.threads.close()
    await this.store.close()
  }

  private common() {
    return { size: this.preprocessing.size, scaling: this.preprocessing }
  }
}
