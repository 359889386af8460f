import { z } from 'zod'
import type { KestrelError } from '#shared/errors/index.ts'

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
