import { createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import { ignoredFile } from '#shared/domain/import-rules.ts'
import { KestrelError } from '#shared/errors/index.ts'
import yauzl from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
import { leadsOut, nameForHere, unusedPlace } from './file-names.ts'
import { ignoredFolder } from './walk.ts'

/** What an archive may ask for. */
export interface ZipLimits {
  entries: number
  /** Unpacked, all files together. */
  bytes: number
  /** Unpacked size over packed size, of one file above `ratioFrom` bytes. Pictures hardly pack at all. */
  ratio: number
  ratioFrom: number
}
export const zipLimits: ZipLimits = {
  entries: 500_000,
  bytes: 256 * 1024 ** 3,
  ratio: 250,
  ratioFrom: 8 * 1024 ** 2,
}

export interface ZipEntry {
  /** '/' between folders. */
  name: string
  bytes: number
}

/**
 * The files of an archive that may be pictures. Reads the directory only.
 * @throws KestrelError archive-damaged, archive-unsafe (names that lead out), archive-too-large
 */
export async function listZip(path: string, limits: ZipLimits = zipLimits): Promise<ZipEntry[]> {
  const entries: ZipEntry[] = []
  for await (const { entry } of eachFile(path, limits))
    entries.push({ name: entry.fileName, bytes: entry.uncompressedSize })
  return entries
}

export interface UnpackOptions {
  signal?: AbortSignal
  limits?: ZipLimits
  onFile?: (done: number, total: number) => void
  /**
   * Told of a file that is damaged, locked or cannot be written under its name; the others go on. Without it the first
   * such file ends it all.
   */
  onSkipped?: (name: string, error: KestrelError) => void
}

/**
 * Unpacks what may be pictures into an empty folder, one file at a time. Written bytes are counted: a directory that lies
 * about sizes does not help. What was unpacked before stays when it fails; the folder belongs to the caller.
 * @throws KestrelError as {@link listZip}; the system's error when the disk is full
 */
export async function unpackZip(path: string, into: string, options: UnpackOptions = {}): Promise<void> {
  const limits = options.limits ?? zipLimits
  const budget = { left: limits.bytes }
  const taken = new Set<string>()
  let done = 0
  for await (const { zip, entry } of eachFile(path, limits)) {
    options.signal?.throwIfAborted()
    const place = unusedPlace(
      taken,
      entry.fileName
        .split('/')
        .map((part) => nameForHere(part))
        .join('/'),
    )
    try {
      await unpackEntry(zip, entry, join(into, ...place.split('/')), budget, options.signal)
      taken.add(place)
    } catch (error) {
      const ofEntry = asEntryError(error)
      if (ofEntry === null || !options.onSkipped) throw ofEntry ?? error
      options.onSkipped(entry.fileName, ofEntry)
    }
    done++
    options.onFile?.(done, zip.entryCount)
  }
}

async function unpackEntry(
  zip: ZipFile,
  entry: Entry,
  target: string,
  budget: { left: number },
  signal: AbortSignal | undefined,
): Promise<void> {
  if (entry.isEncrypted()) throw lockedEntry()
  await mkdir(dirname(target), { recursive: true })
  const source = await zip.openReadStreamPromise(entry)
  let written = 0
  // yauzl leaves the checksum to its callers. A picture with a few wrong bytes often opens, and shows something else.
  let checksum = 0
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      written += chunk.byteLength
      checksum = crc32(chunk, checksum)
      budget.left -= chunk.byteLength
      if (budget.left < 0) next(tooLarge())
      else next(written > entry.uncompressedSize ? damagedEntry() : null, chunk)
    },
    flush(next) {
      next(written === entry.uncompressedSize && checksum === entry.crc32 ? null : damagedEntry())
    },
  })
  try {
    await pipeline(source, counted, createWriteStream(target, { flags: 'wx' }), { signal })
  } catch (error) {
    // What lies there under this name is another file of the zip.
    if (codeOf(error) !== 'EEXIST') await rm(target, { force: true })
    throw error
  }
}

