import { createWriteStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ignoredFile } from '#shared/domain/import-rules.ts'
import { KestrelError } from '#shared/errors/index.ts'
import yauzl from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
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
}

/**
 * Unpacks what may be pictures into a folder, one file at a time. Written bytes are counted: a directory that lies
 * about sizes does not help. What was unpacked before stays when it fails; the folder belongs to the caller.
 * @throws KestrelError as {@link listZip}, disk-full
 */
export async function unpackZip(path: string, into: string, options: UnpackOptions = {}): Promise<void> {
  const limits = options.limits ?? zipLimits
  let left = limits.bytes
  let done = 0
  for await (const { zip, entry } of eachFile(path, limits)) {
    options.signal?.throwIfAborted()
    if (entry.isEncrypted())
      throw new KestrelError('archive-damaged', 'The zip file is locked with a password.', {
        remedy: 'Unpack it first, then drop the folder.',
      })
    const target = join(into, ...entry.fileName.split('/'))
    await mkdir(dirname(target), { recursive: true })
    try {
      const source = await zip.openReadStreamPromise(entry)
      const counted = new Transform({
        transform(chunk: Buffer, _encoding, next) {
          left -= chunk.byteLength
          next(left < 0 ? tooLarge() : null, chunk)
        },
      })
      await pipeline(source, counted, createWriteStream(target), { signal: options.signal })
    } catch (error) {
      await rm(target, { force: true })
      throw asArchiveError(error)
    }
    done++
    options.onFile?.(done, zip.entryCount)
  }
}

async function* eachFile(path: string, limits: ZipLimits): AsyncGenerator<{ zip: ZipFile; entry: Entry }> {
  if (!(await stat(path)).isFile()) throw damaged()
  let zip: ZipFile
  try {
    zip = await yauzl.openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: false })
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
  const parts = name.split('/')
  const leadsOut = name.startsWith('/') || /^[a-z]:/i.test(name) || parts.includes('..')
  if (leadsOut || /[\\\u0000]/u.test(name) || name.length > 2_000) throw unsafe()
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

/** yauzl throws plain errors; the ones about names begin with these words. */
function asArchiveError(error: unknown): unknown {
  if (error instanceof KestrelError || !(error instanceof Error)) return error
  if (error.name === 'AbortError' || ('code' in error && typeof error.code === 'string')) {
    // Errors of zlib have codes as well; those of the disk and of a stop go on as they are.
    return 'code' in error && String(error.code).startsWith('Z_') ? damaged(error) : error
  }
  return /^(absolute path|invalid relative path|invalid characters in fileName)/.test(error.message)
    ? unsafe(error)
    : damaged(error)
}
