import { oc } from '@orpc/contract'
import { z } from 'zod'
import { wireErrorSchema } from '../errors/index.ts'

/** Every call may fail with a worded error. `KESTREL` carries the words; other codes never reach a person. */
export const call = oc.errors({ KESTREL: { status: 422, data: wireErrorSchema } })

export const projectRef = z.object({ projectId: z.string().max(64) })
export const ok = z.object({ ok: z.literal(true) })
export { sourceToken } from './tokens.ts'
export const jobRef = z.object({ jobId: z.string() })
export const runRef = projectRef.extend({ runId: z.string().max(64) })
export const window = z.object({ offset: z.int().min(0), limit: z.int().min(1).max(500) })
export const ci95 = z.tuple([z.number(), z.number()])
export const splitChoice = z.object({
  train: z.number().min(0).max(1),
  val: z.number().min(0).max(1),
  test: z.number().min(0).max(1),
})
