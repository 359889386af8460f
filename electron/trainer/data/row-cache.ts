import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import { KestrelError } from '#shared/errors/index.ts'
import { cacheFormat } from '#shared/util/feature-cache-format.ts'
import { takeLock, type FileLock } from './file-lock.ts'

/**
 * What was computed from pictures, kept between runs: a row of bytes per picture file. Whatever else a row depends on
 * belongs into the name of the cache, so that rows never change and are only ever appended.
 *
 * Two files: `NAME.rows`, the rows; `NAME.index`, a header, then per row the picture's SHA-256 and the CRC-32 of the row.
 * Rows are written before their index entries: a writer killed at any moment leaves a tail that is cut off at the next
 * opening, and a row whose checksum does not fit is computed anew.
 */

const { headerBytes: HEADER_BYTES, keyBytes: KEY_BYTES, entryBytes: ENTRY_BYTES } = cacheFormat
/** Read and write in pieces of at most this size, so that memory stays flat. */
const CHUNK_BYTES = 4 * 1024 * 1024

export interface RowFormat {
  /** Eight Latin letters at the beginning of the index. */
  magic: string
  /** Of a row, in whatever the rows consist of; stands in the index. */
  length: number
  rowBytes: number
}

export class RowCache {
  readonly format: RowFormat
  /** Of the rows and of the index. */
  readonly paths: readonly [rows: string, index: string]
  private readonly rows: FileHandle
  private readonly index: FileHandle
  private readonly lock: FileLock | null
  private readonly rowOf: Map<string, number>
  private readonly checksums: number[]
  private pendingKeys: string[] = []
  private pendingRows: Uint8Array[] = []
  private pendingBytes = 0
  private written: number
  private flushing: Promise<void> = Promise.resolve()
  private closed = false

  private constructor(
    base: string,
    format: RowFormat,
    rows: FileHandle,
    index: FileHandle,
    lock: FileLock | null,
    entries: { keys: string[]; checksums: number[] },
  ) {
    this.format = format
    this.paths = [`${base}.rows`, `${base}.index`]
    this.rows = rows
    this.index = index
    this.lock = lock
    this.written = entries.keys.length
    this.checksums = entries.checksums
    // A later row of the same picture replaces an earlier, damaged one.
    this.rowOf = new Map(entries.keys.map((key, row) => [key, row]))
  }

  /**
   * Opens or makes the cache. Another living process that is writing to it is no obstacle: then this one reads what is
   * there and keeps nothing (`writable` is false).
   * @param base path of the files without their endings
   */
  static async open(base: string, format: RowFormat): Promise<RowCache> {
    await mkdir(dirname(base), { recursive: true })
    const lock = await takeLock(`${base}.lock`)
    const opened: FileHandle[] = []
    try {
      // 'a+' makes the file without emptying it; positions are always given, so appending is never implied.
      await (await open(`${base}.rows`, 'a')).close()
      await (await open(`${base}.index`, 'a')).close()
      opened.push(await open(`${base}.rows`, lock ? 'r+' : 'r'))
      opened.push(await open(`${base}.index`, lock ? 'r+' : 'r'))
      const [rows, index] = opened as [FileHandle, FileHandle]
      const entries = await readIndex(rows, index, format)
      if (lock) await cutTail(rows, index, format, entries.keys.length)
      return new RowCache(base, format, rows, index, lock, entries)
    } catch (error) {
      await Promise.all(opened.map((handle) => handle.close()))
      await lock?.release()
      throw error
    }
  }

  get writable(): boolean {
    return this.lock !== null
  }

  /** Pictures with a row in the cache. */
  get size(): number {
    return this.rowOf.size
  }

  has(sha256: string): boolean {
    return this.rowOf.has(sha256)
  }

  /** Which row of the file is a picture's, -1 when there is none. In the file only after a flush. */
  rowIndex(sha256: string): number {
    return this.rowOf.get(sha256) ?? -1
  }

  /**
   * Copies the rows of pictures into `target`: that of `keys[i]` to row i, `[keys.length, rowBytes]`. Rows of pictures
   * that are not there, or are damaged on the disk, are left as they are; damaged ones count as not there from then on.
   * @param target null: only looks whether they are there and sound
   * @returns for each key whether its row was filled.
   */
  async read(keys: readonly string[], target: Uint8Array | null): Promise<boolean[]> {
    await this.flush()
    const bytesPerRow = this.format.rowBytes
    const found = new Array<boolean>(keys.length).fill(false)
    const wanted = keys
      .map((key, at) => ({ row: this.rowOf.get(key) ?? -1, at }))
      .filter(({ row }) => row >= 0)
      .sort((a, b) => a.row - b.row)
    const rowsPerChunk = Math.max(1, Math.floor(CHUNK_BYTES / bytesPerRow))
    const buffer = Buffer.alloc(rowsPerChunk * bytesPerRow)
    for (let next = 0; next < wanted.length;) {
      const first = wanted[next]!.row
      let end = next + 1
      while (end < wanted.length && wanted[end]!.row < first + rowsPerChunk) end += 1
      const count = wanted[end - 1]!.row - first + 1
      const { bytesRead } = await this.rows.read(buffer, 0, count * bytesPerRow, first * bytesPerRow)
      for (; next < end; next++) {
        const { row, at } = wanted[next]!
        const from = (row - first) * bytesPerRow
        if (from + bytesPerRow > bytesRead) continue
        const bytes = buffer.subarray(from, from + bytesPerRow)
        if (crc32(bytes) !== this.checksums[row]) {
          this.rowOf.delete(keys[at]!)
          continue
        }
        target?.set(bytes, at * bytesPerRow)
        found[at] = true
      }
    }
    return found
  }

