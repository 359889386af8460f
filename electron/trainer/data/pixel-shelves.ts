import { closeSync, openSync } from 'node:fs'
import { rm, statfs } from 'node:fs/promises'
import { KestrelError } from '#shared/errors/index.ts'
import type { SharedPixels } from './pixel-reader.ts'
import { RowCache } from './row-cache.ts'

/** Where decoded pictures are put for a run. Pictures are named by their SHA-256 and numbered from 0. */
export interface Shelf {
  /** Takes what the cache has of these pictures, numbered from `first` on. @returns for each whether it was there. */
  load(keys: readonly string[], first: number): Promise<boolean[]>
  /**
   * Said before that many bytes are put.
   * @param freeBytes what the disk has
   * @throws KestrelError `disk-full` when they would not fit on the disk and have to
   */
  expect(bytes: number, freeBytes: number): void
  /** @param pixels uint8 planes `[3, height, width]`, copied */
  put(key: string, number: number, pixels: Uint8Array): void
  /** Where threads find everything, once all is there. @returns also the place of each of the pictures, -1 for none */
  finish(keys: readonly string[]): Promise<{ store: SharedPixels['store']; places: number[] }>
  /** Closes and removes what only this run needed. Safe to call twice. */
  clear(): Promise<void>
}

/** What is left to everything else on a disk. */
const RESERVED_BYTES = 2 ** 30

/** @returns bytes the disk of a folder has for us. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** Shared memory, one place per picture; what is decoded goes to the cache, too, where the disk has room to spare. */
export function memoryShelf(cache: RowCache, count: number): Shelf {
  const length = cache.format.rowBytes
  const bytes = new SharedArrayBuffer(count * length)
  const memory = new Uint8Array(bytes)
  const filled = new Uint8Array(count)
  let keeps = true
  return {
    load: async (keys, first) => {
      const found = await cache.read(keys, memory.subarray(first * length, (first + keys.length) * length))
      found.forEach((there, i) => there && (filled[first + i] = 1))
      return found
    },
    expect: (bytes, freeBytes) => {
      keeps = bytes + RESERVED_BYTES <= freeBytes
    },
    put: (key, number, pixels) => {
      memory.set(pixels, number * length)
      filled[number] = 1
      if (keeps) cache.append(key, pixels)
    },
    finish: async (keys) => {
      await cache.flush()
      return {
        store: { kind: 'memory', bytes },
        places: keys.map((_, place) => (filled[place] ? place : -1)),
      }
    },
    clear: () => Promise.resolve(),
  }
}

let ownFiles = 0

/**
 * The file of the cache itself. Where another process is writing to it, a file of this run's own beside it.
 * @param base path of the cache's files without their endings
 */
export async function fileShelf(cache: RowCache, base: string): Promise<Shelf> {
  const length = cache.format.rowBytes
  const own = cache.writable
    ? null
    : await RowCache.open(`${base}-${process.pid}-${++ownFiles}`, cache.format)
  const file = own ?? cache
  let descriptor: number | null = null
  const removeOwn = async (): Promise<void> => {
    await own?.close()
    for (const path of own?.paths ?? []) await rm(path, { force: true })
  }
  return {
    load: async (keys) => {
      const piece = own && new Uint8Array(keys.length * length)
      const found = await cache.read(keys, piece)
      if (piece)
        keys.forEach((key, i) => found[i] && file.append(key, piece.subarray(i * length, (i + 1) * length)))
      return found
    },
    expect: (bytes, freeBytes) => {
      if (bytes + RESERVED_BYTES > freeBytes) throw noRoom(bytes + RESERVED_BYTES - freeBytes)
    },
    put: (key, _number, pixels) => file.append(key, pixels),
    finish: async (keys) => {
      await file.flush()
      descriptor ??= openSync(file.paths[0], 'r')
      // Open files live on without a name, and need not be found again.
      await removeOwn()
      return { store: { kind: 'file', descriptor }, places: keys.map((key) => file.rowIndex(key)) }
    },
    clear: async () => {
      if (descriptor !== null) closeSync(descriptor)
      descriptor = null
      await removeOwn()
    },
  }
}

const noRoom = (missingBytes: number): KestrelError =>
  new KestrelError('disk-full', 'The disk has too little room for the decoded pictures.', {
    kept: 'Pictures, labels and earlier models are unchanged.',
    remedy: `Free ${Math.ceil(missingBytes / 1e9)} GB, or choose a network that sees smaller pictures.`,
  })
