import { z } from 'zod'
import { augmentationPresets, augmentationSchema } from '../augmentation/index.ts'
import { networkSpecSchema, templateIds } from '../network/index.ts'
import { classWeightLimit, classWeightsSchema } from './class-weights.ts'
import { fittingLimits, lossConfigSchema, optimiserConfigSchema, scheduleConfigSchema } from './config.ts'
import type { FittingConfig } from './config.ts'
import { limited } from './limits.ts'
import { learningRateLimit } from './optimisers.ts'
import { regularisationSchema } from './regularisation.ts'
import { changedKind, unfilled } from './unfilled.ts'

/**
 * What a person asks for beyond the preset of a recipe, in any depth: what is left out stays as the preset has it. Written
 * as JSON for `kestrel run --training`, sent to the studio, and kept with the run. Names that are not known are refused:
 * a misspelt setting that is silently left out would be a training with another setting than the person believes.
 */
export const gradientChangesSchema = z.strictObject({
  optimiser: changedKind('The optimiser', optimiserConfigSchema).optional(),
  learningRate: limited(learningRateLimit).optional(),
  /** Factors on the learning rate: of the backbone's blocks, and of the classifier on top of them. */
  groupRates: z
    .strictObject({
      base: limited(fittingLimits.groupRate).optional(),
      head: limited(fittingLimits.groupRate).optional(),
    })
    .optional(),
  schedule: changedKind('The schedule', scheduleConfigSchema).optional(),
  loss: changedKind('The loss', lossConfigSchema).optional(),
  /** `none`, `balanced`, one for each class in their order, or by label; labels that are not named weigh 1. */
  classWeights: z
    .union([...classWeightsSchema.options, z.record(z.string(), limited(classWeightLimit))], {
      error:
        'The class weights must be "none", "balanced", a list with a number from 0 to 1000000 for each label, or such a number by label, as { "daisy": 2 }.',
    })
    .optional(),
  regularisation: z.strictObject(unfilled(regularisationSchema.shape)).optional(),
  epochs: limited(fittingLimits.epochs).optional(),
  batchSize: limited(fittingLimits.batchSize).optional(),
  /** A preset's name, or an augmentation written down, which then takes the place of the preset's as a whole. */
  augmentation: z.union([z.enum(augmentationPresets), augmentationSchema]).optional(),
  /** A template's name, or a network written down. */
  network: z.union([z.enum(templateIds), networkSpecSchema]).optional(),
  topBlocks: z
    .int({ error: 'The number of blocks that learn must be a whole number from 1 to 1000.' })
    .min(1)
    .max(1000)
    .optional(),
  /**
   * The blocks learn from the first step on, under a classifier that is drawn and knows nothing yet. For those who know
   * what they do: its first gradients are large and wash out what the blocks knew.
   */
  unfreezeAtOnce: z.boolean().optional(),
})
export type GradientChanges = z.infer<typeof gradientChangesSchema>

type FittingChanges = Omit<
  GradientChanges,
  'classWeights' | 'augmentation' | 'network' | 'topBlocks' | 'unfreezeAtOnce'
>

/**
 * The preset's numbers with those that were changed; not checked yet. An optimiser, a schedule or a loss of another kind
 * takes the place of the preset's with defaults of its own.
 */
export function changedFitting(preset: FittingConfig, changes: FittingChanges): Record<string, unknown> {
  const { optimiser, schedule, loss, groupRates, regularisation, ...plain } = changes
  return {
    ...preset,
    ...given(plain),
    optimiser: over(preset.optimiser, optimiser),
    schedule: over(preset.schedule, schedule),
    loss: over(preset.loss, loss),
    groupRates: { ...preset.groupRates, ...given(groupRates ?? {}) },
    regularisation: { ...preset.regularisation, ...given(regularisation ?? {}) },
  }
}

/** Two wishes in one, where the second one wins. An optimiser of the same kind keeps the first one's numbers. */
export function combined(first: GradientChanges, second: GradientChanges): GradientChanges {
  const { optimiser, ...rest } = second
  const same = optimiser?.kind === first.optimiser?.kind
  return { ...first, ...given(rest), ...(optimiser && !same && { optimiser }) }
}

const over = (preset: { kind: string }, change: { kind: string } | undefined): object =>
  change === undefined ? preset : change.kind === preset.kind ? { ...preset, ...given(change) } : change

/** Without what is there but undefined, which would hide what lies below. */
const given = <T extends object>(values: T): Partial<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
