import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { mostUploadDepth, mostUploadPath } from '#shared/contract/media.ts'
import type { NotSent } from '#shared/contract/media.ts'
import { KestrelError, toKestrelError } from '#shared/errors/index.ts'
import { freeBytes, moveFolder } from '../files.ts'
import type { Log } from '../log.ts'
import { holdFolder, isAbandoned } from '../storage/session-folder.ts'
import type { SessionFolder } from '../storage/session-folder.ts'
import { leadsOut, nameForHere, unusedPlace } from './file-names.ts'
import { leftOutBecause, notSentError } from './left-out.ts'
import type { LeftOut } from './left-out.ts'
import { unknownSource } from './source-store.ts'
import type { SourceStore } from './source-store.ts'

const MOST_FILES = 200_000
/** Reasons are remembered of this many files; what a page may make the studio remember has an end. */
const MOST_LEFT_OUT = 10_000
/** Left on the disk whatever is sent. */
const KEEP_FREE_BYTES = 200 * 1024 ** 2

export interface Uploads {
  /** @returns the token under which files can be sent, and which is then a source like any other. */
  begin(): Promise<string>
  /**
   * Takes one file. One that is refused for itself is remembered as left out.
   * @param relativePath where it belongs below what was dropped, '/' between folders
   * @throws KestrelError not-found, bad-request (a path that leads out), too-large, file-unreadable, disk-full
   */
  receive(token: string, relativePath: string, body: ReadableStream<Uint8Array> | null): Promise<void>
  /** Remembers a file that the page could not send. @returns the reason in words @throws KestrelError not-found */
  notSent(token: string, file: NotSent): string
  /** What did not arrive, with its reasons. @throws KestrelError not-found */
  leftOut(token: string): LeftOut[]
  /**
   * Gives uploaded files to an import: they are moved, and the token stands for the new place from now on.
   * @returns what did not arrive; null when the token is no upload
   */
  moveInto(token: string, folder: string): Promise<LeftOut[] | null>
  /** Whether a token stands for files that were sent and that nobody has taken yet. */
  isUpload(token: string): boolean
  /**
   * Moves the one folder that was sent to a place where it stays; the token stands for that from now on.
   * @param folder is not there yet
   * @throws KestrelError not-found
   */
  moveOut(token: string, folder: string): Promise<void>
  /** Deletes what was sent under a token; nothing when it is no upload. */
  discard(token: string): Promise<void>
  /** Whether a folder lies among what was sent, and so will be deleted. @param folder without links in it */
  contains(folder: string): Promise<boolean>
  /** Removes what sessions left that are over. What a running Kestrel on this user-data folder was sent stays. */
  clear(): Promise<void>
  /** Removes what this session was sent and nobody took. */
  close(): Promise<void>
}

interface Upload {
  folder: string
  files: Set<string>
  /** By path: a file that the studio refused may be reported by the page as well. */
  leftOut: Map<string, LeftOut>
}

export interface UploadsPorts {
  /** User-data folder; several sessions may share it: the window, `kestrel serve`, commands. */
  home: string
  sources: SourceStore
  log: Log
}

