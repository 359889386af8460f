import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenProject } from '../projects/open-project.ts'
import type { ReadPicture } from './picture-reader.ts'
import { thumbnailPath } from './thumbnails.ts'

const endings: Readonly<Record<string, string>> = { jpeg: 'jpg', tiff: 'tif' }

/** Where a picture's copy belongs, relative to the project folder: named by content, so that it is there once. */
export const originalPlace = ({ sha256, format }: Pick<ReadPicture, 'sha256' | 'format'>): string =>
  `images/${sha256.slice(0, 2)}/${sha256}.${endings[format] ?? format}`

export interface PictureFiles {
  /** Copies the original into the project; costs next to nothing where the disk can share blocks. */
  keepOriginal(path: string, picture: ReadPicture): Promise<string>
  keepThumbnail(picture: ReadPicture): Promise<void>
}

/** Writes a project's picture files: beside first, then renamed, so that a file with its final name is whole. */
export function createPictureFiles(project: OpenProject): PictureFiles {
  const made = new Map<string, Promise<unknown>>()
  /** Each of the 256 folders is made once. */
  const ensureFolder = (folder: string): Promise<unknown> => {
    const known = made.get(folder) ?? mkdir(folder, { recursive: true })
    made.set(folder, known)
    return known
  }

  async function place(
    folder: string,
    target: string,
    write: (beside: string) => Promise<void>,
  ): Promise<void> {
    await ensureFolder(folder)
    const beside = join(project.paths.temporary, `${randomUUID()}.part`)
    try {
      await write(beside)
      await rename(beside, target)
    } catch (error) {
      await rm(beside, { force: true })
      throw error
    }
  }

  return {
    async keepOriginal(path, picture) {
      const relative = originalPlace(picture)
      const target = join(project.folder, relative)
      await place(join(project.paths.images, picture.sha256.slice(0, 2)), target, (beside) =>
        copyFile(path, beside, constants.COPYFILE_FICLONE),
      )
      return relative
    },
    async keepThumbnail(picture) {
      const { sha256, thumbnail } = picture
      const target = thumbnailPath(project, { sha256, thumbnail: thumbnail.ending })
      await place(join(project.paths.thumbnails, picture.sha256.slice(0, 2)), target, (beside) =>
        writeFile(beside, picture.thumbnail.bytes),
      )
    },
  }
}
