import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { copyWhole } from '../files.ts'
import type { OpenProject } from '../projects/open-project.ts'
import type { ReadPicture } from './picture-reader.ts'

const endings: Readonly<Record<string, string>> = { jpeg: 'jpg', tiff: 'tif' }

/** Where a picture's copy belongs, relative to the project folder: named by content, so that it is there once. */
export const originalPlace = ({ sha256, format }: Pick<ReadPicture, 'sha256' | 'format'>): string =>
  `images/${sha256.slice(0, 2)}/${sha256}.${endings[format] ?? format}`

/** Copies an original into the project. @returns its place, relative to the project folder */
export type KeepOriginal = (path: string, picture: Pick<ReadPicture, 'sha256' | 'format'>) => Promise<string>

export function createKeepOriginal(project: OpenProject): KeepOriginal {
  const made = new Set<string>()
  return async (path, picture) => {
    const relative = originalPlace(picture)
    const folder = join(project.paths.images, picture.sha256.slice(0, 2))
    // Each of the 256 folders is made once.
    if (!made.has(folder)) mkdirSync(folder, { recursive: true })
    made.add(folder)
    await copyWhole(path, join(project.folder, relative), project.paths.temporary)
    return relative
  }
}
