import type { KestrelError } from '#shared/errors/index.ts'
import { toKestrelError } from '#shared/errors/index.ts'
import type { ImportFile } from '../storage/imports-repository.ts'
import type { KeepOriginal } from './originals.ts'
import type { KnownPicture, PictureReader, ReadPicture } from './picture-reader.ts'

export type FileResult =
  | { file: ImportFile; kind: 'new'; picture: ReadPicture; storedAt: string }
  | { file: ImportFile; kind: 'known'; sha256: string }
  | { file: ImportFile; kind: 'refused'; error: KestrelError }

export interface ReadOptions {
  reader: PictureReader
  keepOriginal: KeepOriginal
  storage: 'copy' | 'reference'
  /** Pictures in work at a time: enough that every core is busy while others wait for the disk. */
  parallel: number
  /** Whether this content is in the project already; asked before anything is decoded. */
  known: (sha256: string) => boolean
  reportError(error: unknown): void
  /** What was begun is finished and handed out; nothing new is begun. */
  signal: AbortSignal
}

/**
 * Reads files several at a time and hands the results out in the order of the files: which of two equal pictures
 * came first does not depend on which was read faster.
 * @throws KestrelError for what is no fault of a single file (the disk is full)
 */
export async function* readFiles(
  files: Iterable<ImportFile>,
  options: ReadOptions,
): AsyncGenerator<FileResult> {
  const underway: Promise<FileResult | null>[] = []
  const queue = files[Symbol.iterator]()
  try {
    for (;;) {
      while (underway.length < options.parallel && !options.signal.aborted) {
        const next = queue.next()
        if (next.done) break
        const reading = readOne(next.value, options)
        // Handed out later: until then a failure must not count as unhandled.
        reading.catch(() => undefined)
        underway.push(reading)
      }
      const first = underway.shift()
      if (!first) return
      const result = await first
      if (result) yield result
    }
  } finally {
    await Promise.allSettled(underway)
  }
}

async function readOne(file: ImportFile, options: ReadOptions): Promise<FileResult | null> {
  try {
    const read = await options.reader.readForImport(file.path, { known: options.known })
    if (isKnown(read)) return { file, kind: 'known', sha256: read.sha256 }
    const storedAt = options.storage === 'copy' ? await options.keepOriginal(file.path, read) : file.path
    return { file, kind: 'new', picture: read, storedAt }
  } catch (error) {
    if (options.signal.aborted) return null
    const known = toKestrelError(error)
    // Not about this one file: it would be the same for every file after it.
    if (known.code === 'disk-full') throw known
    if (known.code === 'internal') options.reportError(error)
    return { file, kind: 'refused', error: known }
  }
}

const isKnown = (read: ReadPicture | KnownPicture): read is KnownPicture => 'known' in read
