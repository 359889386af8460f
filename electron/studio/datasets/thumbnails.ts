import type { OpenProject } from '../projects/open-project.ts'
import { originalPath } from '../storage/pictures-repository.ts'
import type { PictureReader } from './picture-reader.ts'

export interface EncodedImage {
  bytes: Uint8Array
  contentType: string
}

interface Located {
  sha256: string
  file: string
}

export interface ThumbnailStore {
  /** Made again from the original when the cache was deleted. @throws KestrelError when that cannot be read any more */
  thumbnail(project: OpenProject, picture: Located): Promise<EncodedImage>
  /** Large and upright, in a format every browser shows. */
  preview(project: OpenProject, picture: Located): Promise<EncodedImage>
}

export function createThumbnailStore({ reader }: { reader: PictureReader }): ThumbnailStore {
  const underway = new Map<string, Promise<Uint8Array>>()

  async function make(project: OpenProject, { sha256, file }: Located): Promise<Uint8Array> {
    const { bytes } = await reader.renderThumbnail(originalPath(project.folder, file))
    project.thumbnails.put([{ sha256, bytes }])
    return bytes
  }

  return {
    async thumbnail(project, picture) {
      const kept = project.thumbnails.get(picture.sha256)
      if (kept) return { bytes: kept, contentType: 'image/jpeg' }
      const key = `${project.projectId} ${picture.sha256}`
      const making = underway.get(key) ?? make(project, picture).finally(() => underway.delete(key))
      underway.set(key, making)
      return { bytes: await making, contentType: 'image/jpeg' }
    },
    preview: (project, picture) => reader.renderPreview(originalPath(project.folder, picture.file)),
  }
}