  /** Adds the row of a picture (copied); written to the disk in pieces, at the latest by `flush` or `close`. */
  append(sha256: string, row: Uint8Array): void {
    const { rowBytes } = this.format
    if (row.length !== rowBytes)
      throw new KestrelError(
        'internal',
        `The cache expects ${rowBytes} bytes per picture and got ${row.length}.`,
      )
    if (!this.lock || this.closed || this.rowOf.has(sha256)) return
    const bytes = new Uint8Array(row)
    this.pendingKeys.push(sha256)
    this.pendingRows.push(bytes)
    this.pendingBytes += bytes.byteLength
    this.rowOf.set(sha256, this.written + this.pendingKeys.length - 1)
    this.checksums.push(crc32(bytes))
    if (this.pendingBytes >= CHUNK_BYTES / 4) {
      // Errors (a full disk) surface at the next flush, which everybody calls before relying on the cache.
      this.startFlush().catch(() => undefined)
    }
  }

  /** Waits until everything appended is in the files. */
  async flush(): Promise<void> {
    await this.startFlush()
  }

  private startFlush(): Promise<void> {
    if (this.pendingKeys.length > 0) {
      const [keys, rows, first] = [this.pendingKeys, this.pendingRows, this.written]
      this.pendingKeys = []
      this.pendingRows = []
      this.pendingBytes = 0
      this.written += keys.length
      this.flushing = this.flushing.then(() => this.write(first, keys, rows))
    }
    return this.flushing
  }

  private async write(first: number, keys: readonly string[], rows: readonly Uint8Array[]): Promise<void> {
    const all = Buffer.concat(rows)
    await this.rows.write(all, 0, all.byteLength, first * this.format.rowBytes)
    const entries = Buffer.alloc(keys.length * ENTRY_BYTES)
    keys.forEach((key, i) => {
      entries.write(key, i * ENTRY_BYTES, KEY_BYTES, 'hex')
      entries.writeUInt32LE(this.checksums[first + i]!, i * ENTRY_BYTES + KEY_BYTES)
    })
    await this.index.write(entries, 0, entries.byteLength, HEADER_BYTES + first * ENTRY_BYTES)
  }

  /** Writes what is left and lets other processes write. Safe to call twice. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    try {
      await this.startFlush()
    } finally {
      await this.rows.close()
      await this.index.close()
      await this.lock?.release()
    }
  }
}

async function readIndex(
  rows: FileHandle,
  index: FileHandle,
  { magic, length, rowBytes }: RowFormat,
): Promise<{ keys: string[]; checksums: number[] }> {
  const { size: indexBytes } = await index.stat()
  const { size } = await rows.stat()
  const header = Buffer.alloc(HEADER_BYTES)
  await index.read(header, 0, HEADER_BYTES, 0)
  const valid =
    indexBytes >= HEADER_BYTES &&
    header.toString('latin1', 0, magic.length) === magic &&
    header.readUInt32LE(magic.length) === length
  const keys: string[] = []
  const checksums: number[] = []
  if (!valid) return { keys, checksums }
  const count = Math.min(Math.floor((indexBytes - HEADER_BYTES) / ENTRY_BYTES), Math.floor(size / rowBytes))
  const perChunk = Math.floor(CHUNK_BYTES / ENTRY_BYTES)
  const buffer = Buffer.alloc(Math.min(perChunk, count) * ENTRY_BYTES)
  for (let first = 0; first < count; first += perChunk) {
    const here = Math.min(perChunk, count - first)
    await index.read(buffer, 0, here * ENTRY_BYTES, HEADER_BYTES + first * ENTRY_BYTES)
    for (let i = 0; i < here; i++) {
      keys.push(buffer.toString('hex', i * ENTRY_BYTES, i * ENTRY_BYTES + KEY_BYTES))
      checksums.push(buffer.readUInt32LE(i * ENTRY_BYTES + KEY_BYTES))
    }
  }
  return { keys, checksums }
}

/** Leaves exactly `count` whole rows; also writes the header of a new or foreign file. */
async function cutTail(
  rows: FileHandle,
  index: FileHandle,
  { magic, length, rowBytes }: RowFormat,
  count: number,
): Promise<void> {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write(magic, 'latin1')
  header.writeUInt32LE(length, magic.length)
  await index.write(header, 0, HEADER_BYTES, 0)
  await index.truncate(HEADER_BYTES + count * ENTRY_BYTES)
  await rows.truncate(count * rowBytes)
}
