import { z } from 'zod'
import { KestrelError } from '../../errors/index.ts'
import { classWeightsSchema } from './class-weights.ts'
import { limited, limitedOr, type Limit } from './limits.ts'
import { lossConfigSchema } from './losses.ts'
import {
  learningRateLimit,
  optimiserConfigSchema,
  usualLearningRate,
  usualWeightDecay,
} from './optimisers.ts'
import { regularisationLimits, regularisationSchema } from './regularisation.ts'
import { scheduleConfigSchema } from './schedules.ts'

export { classWeightsOf, classWeightsSchema, type ClassWeights } from './class-weights.ts'
export { lossConfigSchema, type LossConfig } from './losses.ts'
export {
  optimiserConfigSchema,
  optimiserKinds,
  usualLearningRate,
  usualWeightDecay,
  type OptimiserConfig,
  type OptimiserKind,
} from './optimisers.ts'
export { regularisationSchema, type Regularisation } from './regularisation.ts'
export { scheduleConfigSchema, scheduleKinds, type ScheduleConfig, type ScheduleKind } from './schedules.ts'
export { earlyStoppingSchema, type EarlyStoppingConfig } from './early-stopping.ts'

/**
 * Everything a training by gradients can be told, with limits and defaults: one description for the page, the command
 * line, the trainer and the passport of a run. Its seed belongs to the run.
 */
export const fittingLimits = {
  epochs: { name: 'The number of epochs', min: 1, max: 10_000, default: 30, whole: true },
  batchSize: { name: 'The batch size', min: 1, max: 1024, default: 32, whole: true },
  groupRate: { name: 'The learning rate factor of a group', min: 0, max: 100, default: 1 },
} as const satisfies Record<string, Limit>

export const fittingConfigSchema = z.strictObject({
  optimiser: optimiserConfigSchema.prefault({ kind: 'adam' }),
  /** The highest of the schedule. */
  learningRate: limited(learningRateLimit),
  /** By group of parameters (`base`, `head` …): factor on the learning rate. Groups that are not named take 1. */
  groupRates: z.record(z.string(), limited(fittingLimits.groupRate)).default({}),
  schedule: scheduleConfigSchema.prefault({ kind: 'cosine' }),
  loss: lossConfigSchema.prefault({ kind: 'cross-entropy' }),
  classWeights: classWeightsSchema.default('none'),
  regularisation: regularisationSchema.prefault({}),
  /** Pictures per step. */
  batchSize: limitedOr(fittingLimits.batchSize),
  epochs: limitedOr(fittingLimits.epochs),
})
export type FittingConfig = z.infer<typeof fittingConfigSchema>

/** As a person writes it: what is left out takes its default, in learning rate and weight decay the optimiser's usual one. */
const writtenSchema = fittingConfigSchema.extend({
  learningRate: fittingConfigSchema.shape.learningRate.optional(),
  regularisation: regularisationSchema
    .extend({ weightDecay: limited(regularisationLimits.weightDecay).optional() })
    .prefault({}),
})
export type WrittenFitting = z.input<typeof writtenSchema>

/**
 * Reads settings that a person or a program wrote.
 * @throws KestrelError `bad-request` that says what is wrong, a sentence for each mistake.
 */
export function parseFittingConfig(value: unknown): FittingConfig {
  const parsed = writtenSchema.safeParse(value)
  if (!parsed.success)
    throw refused(
      parsed.error.issues.map(({ message, path }) =>
        message.endsWith('.') ? message : `${path.join('.') || 'The settings of the training'}: ${message}.`,
      ),
      parsed.error,
    )
  const { optimiser, regularisation } = parsed.data
  const config: FittingConfig = {
    ...parsed.data,
    learningRate: parsed.data.learningRate ?? usualLearningRate[optimiser.kind],
    regularisation: {
      ...regularisation,
      weightDecay: regularisation.weightDecay ?? usualWeightDecay[optimiser.kind],
    },
  }
  const found = contradictions(config)
  if (found.length > 0) throw refused(found)
  return config
}

/** What does not go together, in sentences; empty when all is well. */
export function contradictions({ loss, regularisation }: FittingConfig): string[] {
  return loss.kind === 'hinge' && (regularisation.mixup > 0 || regularisation.cutmix > 0)
    ? ['Mixing pictures (mixup, cutmix) needs the loss "cross-entropy": a hinge knows one right label.']
    : []
}

const refused = (sentences: readonly string[], cause?: unknown): KestrelError =>
  new KestrelError('bad-request', [...new Set(sentences)].join(' '), {
    remedy: 'Correct the settings of the training and start it again.',
    cause,
  })

/** The factor of a group of parameters on the learning rate. */
export const groupRate = ({ groupRates }: Pick<FittingConfig, 'groupRates'>, group: string): number =>
  Object.hasOwn(groupRates, group) ? groupRates[group]! : fittingLimits.groupRate.default
