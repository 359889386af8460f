import { z } from 'zod'
import { uploadUrl } from '#shared/contract/media.ts'
import { KestrelError, wireErrorSchema, fromWire } from '#shared/errors/index.ts'
import type { DroppedItems, PlacedFile } from './entries.ts'

export interface UploadProgress {
  sentFiles: number
  sentBytes: number
}

const parallelUploads = 4
const begun = z.object({ token: z.string() })

async function checked(response: Response): Promise<Response> {
  if (response.ok) return response
  const body: unknown = await response.json().catch((cause: unknown) => ({ cause }))
  const wire = wireErrorSchema.safeParse(body)
  if (wire.success) throw fromWire(wire.data)
  throw new KestrelError('internal', 'The studio did not take the files.', {
    kept: 'Nothing was added yet.',
    remedy: 'Try again with fewer files at once.',
  })
}

/**
 * Browser mode: sends files to the studio, four at a time, walking folders as it goes.
 * @returns the token that stands for them
 * @throws KestrelError, or the abort when `signal` fires
 */
export async function upload(
  items: DroppedItems,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<string> {
  const answer = await checked(await fetch(uploadUrl.begin(), { method: 'POST', signal }))
  const { token } = begun.parse(await answer.json())
  const files = items.files()
  const progress: UploadProgress = { sentFiles: 0, sentBytes: 0 }
  // One generator, several senders: each takes the next file when it is free.
  const send = async ({ path, file }: PlacedFile): Promise<void> => {
    await checked(await fetch(uploadUrl.file(token, path), { method: 'PUT', body: file, signal }))
    progress.sentFiles += 1
    progress.sentBytes += file.size
    onProgress({ ...progress })
  }
  const sender = async (): Promise<void> => {
    for (let next = await files.next(); !next.done; next = await files.next()) await send(next.value)
  }
  await Promise.all(Array.from({ length: parallelUploads }, sender))
  if (progress.sentFiles === 0) {
    throw new KestrelError('file-empty', 'There are no files in what you dropped.', {
      remedy: 'Drop a folder with pictures in it.',
    })
  }
  return token
}
