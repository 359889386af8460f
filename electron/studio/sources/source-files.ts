import { mkdir, rm, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { KestrelError } from '#shared/errors/index.ts'
import { isMissing } from '../files.ts'
import { requireSpace } from './space.ts'
import type { Contents } from './space.ts'
import { listZip, unpackZip } from './zip.ts'
import { describe, walkFolder } from './walk.ts'
import type { FoundFile, WalkOptions } from './walk.ts'

/** What a dropped thing is. Zips are recognised by their ending: an office document is a zip as well. */
type Kind = 'folder' | 'zip' | 'file'

async function kindOf(path: string): Promise<Kind | null> {
  try {
    const found = await stat(path)
    if (found.isDirectory()) return 'folder'
    return extname(path).toLowerCase() === '.zip' ? 'zip' : 'file'
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** Several dropped zips are told apart by their names; a single one is only a wrapping. */
const zipPrefix = (path: string, among: readonly string[]): string =>
  among.length > 1 ? `${basename(path, extname(path))}/` : ''

export interface NamedFile {
  relative: string
  bytes: number
}

/**
 * Names of all files in what was dropped, without unpacking anything. A folder's own name comes first: dropping
 * "daisy" and "rose" gives two labels.
 */
export async function* listSource(
  paths: readonly string[],
  options: WalkOptions = {},
): AsyncGenerator<NamedFile> {
  for (const path of paths) {
    const kind = await kindOf(path)
    if (kind === 'folder') yield* walkFolder(path, `${basename(path)}/`, options)
    if (kind === 'zip') {
      for (const { name, bytes } of await listZip(path))
        yield { relative: zipPrefix(path, paths) + name, bytes }
    }
    if (kind === 'file') {
      const file = await describe(path, basename(path))
      if (file) yield file
    }
  }
}

/** What the zips among dropped paths unpack to, by their directories. @throws KestrelError as listZip */
export async function packedContents(paths: readonly string[]): Promise<Contents> {
  const packed = { pictures: 0, bytes: 0 }
  for (const path of paths) {
    if ((await kindOf(path)) !== 'zip') continue
    for (const { bytes } of await listZip(path)) {
      packed.pictures++
      packed.bytes += bytes
    }
  }
  return packed
}

/** What was dropped, without unpacking anything: single files only (no folder, no zip), and whether there is any file. */
export async function glanceAt(paths: readonly string[]): Promise<{ loose: boolean; empty: boolean }> {
  const kinds = await Promise.all(paths.map(kindOf))
  const { done } = await listSource(paths).next()
  return { loose: kinds.every((kind) => kind === 'file' || kind === null), empty: done === true }
}

export interface FileOptions extends WalkOptions {
  /** Zips are unpacked into folders in here. */
  into: string
  onUnpack?: (done: number, total: number) => void
  /** See UnpackOptions. @param relative below what was dropped */
  onSkipped?: (relative: string, error: KestrelError) => void
}

/** All files in what was dropped, readable on the disk. @throws KestrelError as unpackZip, disk-full */
export async function* sourceFiles(
  paths: readonly string[],
  options: FileOptions,
): AsyncGenerator<FoundFile> {
  for (const [index, path] of paths.entries()) {
    const kind = await kindOf(path)
    if (kind === 'folder') yield* walkFolder(path, `${basename(path)}/`, options)
    if (kind === 'zip') {
      const folder = join(options.into, `zip-${index}`)
      // What an interrupted go left would be met as other files of the same names.
      await rm(folder, { recursive: true, force: true })
      await mkdir(folder, { recursive: true })
      const prefix = zipPrefix(path, paths)
      await requireSpace(folder, (await packedContents([path])).bytes, {
        what: 'Unpacking the zip file',
        kept: 'Nothing was unpacked.',
        remedy: 'Free some space, or unpack it yourself on another disk and drop the folder.',
      })
      const { signal, onUnpack, onSkipped } = options
      await unpackZip(path, folder, {
        signal,
        onFile: onUnpack,
        onSkipped: onSkipped && ((name, error) => onSkipped(prefix + name, error)),
      })
      yield* walkFolder(folder, prefix, options)
    }
    if (kind === 'file') {
      const file = await describe(path, basename(path))
      if (file) yield file
    }
  }
}
