import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, writeFileWhole } from '../files.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { originalPath } from '../storage/pictures-repository.ts'
import type { PictureReader } from './picture-reader.ts'

/** @param picture `thumbnail` is the file ending */
export const thumbnailPath = (
  project: OpenProject,
  { sha256, thumbnail }: { sha256: string; thumbnail: string },
): string => join(project.paths.thumbnails, sha256.slice(0, 2), `${sha256}.${thumbnail}`)

interface Located {
  sha256: string
  thumbnail: string
  file: string
}

export interface ThumbnailStore {
  /** @returns the thumbnail's file; made again from the original when the cache was deleted */
  ensure(project: OpenProject, picture: Located): Promise<string>
  preview(project: OpenProject, picture: Located): Promise<{ bytes: Uint8Array; contentType: string }>
}

export function createThumbnailStore({ reader }: { reader: PictureReader }): ThumbnailStore {
  const underway = new Map<string, Promise<void>>()

  async function make(path: string, project: OpenProject, picture: Located): Promise<void> {
    const { bytes } = await reader.renderThumbnail(originalPath(project.folder, picture.file))
    await writeFileWhole(path, bytes)
  }

  return {
    async ensure(project, picture) {
      const path = thumbnailPath(project, picture)
      try {
        await access(path)
      } catch (error) {
        if (!isMissing(error)) throw error
        const making = underway.get(path) ?? make(path, project, picture).finally(() => underway.delete(path))
        underway.set(path, making)
        await making
      }
      return path
    },
    preview: (project, picture) => reader.renderPreview(originalPath(project.folder, picture.file)),
  }
}
