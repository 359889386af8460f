import { join } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { cacheFormat, cacheName, type FeatureCacheIdentity } from '#shared/util/feature-cache-format.ts'
import { RowCache } from './row-cache.ts'

export { cacheName, type FeatureCacheIdentity } from '#shared/util/feature-cache-format.ts'

/**
 * Features of pictures, kept between runs. What a frozen backbone says about a picture never changes, so a row of 32-bit
 * floats belongs to (backbone file, preprocessing, picture file).
 */
export class FeatureCache {
  readonly featureLength: number
  private readonly rows: RowCache

  private constructor(featureLength: number, rows: RowCache) {
    this.featureLength = featureLength
    this.rows = rows
  }

  /**
   * Opens or makes the cache. Another living process that is writing to it is no obstacle: then this one reads what is
   * there and keeps nothing (`writable` is false).
   */
  static async open(folder: string, identity: FeatureCacheIdentity): Promise<FeatureCache> {
    const { featureLength } = identity
    const format = { magic: cacheFormat.magic, length: featureLength, rowBytes: featureLength * 4 }
    return new FeatureCache(featureLength, await RowCache.open(join(folder, cacheName(identity)), format))
  }

  get writable(): boolean {
    return this.rows.writable
  }

  /** Pictures with features in the cache. */
  get size(): number {
    return this.rows.size
  }

  has(sha256: string): boolean {
    return this.rows.has(sha256)
  }

  /**
   * Copies the features of pictures into `target`: those of `keys[i]` to row i, `[keys.length, featureLength]`.
   * Rows of pictures that are not there, or are damaged on the disk, are left as they are.
   * @returns for each key whether its row was filled.
   */
  read(keys: readonly string[], target: Float32Array): Promise<boolean[]> {
    return this.rows.read(keys, bytesOf(target))
  }

  /** Adds the features of a picture; written to the disk in pieces, at the latest by `flush` or `close`. */
  append(sha256: string, features: Float32Array): void {
    if (features.length !== this.featureLength)
      throw new KestrelError(
        'internal',
        `The feature cache expects ${this.featureLength} numbers per picture and got ${features.length}.`,
      )
    this.rows.append(sha256, bytesOf(features))
  }

  /** Waits until everything appended is in the files. */
  flush(): Promise<void> {
    return this.rows.flush()
  }

  /** Writes what is left and lets other processes write. Safe to call twice. */
  close(): Promise<void> {
    return this.rows.close()
  }
}

const bytesOf = (numbers: Float32Array): Uint8Array =>
  new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
