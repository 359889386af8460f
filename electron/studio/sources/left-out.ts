import { z } from 'zod'
import { mostUploadBytes } from '#shared/contract/media.ts'
import type { NotSent } from '#shared/contract/media.ts'
import { KestrelError } from '#shared/errors/index.ts'

/** A file of a drop that no import can read, with the reason for the person. */
export const leftOutSchema = z.object({
  /** Relative to what was dropped, '/' between folders. */
  file: z.string(),
  code: z.string(),
  message: z.string(),
})
export type LeftOut = z.infer<typeof leftOutSchema>

export const leftOutBecause = (file: string, { code, message, remedy }: KestrelError): LeftOut => ({
  file,
  code,
  message: remedy === undefined ? message : `${message} ${remedy}`,
})

/** Why a file of a drop did not arrive, in words. */
export function notSentError(why: NotSent['why'] | 'name' | 'failed', cause?: unknown): KestrelError {
  const kept = 'That file was left out.'
  switch (why) {
    case 'gone':
      return new KestrelError('file-missing', 'It was gone when it was about to be sent.', { kept, cause })
    case 'unreadable':
      return new KestrelError('file-unreadable', 'The browser was not allowed to read it.', {
        kept,
        remedy: 'Check its permissions.',
        cause,
      })
    case 'too-long':
      return new KestrelError('bad-request', 'Its name, or that of the folders it lies in, is too long.', {
        kept,
        remedy: 'Give it a shorter name, or drop the folder it lies in.',
        cause,
      })
    case 'too-large':
      return new KestrelError(
        'too-large',
        `It is larger than the ${Math.floor(mostUploadBytes / 1024 ** 3)} GB that can be sent.`,
        { kept, remedy: 'Divide it, or start Kestrel on the machine where it lies.', cause },
      )
    case 'name':
      return new KestrelError('bad-request', 'The name of a file that was sent cannot be used.', {
        kept,
        remedy: 'Give it another name.',
        cause,
      })
    case 'failed':
      return new KestrelError('file-unreadable', 'It could not be stored.', { kept, cause })
  }
}
