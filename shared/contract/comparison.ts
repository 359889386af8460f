import { z } from 'zod'
import { call, ci95, jobRef, ok, projectRef } from './base.ts'
import { backboneSchema } from './use.ts'

const measuredSchema = z.object({
  /** Share right of the same pictures, each judged by a model that did not learn from it (5 folds). */
  accuracy: z.number(),
  /** Pictures per second on this machine, from file to features; null: not measured. */
  rate: z.number().nullable(),
})

/** Two backbones on the same pictures and folds of a project. */
export const comparisonResultSchema = z.object({
  measuredAt: z.number(),
  pictures: z.int(),
  own: measuredSchema,
  other: measuredSchema,
  /** Pictures that only one of the two got right. */
  onlyOwn: z.int(),
  onlyOther: z.int(),
  /** Other minus own, in shares. */
  gain: z.number(),
  gainCi95: ci95,
  /** Whether the other one is better; `unclear` when the difference may be chance (McNemar's exact test at 5 %). */
  verdict: z.enum(['better', 'worse', 'unclear']),
  /** Measured on today's pictures, labels and division, and with today's networks. */
  current: z.boolean(),
})
export type ComparisonResult = z.infer<typeof comparisonResultSchema>

export const comparisonSchema = z.object({
  /** The backbone that comes with Kestrel. */
  own: backboneSchema,
  /** The best other one: ready, or to be downloaded. */
  other: backboneSchema,
  /** How many pictures would be looked at. */
  pictures: z.int(),
  /** Why nothing could be told from this project's pictures, in words; null: something could. */
  cannotTell: z.string().nullable(),
  /** The person has decided to keep Kestrel's own one against this other one. */
  declined: z.boolean(),
  /** Of these two; null: not measured yet. */
  result: comparisonResultSchema.nullable(),
})
export type Comparison = z.infer<typeof comparisonSchema>

/** What a larger backbone than the one that comes with Kestrel would gain on a project's own pictures. */
export const comparison = {
  /** Null: nothing comes with Kestrel, or there is no other one. */
  get: call.input(projectRef).output(comparisonSchema.nullable()),
  /**
   * Measures both; downloads the other one before where that has to be. The job is that of the download or the
   * measurement; after a download the measurement begins by itself as a job of its own.
   */
  measure: call.input(projectRef.extend({ backboneId: z.string() })).output(jobRef),
  /** Whether the next training is to use this other backbone. Remembered with the project. */
  decide: call.input(projectRef.extend({ backboneId: z.string(), use: z.boolean() })).output(ok),
}
