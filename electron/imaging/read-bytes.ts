import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { KestrelError, toKestrelError } from '#shared/errors/index.ts'
import { askedAtOnce } from '#shared/util/at-once.ts'
import { limits } from './limits.ts'
import { tooManyBytes } from './refusals.ts'

/**
 * A whole file.
 * @throws KestrelError picture-too-large (from the size, before reading), file-missing, file-unreadable
 */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    const file = await open(path)
    try {
      return await readAll(file)
    } finally {
      await file.close()
    }
  } catch (error) {
    throw worded(error)
  }
}

const ask = askedAtOnce(2)

/**
 * The same for a thread of its own that has nothing better to do than wait, as long as the disk answers at once.
 * @throws KestrelError as `readBytes`
 */
export async function readBytesInThread(path: string): Promise<Uint8Array> {
  try {
    return await ask(
      () => readAllNow(path),
      () => readBytes(path),
    )
  } catch (error) {
    throw worded(error)
  }
}

function worded(error: unknown): KestrelError {
  const known = toKestrelError(error)
  if (known.code !== 'internal') return known
  return new KestrelError('file-unreadable', 'The file could not be read from its disk.', {
    remedy: 'Check the disk or the network drive and try again.',
    cause: error,
  })
}

async function readAll(file: FileHandle): Promise<Uint8Array> {
  const { size } = await file.stat()
  const bytes = roomFor(size)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return whatIsThere(bytes, filled)
}

function readAllNow(path: string): Uint8Array {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    const bytes = roomFor(size)
    let filled = 0
    while (filled < size) {
      const count = readSync(file, bytes, filled, size - filled, filled)
      if (count === 0) break
      filled += count
    }
    return whatIsThere(bytes, filled)
  } finally {
    closeSync(file)
  }
}

function roomFor(size: number): Uint8Array {
  if (size > limits.fileBytes) throw tooManyBytes(size)
  return new Uint8Array(size)
}

/** Shorter than a moment ago: somebody is writing it. What is there is judged like any other content. */
const whatIsThere = (bytes: Uint8Array, filled: number): Uint8Array =>
  filled === bytes.length ? bytes : bytes.subarray(0, filled)
