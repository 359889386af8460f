import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { describe, walkFolder } from '#studio/sources/walk.ts'
import type { FoundFile } from '#studio/sources/walk.ts'

/**
 * The files that may be pictures among paths of files and folders, in a stable order.
 * @throws KestrelError file-missing; too-few-pictures when there is none
 */
export async function findPictures(paths: readonly string[], signal: AbortSignal): Promise<FoundFile[]> {
  const found: FoundFile[] = []
  for (const path of paths) {
    const absolute = resolve(path)
    if (await isFolder(absolute, path)) {
      // With several folders the same name may come twice: then each row says which folder it is from.
      const prefix = paths.length > 1 ? `${path.replace(/[/\\]+$/, '')}/` : ''
      for await (const file of walkFolder(absolute, prefix, { signal })) found.push(file)
    } else {
      const file = await describe(absolute, path)
      if (file) found.push(file)
    }
  }
  if (found.length > 0) return found
  throw new KestrelError('too-few-pictures', 'There are no pictures there.', {
    remedy: 'Name a picture, or a folder with pictures in it.',
  })
}

/** @throws KestrelError file-missing when it is not there or is no folder */
export async function requireFolder(path: string): Promise<string> {
  const absolute = resolve(path)
  if (await isFolder(absolute, path)) return absolute
  throw new KestrelError('file-missing', `“${path}” is not a folder.`, {
    remedy: 'Name a folder with pictures.',
  })
}

async function isFolder(absolute: string, asNamed: string): Promise<boolean> {
  try {
    return (await stat(absolute)).isDirectory()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    throw new KestrelError('file-missing', `There is no “${asNamed}”.`, {
      remedy: 'Check the spelling of the path.',
      cause: error,
    })
  }
}