/** Files that a page without access to the disk sends: pasted pictures, camera frames, drops in browser mode. */
export function createUploads({ home, sources, log }: UploadsPorts): Uploads {
  const root = join(home, 'uploads')
  const uploads = new Map<string, Upload>()
  let session: SessionFolder | null = null

  /** Made with the first upload: most sessions never have one. */
  function ownFolder(): string {
    for (let tries = 0; session === null && tries < 5; tries++) session = holdFolder(join(root, randomUUID()))
    if (session === null)
      throw new KestrelError('busy', 'There is no place for files that are sent just now.', {
        kept: 'Nothing was changed.',
        remedy: 'Try again.',
      })
    return session.folder
  }

  function find(token: string): Upload {
    const upload = uploads.get(token)
    if (!upload) throw unknownSource()
    return upload
  }

  /** @returns the top of what was dropped, where it is now */
  async function store(
    upload: Upload,
    relativePath: string,
    body: ReadableStream<Uint8Array> | null,
  ): Promise<string> {
    const wanted = placeFor(relativePath)
    if (upload.files.size >= MOST_FILES)
      throw new KestrelError('too-large', `More than ${MOST_FILES} files cannot be sent at once.`, {
        kept: 'The files sent so far are kept.',
        remedy: 'Send them in several goes, or start Kestrel on this machine and choose the folder there.',
      })
    if ((await freeBytes(upload.folder)) < KEEP_FREE_BYTES)
      throw new KestrelError('disk-full', 'The disk is nearly full.', {
        kept: 'The files sent so far are kept.',
        remedy: 'Free some space and try again.',
      })
    const place = unusedPlace(upload.files, wanted)
    upload.files.add(place)
    const target = join(upload.folder, ...place.split('/'))
    // Not in the upload itself: its name may leave no room for an ending, and half a file is none of what was dropped.
    const beside = join(dirname(upload.folder), `${randomUUID()}.part`)
    try {
      await mkdir(dirname(target), { recursive: true })
      const stream = body === null ? Readable.from([]) : Readable.fromWeb(body as NodeReadableStream)
      await pipeline(stream, createWriteStream(beside, { flags: 'wx' }))
      await rename(beside, target)
    } catch (error) {
      upload.files.delete(place)
      await rm(beside, { force: true })
      throw isTooLong(error) ? notSentError('too-long', error) : error
    }
    return join(upload.folder, place.split('/')[0] ?? place)
  }

  return {
    async begin() {
      // The paths of a source are looked at when it is used: what is sent until then is part of it.
      const paths: string[] = []
      const token = sources.registerLive(paths)
      const folder = join(ownFolder(), token)
      await mkdir(folder, { recursive: true })
      uploads.set(token, { folder, files: new Set(), leftOut: new Map() })
      return token
    },

    async receive(token, relativePath, body) {
      const upload = find(token)
      try {
        const top = await store(upload, relativePath, body)
        const paths = sources.paths(token, 'read')
        if (!paths.includes(top)) paths.push(top)
      } catch (error) {
        // The disk is full for every file after it as well: that ends the sending.
        const known = toKestrelError(error)
        if (known.code === 'disk-full') throw known
        const ofFile = known.code === 'internal' ? notSentError('failed', error) : known
        if (ofFile !== known) log.warn('a file that was sent could not be stored', error)
        remember(upload, relativePath, ofFile)
        throw ofFile
      }
    },

    notSent(token, { path, why }) {
      const error = notSentError(why)
      remember(find(token), path, error)
      return error.message
    },

    leftOut: (token) => [...find(token).leftOut.values()],

    async moveInto(token, folder) {
      const upload = uploads.get(token)
      if (!upload) return null
      await mkdir(dirname(folder), { recursive: true })
      await moveFolder(upload.folder, folder)
      const paths = sources.paths(token, 'read')
      for (const [index, path] of paths.entries()) paths[index] = join(folder, basename(path))
      // Sending more under this token is over.
      uploads.delete(token)
      return [...upload.leftOut.values()]
    },

    isUpload: (token) => uploads.has(token),

    async moveOut(token, folder) {
      const paths = sources.paths(token, 'read')
      const [sent] = paths
      if (!uploads.has(token) || sent === undefined || paths.length !== 1) throw unknownSource()
      await moveFolder(sent, folder)
      paths[0] = folder
      uploads.delete(token)
    },

    async discard(token) {
      const upload = uploads.get(token)
      if (!upload) return
      uploads.delete(token)
      await removeFolder(upload.folder)
    },

    async contains(folder) {
      await mkdir(root, { recursive: true })
      const way = relative(await realpath(root), folder)
      return way === '' || !(way.startsWith('..') || isAbsolute(way))
    },

    async clear() {
      await mkdir(root, { recursive: true })
      for (const entry of await readdir(root, { withFileTypes: true })) {
        const folder = join(root, entry.name)
        try {
          if (entry.isDirectory() && isAbandoned(folder)) await removeFolder(folder)
        } catch (error) {
          // Two that start at once clear the same; and what cannot be deleted today can be tomorrow.
          log.warn('what an earlier session was sent could not be removed', error)
        }
      }
    },

    async close() {
      if (session === null) return
      const { folder } = session
      uploads.clear()
      // Given back first: Windows deletes no file that is open.
      session.release()
      session = null
      await removeFolder(folder)
    },
  }
}

const removeFolder = (folder: string): Promise<void> =>
  rm(folder, { recursive: true, force: true, maxRetries: 3 })

function remember({ leftOut }: Upload, path: string, error: KestrelError): void {
  if (leftOut.size < MOST_LEFT_OUT || leftOut.has(path)) leftOut.set(path, leftOutBecause(path, error))
}

/**
 * The place of a sent file below its upload, in names this system can hold.
 * @throws KestrelError bad-request for a path that leads out or is too long
 */
function placeFor(relativePath: string): string {
  const parts = relativePath.split('/')
  if (relativePath.length > mostUploadPath || parts.length > mostUploadDepth) throw notSentError('too-long')
  if (
    leadsOut(relativePath) ||
    relativePath.includes('\0') ||
    parts.some((part) => part === '' || part === '.')
  )
    throw notSentError('name')
  return parts.map((part) => nameForHere(part)).join('/')
}

const isTooLong = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG'
