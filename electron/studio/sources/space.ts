import { KestrelError } from '#shared/errors/index.ts'
import { freeBytes } from '../files.ts'

/** Left on the disk whatever is imported. */
const KEEP_FREE_BYTES = 100 * 1024 ** 2

export interface SpaceWords {
  /** What needs the space, as the beginning of a sentence. */
  what: string
  kept: string
  remedy: string
}

/** Before the first byte is written, not in the middle. @param needed bytes @throws KestrelError disk-full */
export async function requireSpace(folder: string, needed: number, words: SpaceWords): Promise<void> {
  const free = await freeBytes(folder)
  if (needed + KEEP_FREE_BYTES <= free) return
  const megabytes = (count: number): string => `${Math.ceil(count / 1e6).toLocaleString('en')} MB`
  const { what, kept, remedy } = words
  throw new KestrelError(
    'disk-full',
    `${what} needs ${megabytes(needed)}, and ${megabytes(free)} are free on the disk of this project.`,
    { kept, remedy },
  )
}

/** What an import needs beside the originals, for each picture: thumbnail, database. */
const EXTRA_BYTES_PER_PICTURE = 30_000

export interface Contents {
  pictures: number
  bytes: number
}

/**
 * Bytes an import with copies writes. Until it is over, what a zip unpacks to lies beside the copies made of it.
 * @param found everything that will be read, the contents of zips included
 * @param packed of these, what still has to be unpacked
 */
export const bytesNeeded = (found: Contents, packed: Contents): number =>
  found.bytes + packed.bytes + found.pictures * EXTRA_BYTES_PER_PICTURE
