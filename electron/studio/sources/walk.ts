import type { Dirent, Stats } from 'node:fs'
import { existsSync, statSync } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { compareNames } from '#shared/domain/folder-labels.ts'
import { ignoredFile } from '#shared/domain/import-rules.ts'
import { askedAtOnce } from '#shared/util/at-once.ts'
import { isMissing } from '../files.ts'
import { databaseFile } from '../storage/database.ts'

export interface FoundFile {
  path: string
  /** Below what was dropped, '/' between folders. */
  relative: string
  bytes: number
  /** Milliseconds since 1970. */
  modified: number
}

export interface WalkOptions {
  signal?: AbortSignal
  /** Told of every file that is no picture by its name. */
  onIgnored?: (relative: string) => void
  /** Told of a folder that cannot be entered. */
  onUnreadable?: (relative: string, error: unknown) => void
}

/** Kestrel's own projects are no pictures to import. @param name without its parents */
export const ignoredFolder = (name: string): boolean => ignoredFile(name) || /\.kestrel$/i.test(name)

/** Deeper than any person nests folders; a loop of links ends here at the latest. */
const MOST_DEPTH = 60
/** File facts asked of the disk at a time. */
const STATS_AT_ONCE = 32
/** A folder whose listing takes longer, for each of its entries, is on a disk that nobody should wait for. */
const LISTED_AT_ONCE_MS = 0.05

/**
 * All files below a folder that may be pictures, folder by folder, names in the order a person sorts them. Links to
 * folders are followed once each.
 * @param prefix put before every relative path: '' or 'name/'
 */
export async function* walkFolder(
  folder: string,
  prefix: string,
  options: WalkOptions = {},
): AsyncGenerator<FoundFile> {
  yield* walkLevel(folder, prefix, options, new Set([await realpath(folder)]), 0)
}

async function* walkLevel(
  folder: string,
  prefix: string,
  options: WalkOptions,
  entered: Set<string>,
  depth: number,
): AsyncGenerator<FoundFile> {
  options.signal?.throwIfAborted()
  const listing = performance.now()
  const entries = await listFolder(folder, prefix, options)
  const near = performance.now() - listing < LISTED_AT_ONCE_MS * Math.max(40, entries.length)
  const folders: string[] = []
  const files: string[] = []
  for (const entry of entries) {
    const kind = await kindOf(folder, entry)
    if (kind === 'folder' && !ignoredFolder(entry.name)) folders.push(entry.name)
    if (kind !== 'file') continue
    if (ignoredFile(entry.name)) options.onIgnored?.(prefix + entry.name)
    else files.push(entry.name)
  }
  files.sort(compareNames)
  for (let at = 0; at < files.length; at += STATS_AT_ONCE) {
    options.signal?.throwIfAborted()
    const found = await Promise.all(
      files.slice(at, at + STATS_AT_ONCE).map((name) => describe(join(folder, name), prefix + name, near)),
    )
    // What comes from outside, a wish to stop too, gets its turn.
    await setImmediate()
    for (const file of found) if (file) yield file
  }
  if (depth >= MOST_DEPTH) return
  for (const name of folders.sort(compareNames)) {
    const inner = join(folder, name)
    // A project kept among the pictures ("--out" below FOLDER) would bring its own copies in as labels.
    if (existsSync(databaseFile(inner))) continue
    const real = await realpath(inner)
    if (entered.has(real)) continue
    entered.add(real)
    yield* walkLevel(inner, `${prefix}${name}/`, options, entered, depth + 1)
  }
}

async function listFolder(folder: string, prefix: string, options: WalkOptions): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    if (!options.onUnreadable) throw error
    options.onUnreadable(prefix, error)
    return []
  }
}

async function kindOf(folder: string, entry: Dirent): Promise<'file' | 'folder' | 'other'> {
  if (entry.isFile()) return 'file'
  if (entry.isDirectory()) return 'folder'
  if (!entry.isSymbolicLink()) return 'other'
  try {
    const target = await stat(join(folder, entry.name))
    return target.isFile() ? 'file' : target.isDirectory() ? 'folder' : 'other'
  } catch (error) {
    if (isMissing(error)) return 'other'
    throw error
  }
}

/** Far below what anybody notices, also 32 times: this thread has others to answer. */
const ask = askedAtOnce(0.2)

/**
 * @param near its disk answers at once: it may be asked in this thread
 * @returns null when the file has gone since its folder was listed
 */
export async function describe(path: string, relative: string, near = false): Promise<FoundFile | null> {
  const later = (): Promise<Stats> => stat(path)
  try {
    const { size, mtimeMs } = await (near ? ask(() => statSync(path), later) : later())
    return { path, relative, bytes: size, modified: Math.floor(mtimeMs) }
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}
