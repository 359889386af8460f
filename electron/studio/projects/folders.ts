import { existsSync, statSync } from 'node:fs'
import { mkdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { isMissing } from '../files.ts'
import { databaseFile } from '../storage/database.ts'

/**
 * Makes a folder and those above it, one by one: Node's own recursive form never ends where the system refuses a folder
 * with "not found" although the one above is there (/proc).
 * @throws KestrelError `file-unreadable` when no folder can be there
 */
export async function makeFolder(folder: string): Promise<void> {
  if (existsSync(folder) && statSync(folder).isDirectory()) return
  const parent = dirname(folder)
  if (parent !== folder && !existsSync(parent)) await makeFolder(parent)
  try {
    await mkdir(folder)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST' && statSync(folder).isDirectory()) return
    const why: Partial<Record<string, string>> = {
      EEXIST: 'a file is in the way',
      ENOTDIR: 'a file is in the way',
      ENOENT: 'the system allows no folder there',
    }
    const words = typeof code === 'string' ? why[code] : undefined
    if (words === undefined) throw error
    throw new KestrelError('file-unreadable', `“${folder}” cannot be a folder: ${words}.`, {
      kept: 'Nothing was changed.',
      remedy: 'Name an empty or new folder, or a Kestrel project.',
      cause: error,
    })
  }
}

/** @throws KestrelError name-taken */
export async function makeNewFolder(folder: string, name: string): Promise<void> {
  try {
    await mkdir(folder)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    throw new KestrelError('name-taken', `There is already a project named “${name}” there.`, {
      kept: 'Nothing was changed.',
      remedy: 'Choose another name, or open the one that is there.',
      cause: error,
    })
  }
}

/** @throws KestrelError bad-request when it is no folder */
export async function folderToWriteInto(path: string | undefined): Promise<string> {
  if (path !== undefined && (await stat(path)).isDirectory()) return path
  throw new KestrelError('bad-request', 'That is not a folder.', { remedy: 'Choose a folder.' })
}

/** The project folder that was chosen, or the one whose database was. @throws KestrelError project-not-found */
export async function projectFolderOf(paths: readonly string[]): Promise<string> {
  const [path] = paths
  const notOne = (cause?: unknown): KestrelError =>
    new KestrelError('project-not-found', 'This is not a Kestrel project.', {
      remedy: 'Choose a folder whose name ends in .kestrel. To import pictures, open a project first.',
      cause,
    })
  if (paths.length !== 1 || path === undefined) throw notOne()
  const folder = basename(path) === 'project.db' ? dirname(path) : path
  try {
    if (!(await stat(databaseFile(folder))).isFile()) throw notOne()
  } catch (error) {
    throw isMissing(error) ? notOne(error) : error
  }
  return await realpath(folder)
}
