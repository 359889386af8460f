import { z } from 'zod'
import type { WireError } from '#shared/errors/index.ts'
import type { Graph } from '../types.ts'

export const kerasFormats = ['keras-h5', 'keras-archive'] as const
export type KerasFormat = (typeof kerasFormats)[number]

export const kerasTaskSchema = z.object({
  format: z.enum(kerasFormats),
  file: z.string(),
  defaultSize: z.int().min(1).max(4096),
})
export type KerasTask = z.infer<typeof kerasTaskSchema>

/** From our own thread, so the graph is trusted. */
export type FromKerasWorker =
  { type: 'graph'; graph: Graph } | { type: 'failed'; error: WireError; detail: string }
