import { z } from 'zod'
import { mostUploadBytes, mostUploadDepth, mostUploadPath, uploadUrl } from '#shared/contract/media.ts'
import type { NotSent } from '#shared/contract/media.ts'
import { KestrelError, wireErrorSchema, fromWire } from '#shared/errors/index.ts'
import type { ErrorCode } from '#shared/errors/index.ts'
import type { DroppedItems, PlacedFile } from './entries.ts'

export interface UploadProgress {
  sentFiles: number
  sentBytes: number
}

const parallelUploads = 4
const begun = z.object({ token: z.string() })
const reason = z.object({ message: z.string() })

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

/** A file of a drop that was not sent, and why. */
export interface LeftOutFile {
  path: string
  message: string
}

export interface Uploaded {
  /** Stands for the files that were sent. */
  token: string
  leftOut: LeftOutFile[]
}

/** What is the same for every file after it. */
const endsAll = new Set<ErrorCode>(['disk-full', 'not-found', 'unauthorised', 'forbidden', 'busy'])

/**
 * Browser mode: sends files to the studio, four at a time, walking folders as it goes. A file that cannot be read or is
 * refused is left out; the studio lists it with its reason.
 * @throws KestrelError, or the abort when `signal` fires
 */
export async function upload(
  items: DroppedItems,
  onProgress: (progress: UploadProgress) => void,
  signal: AbortSignal,
): Promise<Uploaded> {
  const answer = await checked(await fetch(uploadUrl.begin(), { method: 'POST', signal }))
  const { token } = begun.parse(await answer.json())
  const files = items.files()
  const progress: UploadProgress = { sentFiles: 0, sentBytes: 0 }
  const leftOut: LeftOutFile[] = []

  const leaveOut = async (path: string, why: NotSent['why']): Promise<void> => {
    const body = JSON.stringify({ path, why } satisfies NotSent)
    const headers = { 'content-type': 'application/json' }
    const noted = await checked(
      await fetch(uploadUrl.notSent(token), { method: 'POST', body, headers, signal }),
    )
    leftOut.push({ path, ...reason.parse(await noted.json()) })
  }
  const send = async ({ path, file }: PlacedFile): Promise<void> => {
    if ('unreadable' in file) return leaveOut(path, whyNot(file.unreadable))
    if (path.length > mostUploadPath || path.split('/').length > mostUploadDepth)
      return leaveOut(path, 'too-long')
    if (file.size > mostUploadBytes) return leaveOut(path, 'too-large')
    let response: Response
    try {
      response = await fetch(uploadUrl.file(token, path), { method: 'PUT', body: file, signal })
    } catch (error) {
      // A file that cannot be read looks like a studio that is gone: the file itself knows.
      const why = signal.aborted ? null : await whyUnreadable(file)
      if (why === null) throw error
      return leaveOut(path, why)
    }
    try {
      await checked(response)
    } catch (error) {
      if (!(error instanceof KestrelError) || endsAll.has(error.code)) throw error
      leftOut.push({ path, message: error.message })
      return
    }
    progress.sentFiles += 1
    progress.sentBytes += file.size
    onProgress({ ...progress })
  }
  // One generator, several senders: each takes the next file when it is free.
  const sender = async (): Promise<void> => {
    for (let next = await files.next(); !next.done; next = await files.next()) await send(next.value)
  }
  await Promise.all(Array.from({ length: parallelUploads }, sender))
  if (progress.sentFiles === 0) throw nothingSent(leftOut)
  return { token, leftOut }
}

function nothingSent([first, ...more]: readonly LeftOutFile[]): KestrelError {
  if (!first)
    return new KestrelError('file-empty', 'There are no files in what you dropped.', {
      remedy: 'Drop a folder with pictures in it.',
    })
  const others = more.length > 0 ? ` Nor could ${more.length} more.` : ''
  return new KestrelError('file-unreadable', `“${first.path}” could not be sent. ${first.message}${others}`, {
    kept: 'Nothing was added.',
    remedy: 'Look whether the files can be opened, then drop them again.',
  })
}

const whyNot = (error: unknown): NotSent['why'] =>
  error instanceof DOMException && error.name === 'NotFoundError' ? 'gone' : 'unreadable'

async function whyUnreadable(file: File): Promise<NotSent['why'] | null> {
  try {
    await file.slice(0, 1).arrayBuffer()
    return null
  } catch (error) {
    return whyNot(error)
  }
}
