import { z } from 'zod'
import { jsonOrUndefined } from '#shared/util/json.ts'
import type { ProjectDatabase } from './database.ts'
import { createProjectRepository } from './project-repository.ts'

/** What was counted, and on what. All figures are derived from this. */
const measurementSchema = z.object({
  version: z.literal(1),
  measuredAt: z.number(),
  ownId: z.string(),
  otherId: z.string(),
  /** Of the prepared networks: another network of the same name is another measurement. */
  ownSha256: z.string(),
  otherSha256: z.string(),
  /** Of the pictures, labels and sides that the project had then. */
  digest: z.string(),
  pictures: z.int().positive(),
  bothRight: z.int().min(0),
  onlyOwn: z.int().min(0),
  onlyOther: z.int().min(0),
  /** Pictures per second; null: not measured. */
  ownRate: z.number().nullable(),
  otherRate: z.number().nullable(),
})
export type Measurement = z.infer<typeof measurementSchema>

const decisionSchema = z.object({
  version: z.literal(1),
  /** Which other backbone was decided about. */
  otherId: z.string(),
  use: z.boolean(),
  /** Whether that was here already: who declines a download has not seen what it would bring. */
  ready: z.boolean(),
  /** The backbone the next training is to use; null: nothing was said about that. */
  chosen: z.string().nullable(),
  /** Number of the newest run then: a later one has a choice of its own. */
  afterRun: z.int().min(0),
})
export type Decision = z.infer<typeof decisionSchema>

const measurementKey = 'backbone_comparison'
const decisionKey = 'backbone_decision'

export type ComparisonRepository = ReturnType<typeof createComparisonRepository>

/** What a larger backbone was measured to gain in this project, and what the person said to that. */
export function createComparisonRepository(db: ProjectDatabase) {
  const values = createProjectRepository(db)
  // What cannot be read can be measured, or decided, again.
  const read = <S extends z.ZodType>(key: string, schema: S): z.infer<S> | null =>
    schema.safeParse(jsonOrUndefined(values.value(key) ?? '')).data ?? null
  return {
    /** The newest one; null: none. */
    measurement: (): Measurement | null => read(measurementKey, measurementSchema),
    keepMeasurement: (measurement: Measurement): void =>
      values.setValue(measurementKey, JSON.stringify(measurement)),
    /** The last one; null: none. */
    decision: (): Decision | null => read(decisionKey, decisionSchema),
    keepDecision: (decision: Decision): void => values.setValue(decisionKey, JSON.stringify(decision)),
  }
}
