import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, cp, readFile, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'

/** @returns undefined when there is no such file. */
export async function readTextIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

/** Bytes that may still be written to the disk of `folder`. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/**
 * Copies a file so that one with its final name is whole: written beside first, then renamed. Where the disk can share
 * blocks a copy costs next to nothing.
 * @param temporary a folder on the disk of `to`
 */
export async function copyWhole(from: string, to: string, temporary: string): Promise<void> {
  const beside = join(temporary, `${randomUUID()}.part`)
  try {
    await copyFile(from, beside, constants.COPYFILE_FICLONE)
    await rename(beside, to)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

/**
 * Moves a folder to a place that is not there yet, perhaps on another disk: it arrives whole or not at all.
 * @throws the system's error; the folder is where it was then
 */
export async function moveFolder(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error
    const beside = `${to}.part`
    try {
      await cp(from, beside, { recursive: true })
      await rename(beside, to)
    } catch (failure) {
      await rm(beside, { recursive: true, force: true })
      throw failure
    }
    await rm(from, { recursive: true, force: true })
  }
}
