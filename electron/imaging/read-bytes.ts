import { open, type FileHandle } from 'node:fs/promises'
import { KestrelError, toKestrelError } from '#shared/errors/index.ts'
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
    const known = toKestrelError(error)
    if (known.code !== 'internal') throw known
    throw new KestrelError('file-unreadable', 'The file could not be read from its disk.', {
      remedy: 'Check the disk or the network drive and try again.',
      cause: error,
    })
  }
}

async function readAll(file: FileHandle): Promise<Uint8Array> {
  const { size } = await file.stat()
  if (size > limits.fileBytes) throw tooManyBytes(size)
  const bytes = new Uint8Array(size)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await file.read(bytes, filled, size - filled, filled)
    // Shorter than a moment ago: somebody is writing it. What is there is judged like any other content.
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled === size ? bytes : bytes.subarray(0, filled)
}
