import { randomUUID } from 'node:crypto'
import { constants, mkdirSync } from 'node:fs'
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenProject } from '../projects/open-project.ts'
import type { ReadPicture } from './picture-reader.ts'

const endings: Readonly<Record<string, string>> = { jpeg: 'jpg', tiff: 'tif' }

/** Where a picture's copy belongs, relative to the project folder: named by content, so that it is there once. */
export const originalPlace = ({ sha256, format }: Pick<ReadPicture, 'sha256' | 'format'>): string =>
  `images/${sha256.slice(0, 2)}/${sha256}.${endings[format] ?? format}`

/** Copies an original into the project. @returns its place, relative to the project folder */
export type KeepOriginal = (path: string, picture: Pick<ReadPicture, 'sha256' | 'format'>) => Promise<string>

/**
 * Copies are written beside first, then renamed, so that a file with its final name is whole. Where the disk can share
 * blocks a copy costs next to nothing.
 */
export function createKeepOriginal(project: OpenProject): KeepOriginal {
  const made = new Set<string>()
  return async (path, picture) => {
    const relative = originalPlace(picture)
    const folder = join(project.paths.images, picture.sha256.slice(0, 2))
    // Each of the 256 folders is made once.
    if (!made.has(folder)) mkdirSync(folder, { recursive: true })
    made.add(folder)
    const beside = join(project.paths.temporary, `${randomUUID()}.part`)
    try {
      await copyFile(path, beside, constants.COPYFILE_FICLONE)
      await rename(beside, join(project.folder, relative))
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
    return relative
  }
}
