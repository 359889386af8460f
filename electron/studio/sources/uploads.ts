import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { KestrelError } from '#shared/errors/index.ts'
import { freeBytes, moveFolder } from '../files.ts'
import type { Log } from '../log.ts'
import { holdFolder, isAbandoned } from '../storage/session-folder.ts'
import type { SessionFolder } from '../storage/session-folder.ts'
import { unusedPlace } from './file-names.ts'
import { unknownSource } from './source-store.ts'
import type { SourceStore } from './source-store.ts'

/** A zip of a whole dataset is one file; pictures are far below. */
export const MOST_UPLOAD_BYTES = 8 * 1024 ** 3
const MOST_FILES = 200_000
const MOST_PATH = 1_000
const MOST_DEPTH = 30
/** Left on the disk whatever is sent. */
const KEEP_FREE_BYTES = 200 * 1024 ** 2

export interface Uploads {
  /** @returns the token under which files can be sent, and which is then a source like any other. */
  begin(): Promise<string>
  /**
   * Takes one file.
   * @param relativePath where it belongs below what was dropped, '/' between folders
   * @throws KestrelError not-found, bad-request (a path that leads out), too-large, disk-full
   */
  receive(token: string, relativePath: string, body: ReadableStream<Uint8Array> | null): Promise<void>
  /**
   * Gives uploaded files to an import: they are moved, and the token stands for the new place from now on.
   * @returns false when the token is no upload
   */
  moveInto(token: string, folder: string): Promise<boolean>
  /** Whether a token stands for files that were sent and that nobody has taken yet. */
  isUpload(token: string): boolean
  /**
   * Moves the one folder that was sent to a place where it stays; the token stands for that from now on.
   * @param folder is not there yet
   * @throws KestrelError not-found
   */
  moveOut(token: string, folder: string): Promise<void>
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

  return {
    async begin() {
      // The paths of a source are looked at when it is used: what is sent until then is part of it.
      const paths: string[] = []
      const token = sources.registerLive(paths)
      const folder = join(ownFolder(), token)
      await mkdir(folder, { recursive: true })
      uploads.set(token, { folder, files: new Set() })
      return token
    },

    async receive(token, relativePath, body) {
      const upload = uploads.get(token)
      if (!upload) throw unknownSource()
      const parts = safeParts(relativePath)
      if (upload.files.size >= MOST_FILES)
        throw new KestrelError('too-large', `More than ${MOST_FILES} files cannot be sent at once.`, {
          kept: 'The files sent so far are kept.',
          remedy: 'Send them in several goes, or start Kestrel on this machine and choose the folder there.',
        })
      const place = unusedPlace(upload.files, parts.join('/'))
      upload.files.add(place)
      const target = join(upload.folder, ...place.split('/'))
      await mkdir(dirname(target), { recursive: true })
      if ((await freeBytes(upload.folder)) < KEEP_FREE_BYTES)
        throw new KestrelError('disk-full', 'The disk is nearly full.', {
          kept: 'The files sent so far are kept.',
          remedy: 'Free some space and try again.',
        })
      const beside = `${target}.part`
      try {
        const stream = body === null ? Readable.from([]) : Readable.fromWeb(body as NodeReadableStream)
        await pipeline(stream, createWriteStream(beside, { flags: 'wx' }))
        await rename(beside, target)
      } catch (error) {
        upload.files.delete(place)
        await rm(beside, { force: true })
        throw error
      }
      const top = join(upload.folder, place.split('/')[0] ?? place)
      const paths = sources.paths(token, 'read')
      if (!paths.includes(top)) paths.push(top)
    },

    async moveInto(token, folder) {
      const upload = uploads.get(token)
      if (!upload) return false
      await mkdir(dirname(folder), { recursive: true })
      await moveFolder(upload.folder, folder)
      const paths = sources.paths(token, 'read')
      for (const [index, path] of paths.entries()) paths[index] = join(folder, basename(path))
      // Sending more under this token is over.
      uploads.delete(token)
      return true
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

/** @throws KestrelError bad-request for a path that is no plain place below a folder */
function safeParts(relativePath: string): string[] {
  const parts = relativePath.split('/')
  const plain = (part: string): boolean =>
    part !== '' && part !== '.' && part !== '..' && !/[\\:\u0000-\u001f]/u.test(part)
  if (relativePath.length > MOST_PATH || parts.length > MOST_DEPTH || !parts.every(plain))
    throw new KestrelError('bad-request', 'The name of a file that was sent cannot be used.', {
      kept: 'That file was left out.',
    })
  return parts
}