async function* eachFile(path: string, limits: ZipLimits): AsyncGenerator<{ zip: ZipFile; entry: Entry }> {
  if (!(await stat(path)).isFile()) throw damaged()
  let zip: ZipFile
  try {
    // Sizes are checked while unpacking: yauzl would give the whole zip up for one file.
    zip = await yauzl.openPromise(path, {
      lazyEntries: true,
      autoClose: false,
      strictFileNames: false,
      validateEntrySizes: false,
    })
  } catch (error) {
    throw asArchiveError(error)
  }
  try {
    if (zip.entryCount > limits.entries) throw tooLarge()
    let bytes = 0
    for await (const entry of zip.eachEntry()) {
      checkName(entry.fileName)
      bytes += entry.uncompressedSize
      if (bytes > limits.bytes || isBomb(entry, limits)) throw tooLarge()
      if (!entry.fileName.endsWith('/') && !isIgnored(entry.fileName)) yield { zip, entry }
    }
  } catch (error) {
    throw asArchiveError(error)
  } finally {
    zip.close()
  }
}

const isBomb = ({ uncompressedSize, compressedSize }: Entry, limits: ZipLimits): boolean =>
  uncompressedSize > limits.ratioFrom && uncompressedSize > compressedSize * limits.ratio

/** yauzl checks names as well; what must not happen is checked where it can be read. */
function checkName(name: string): void {
  if (leadsOut(name) || /[\\\u0000]/u.test(name)) throw unsafe()
}

function isIgnored(name: string): boolean {
  const parts = name.split('/')
  return ignoredFile(parts.at(-1) ?? '') || parts.slice(0, -1).some(ignoredFolder)
}

const unsafe = (cause?: unknown): KestrelError =>
  new KestrelError('archive-unsafe', 'The zip file names places outside itself. That can do harm.', {
    kept: 'Nothing was unpacked outside.',
    remedy: 'Only use zip files from people you trust, or unpack it yourself and drop the folder.',
    cause,
  })
const tooLarge = (): KestrelError =>
  new KestrelError('archive-too-large', 'The zip file would unpack to more than Kestrel takes.', {
    kept: 'Nothing was added.',
    remedy: 'Unpack it yourself and drop the folder.',
  })
const damaged = (cause?: unknown): KestrelError =>
  new KestrelError('archive-damaged', 'The zip file is damaged and cannot be unpacked.', {
    kept: 'Nothing was added.',
    remedy: 'Copy or download it again.',
    cause,
  })

const damagedEntry = (cause?: unknown): KestrelError =>
  new KestrelError('archive-damaged', 'This file is damaged in the zip.', {
    remedy: 'Copy or download the zip again.',
    cause,
  })
const lockedEntry = (): KestrelError =>
  new KestrelError('archive-damaged', 'This file is locked with a password in the zip.', {
    remedy: 'Unpack the zip yourself, then drop the folder.',
  })
const foreignEntry = (cause: unknown): KestrelError =>
  new KestrelError('format-unsupported', 'This file is packed in a way Kestrel cannot unpack.', {
    remedy: 'Unpack the zip yourself, then drop the folder.',
    cause,
  })
const misnamedEntry = (cause: unknown): KestrelError =>
  new KestrelError(
    'file-unreadable',
    'The name of this file is too long, or cannot be used on this computer.',
    {
      remedy: 'Give it another name and pack the zip again.',
      cause,
    },
  )

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/** What the system says to a name it cannot hold, or under which something else lies already. */
const NAME_ERRORS = new Set(['ENAMETOOLONG', 'EILSEQ', 'EINVAL', 'EEXIST', 'EISDIR', 'ENOTDIR'])

/** @returns null for what is no fault of a single file: the disk is full, the limits are reached, it was stopped */
function asEntryError(error: unknown): KestrelError | null {
  if (error instanceof KestrelError) return error.code === 'archive-damaged' ? error : null
  if (!(error instanceof Error) || error.name === 'AbortError') return null
  const code = codeOf(error)
  if (NAME_ERRORS.has(code)) return misnamedEntry(error)
  if (code.startsWith('Z_')) return damagedEntry(error)
  if (code !== '') return null
  return error.message.startsWith('unsupported compression method')
    ? foreignEntry(error)
    : damagedEntry(error)
}

/** yauzl throws plain errors; the ones about names begin with these words. */
function asArchiveError(error: unknown): unknown {
  if (error instanceof KestrelError || !(error instanceof Error)) return error
  // Errors of the disk and of a stop go on as they are.
  if (error.name === 'AbortError' || codeOf(error) !== '') return error
  return /^(absolute path|invalid relative path|invalid characters in fileName)/.test(error.message)
    ? unsafe(error)
    : damaged(error)
}
