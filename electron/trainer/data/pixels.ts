import { totalmem } from 'node:os'
import { join } from 'node:path'
import type { TrainerImage } from '#shared/contract/trainer.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/definition.ts'
import type { WireError } from '#shared/errors/index.ts'
import { hashedName } from '#shared/util/feature-cache-format.ts'
import { stoppedError, type StopSignal } from '../host/context.ts'
import { NetworkPool } from './network-pool.ts'
import { PixelReader, type SharedPixels } from './pixel-reader.ts'
import { fileShelf, freeBytesOf, memoryShelf, type Shelf } from './pixel-shelves.ts'
import { RowCache } from './row-cache.ts'

const MOST_IN_MEMORY = 512 * 2 ** 20
/** Cached pictures are looked at in pieces of at most this size. */
const PIECE_BYTES = 8 * 1024 * 1024

export interface PixelJob {
  images: readonly TrainerImage[]
  /** Size and background count; scaling and channel order are applied when batches are made. */
  preprocessing: Preprocessing
  /** Where decoded pictures are kept between runs. */
  cacheDir: string
  /**
   * Bytes. Pictures that take more stay in a file, whose pages the system keeps in memory as far as there is room.
   * Default: an eighth of the machine's memory, at most 512 MiB.
   */
  memoryBudget?: number
  /** What the disk has; default: asked for. */
  freeBytes?: number
  stop: StopSignal
  /** `rate`: pictures decoded per second, null while all come from the cache. */
  onProgress: (done: number, total: number, rate: number | null) => void
}

/**
 * Every picture of a run, decoded once for all its epochs and for the next runs at this size. Rows are those of
 * `images`; copies of a picture share their pixels.
 */
export class PixelStore {
  /** For other threads. */
  readonly shared: SharedPixels
  /** Pictures that could not be read, in order; their rows must not be asked for. */
  readonly failed: readonly { index: number; error: WireError }[]
  /** Rows that came from the cache, and rows whose pictures were decoded now. */
  readonly cached: number
  readonly decoded: number
  private readonly reader: PixelReader
  private readonly shelf: Shelf

  private constructor(shared: SharedPixels, filling: Filling, shelf: Shelf) {
    this.shared = shared
    this.failed = filling.failed.toSorted((a, b) => a.index - b.index)
    this.cached = filling.cached
    this.decoded = filling.decoded
    this.reader = new PixelReader(shared)
    this.shelf = shelf
  }

  /**
   * @throws KestrelError `stopped` when asked to stop; what was decoded is in the cache. Whatever the cache throws
   *   (`disk-full` …).
   */
  static async open(job: PixelJob): Promise<PixelStore> {
    const { width, height } = job.preprocessing.size
    const preprocessing = unscaled(job.preprocessing)
    const filling = new Filling(job, preprocessing)
    const { keys } = filling
    const length = 3 * width * height
    const base = join(job.cacheDir, hashedName('pixels', preprocessing))
    const cache = await RowCache.open(base, { magic: 'KSTPIXL1', length, rowBytes: length })
    let shelf: Shelf | null = null
    try {
      const budget = job.memoryBudget ?? Math.min(MOST_IN_MEMORY, totalmem() / 8)
      shelf = keys.length * length <= budget ? memoryShelf(cache, keys.length) : await fileShelf(cache, base)
      await filling.run(shelf, length)
      const { store, places } = await shelf.finish(keys)
      return new PixelStore({ width, height, places: filling.spread(places), store }, filling, shelf)
    } catch (error) {
      await shelf?.clear()
      throw error
    } finally {
      await cache.close()
    }
  }

  get rows(): number {
    return this.shared.places.length
  }

  /** @returns uint8 planes `[3, height, width]` of a row, a copy. @throws KestrelError as `PixelReader.read` */
  picture(row: number): Uint8Array {
    const { data, offset } = this.reader.read(row)
    return data.slice(offset, offset + 3 * this.shared.width * this.shared.height)
  }

  /**
   * Closes and removes files; shared memory goes with the last thread that holds it. Threads that read from it are to be
   * closed first. Safe to call twice.
   */
  close(): Promise<void> {
    return this.shelf.clear()
  }
}

/** Grey levels as they are, 0–255, which bytes hold exactly: the same pixels serve networks of any scaling. */
const unscaled = (preprocessing: Preprocessing): Preprocessing => ({
  ...preprocessing,
  channelOrder: 'RGB',
  mean: [0, 0, 0],
  divisor: [1, 1, 1],
})

/** Filling a shelf: from the cache, then by decoding what is missing on all cores. */
class Filling {
  /** Different pictures, by SHA-256. */
  readonly keys: string[]
  readonly failed: { index: number; error: WireError }[] = []
  cached = 0
  decoded = 0
  private readonly job: PixelJob
  private readonly preprocessing: Preprocessing
  /** Rows of each of the keys. */
  private readonly rowsOf = new Map<string, number[]>()

  constructor(job: PixelJob, preprocessing: Preprocessing) {
    this.job = job
    this.preprocessing = preprocessing
    job.images.forEach(({ sha256 }, index) => {
      const known = this.rowsOf.get(sha256)
      if (known) known.push(index)
      else this.rowsOf.set(sha256, [index])
    })
    this.keys = [...this.rowsOf.keys()]
  }

  async run(shelf: Shelf, length: number): Promise<void> {
    const { job, keys } = this
    const missing: number[] = []
    const perPiece = Math.max(1, Math.floor(PIECE_BYTES / length))
    for (let first = 0; first < keys.length; first += perPiece) {
      job.stop.throwIfAsked()
      const some = keys.slice(first, first + perPiece)
      const found = await shelf.load(some, first)
      found.forEach((there, i) => {
        if (there) this.cached += this.rowsOf.get(some[i]!)!.length
        else missing.push(first + i)
      })
    }
    job.onProgress(this.cached, job.images.length, null)
    if (missing.length === 0) return
    shelf.expect(missing.length * length, job.freeBytes ?? (await freeBytesOf(job.cacheDir)))
    await this.decode(missing, shelf)
  }

  /** @param places place of each of the keys. @returns place of each row, shared. */
  spread(places: readonly number[]): Int32Array {
    const result = new Int32Array(new SharedArrayBuffer(4 * this.job.images.length))
    this.keys.forEach((key, i) => {
      for (const row of this.rowsOf.get(key)!) result[row] = places[i]!
    })
    return result
  }

  private async decode(missing: readonly number[], shelf: Shelf): Promise<void> {
    const { images, stop } = this.job
    const pool = new NetworkPool({ onnxPath: null, preprocessing: this.preprocessing })
    const began = performance.now()
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < missing.length && stop.asked === null) {
        const number = missing[next++]!
        const rows = this.rowsOf.get(this.keys[number]!)!
        const { values, error } = await pool.submit(images[rows[0]!]!)
        if (values) {
          shelf.put(this.keys[number]!, number, new Uint8Array(values))
          this.decoded += rows.length
        } else if (error) for (const index of rows) this.failed.push({ index, error })
        this.report(began)
      }
    }
    try {
      await Promise.all(Array.from({ length: Math.min(pool.capacity, missing.length) }, lane))
    } finally {
      await pool.close()
    }
    if (stop.asked !== null) throw stoppedError('Pictures read so far are kept.')
  }

  private report(began: number): void {
    const now = this.decoded + this.failed.length
    const seconds = (performance.now() - began) / 1000
    this.job.onProgress(this.cached + now, this.job.images.length, seconds > 0.2 ? now / seconds : null)
  }
}
