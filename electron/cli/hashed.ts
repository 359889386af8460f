import { hashFile } from '#studio/backbones/hash-file.ts'
import type { FoundFile } from '#studio/sources/walk.ts'

export interface HashedFile {
  file: FoundFile
  sha256: string
}

/** SHA-256 of every file, and those that cannot be opened. */
export async function hashAll(
  files: readonly FoundFile[],
): Promise<{ readable: HashedFile[]; refused: { file: string; code: string; message: string }[] }> {
  const readable: HashedFile[] = []
  const refused: { file: string; code: string; message: string }[] = []
  for (const file of files) {
    try {
      readable.push({ file, sha256: await hashFile(file.path, 'sha256') })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      refused.push({ file: file.relative, code: 'file-unreadable', message: 'This file cannot be opened.' })
    }
  }
  return { readable, refused }
}
