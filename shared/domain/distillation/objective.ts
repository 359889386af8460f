import { z } from 'zod'

/** What a student is to make small. */
export const distillationObjectiveSchema = z.strictObject({
  /**
   * How its features are held against the teacher's: by the angle between them, or by the squared distance per number. The
   * teacher's are standardised first: every number counts alike, wherever it lies and however far it ranges.
   */
  features: z.enum(['cosine', 'l2']).default('cosine'),
  /** Softens the teacher's probabilities, so that what it thinks of the other labels is learned, too (Hinton et al. 2015). */
  temperature: z.number().min(1).max(20).default(3),
  /** Shares of the three parts; parts that there is nothing for (no labels, no classes) count for nothing. */
  weights: z
    .strictObject({
      features: z.number().min(0).max(1).default(1),
      soft: z.number().min(0).max(1).default(1),
      labels: z.number().min(0).max(1).default(0.5),
    })
    .prefault({}),
})
export type DistillationObjective = z.infer<typeof distillationObjectiveSchema>

/** With the numbers there are: what the loss of a training step is written from. */
export interface DistillationLoss extends DistillationObjective {
  kind: 'distillation'
  /** Features of the teacher, the first columns of what the student gives; 0: none. */
  featureLength: number
  /** Classes, the columns behind them; 0: none. */
  classes: number
}

/**
 * Columns of a row of targets: the teacher's features, its softened probabilities, and the true label as one 1 (all 0 where
 * there is no label).
 */
export const targetLength = ({ featureLength, classes }: DistillationLoss): number =>
  featureLength + 2 * classes

/** Loss of a student that knows nothing: an angle of 90° or the mean of the teacher's features, and all classes alike. */
export function guessingDistillation({
  featureLength,
  classes,
  temperature,
  weights,
}: DistillationLoss): number {
  const features = featureLength > 0 ? weights.features : 0
  if (classes === 0) return features
  return features + (weights.soft * temperature ** 2 + weights.labels) * Math.log(Math.max(2, classes))
}
