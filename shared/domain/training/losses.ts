import { z } from 'zod'
import { kindOf, limitedOr, type Limit, type Words } from './limits.ts'

/** What a training makes small. Formulas and conventions: `electron/trainer/autodiff/losses.ts`. */
export const lossLimits = {
  labelSmoothing: { name: 'The label smoothing', min: 0, max: 0.9, default: 0 },
  margin: { name: 'The margin', min: 0.001, max: 1000, default: 1 },
} as const satisfies Record<string, Limit>

export const lossConfigSchema = kindOf('The loss', [
  z.strictObject({
    kind: z.literal('cross-entropy'),
    /** Share of the truth that is spread evenly over all classes (Szegedy et al. 2016, section 7). */
    labelSmoothing: limitedOr(lossLimits.labelSmoothing),
  }),
  /** Multiclass hinge (Weston & Watkins 1999), the linear SVM's loss. */
  z.strictObject({
    kind: z.literal('hinge'),
    margin: limitedOr(lossLimits.margin),
    /** Squared violations: large ones count more, small ones less. */
    squared: z.boolean().default(false),
  }),
])
export type LossConfig = z.infer<typeof lossConfigSchema>
export type LossKind = LossConfig['kind']

export const lossWords: Record<LossKind, Words> = {
  'cross-entropy': {
    plain: 'Be sure of the right label',
    term: 'softmax cross-entropy',
    meaning: 'The less probable the model thinks the right label, the more it has to learn from a picture.',
  },
  hinge: {
    plain: 'Keep the right label clearly ahead',
    term: 'multiclass hinge, linear SVM',
    meaning: 'Only pictures whose right label is not ahead of all others by a margin teach anything.',
  },
}
