import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
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
      const hash = createHash('sha256')
      await pipeline(createReadStream(file.path), hash)
      readable.push({ file, sha256: hash.digest('hex') })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      refused.push({ file: file.relative, code: 'file-unreadable', message: 'This file cannot be opened.' })
    }
  }
  return { readable, refused }
}
