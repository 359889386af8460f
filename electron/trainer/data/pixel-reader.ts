import { readSync } from 'node:fs'
import { KestrelError } from '#shared/errors/index.ts'

/** Decoded pictures as every thread can have them: in shared memory, or in a file. Plain data, may be posted. */
export interface SharedPixels {
  width: number
  height: number
  /** Where the picture of each row begins, counted in pictures; -1: it could not be read. Shared. */
  places: Int32Array
  /**
   * uint8 planes `[places, 3, height, width]`, RGB: shared bytes, or a file of nothing else, open for reading. Threads
   * share the descriptors of their process, so the file may be deleted meanwhile.
   */
  store: { kind: 'memory'; bytes: SharedArrayBuffer } | { kind: 'file'; descriptor: number }
}

/** Pictures of a store, in this thread. Synchronous: threads that make batches have nothing better to do meanwhile. */
export class PixelReader {
  readonly pixels: SharedPixels
  private readonly length: number
  /** All pictures, or the one that was read last. */
  private readonly bytes: Uint8Array

  constructor(pixels: SharedPixels) {
    this.pixels = pixels
    this.length = 3 * pixels.width * pixels.height
    const { store } = pixels
    this.bytes = store.kind === 'memory' ? new Uint8Array(store.bytes) : new Uint8Array(this.length)
  }

  /**
   * @returns where the uint8 planes `[3, height, width]` of a row begin; to be used before the next call
   * @throws KestrelError `internal` for a row without a picture, `file-missing` when the file has become shorter
   */
  read(row: number): { data: Uint8Array; offset: number } {
    const place = this.pixels.places[row] ?? -1
    if (place < 0) throw new KestrelError('internal', `There is no decoded picture in row ${row}.`)
    const { store } = this.pixels
    if (store.kind === 'memory') return { data: this.bytes, offset: place * this.length }
    const count = readSync(store.descriptor, this.bytes, 0, this.length, place * this.length)
    if (count < this.length)
      throw new KestrelError('file-missing', 'The cache of decoded pictures was cut off.', {
        kept: 'Pictures, labels and earlier models are unchanged.',
        remedy: 'Train again.',
      })
    return { data: this.bytes, offset: 0 }
  }
}
