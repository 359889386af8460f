import { z } from 'zod'

/**
 * Everything a training by gradients can be told, with limits and defaults: one description for the page, the command
 * line, the trainer and the passport of a run.
 */

/** Where the frameworks write an update differently (place of epsilon, learning rate inside or outside the momentum). */
export const conventions = ['pytorch', 'keras'] as const
const convention = z.enum(conventions).default('pytorch')
const fraction = z.number().min(0).lt(1)
const epsilon = z.number().positive().max(1)

export const optimiserConfigSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sgd') }),
  z.object({ kind: z.literal('momentum'), momentum: fraction.default(0.9), convention }),
  z.object({ kind: z.literal('nesterov'), momentum: fraction.default(0.9), convention }),
  z.object({
    kind: z.literal('adagrad'),
    /** What the sum of squares begins with. */
    initial: z.number().min(0).max(10).default(0),
    epsilon: epsilon.default(1e-10),
    convention,
  }),
  z.object({
    kind: z.literal('rmsprop'),
    /** Share of the old mean of squares. */
    rho: fraction.default(0.9),
    epsilon: epsilon.default(1e-8),
    convention,
  }),
  z.object({
    kind: z.literal('adam'),
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.999),
    epsilon: epsilon.default(1e-8),
    convention,
  }),
  z.object({
    kind: z.literal('adamw'),
    beta1: fraction.default(0.9),
    beta2: fraction.default(0.999),
    epsilon: epsilon.default(1e-8),
    convention,
  }),
])
export type OptimiserConfig = z.infer<typeof optimiserConfigSchema>
export type OptimiserKind = OptimiserConfig['kind']
export const optimiserKinds = optimiserConfigSchema.options.map(
  (option) => option.shape.kind.value,
) as readonly OptimiserKind[]

/** A good first learning rate of each optimiser (Keras' and PyTorch's defaults). */
export const usualLearningRate: Record<OptimiserKind, number> = {
  sgd: 1e-2,
  momentum: 1e-2,
  nesterov: 1e-2,
  adagrad: 1e-2,
  rmsprop: 1e-3,
  adam: 1e-3,
  adamw: 1e-3,
}

export const scheduleConfigSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('constant') }),
  /** Times `factor` every `every` epochs. */
  z.object({
    kind: z.literal('step'),
    every: z.int().min(1).default(10),
    factor: z.number().positive().max(1).default(0.1),
  }),
  /** Times `factor` every epoch, smoothly. */
  z.object({ kind: z.literal('exponential'), factor: z.number().positive().max(1).default(0.95) }),
  /** Linear warm-up, then half a cosine down to `floor` times the rate. */
  z.object({
    kind: z.literal('cosine'),
    /** Share of all steps. */
    warmup: fraction.default(0.1),
    floor: fraction.default(0),
  }),
  /** Up to the rate and down again (Smith & Topin 2019). */
  z.object({
    kind: z.literal('one-cycle'),
    /** Share of all steps on the way up. */
    up: z.number().gt(0).lt(1).default(0.3),
    /** The first rate is the highest divided by this. */
    startDivisor: z.number().min(1).default(25),
    /** The last rate is the first divided by this. */
    endDivisor: z.number().min(1).default(1e4),
  }),
  /** Times `factor` when validation has not got better for `patience` epochs. */
  z.object({
    kind: z.literal('plateau'),
    factor: z.number().positive().lt(1).default(0.1),
    patience: z.int().min(0).default(5),
    /** An improvement of the loss smaller than this share is none. */
    threshold: z.number().min(0).lt(1).default(1e-4),
  }),
])
export type ScheduleConfig = z.infer<typeof scheduleConfigSchema>

export const lossConfigSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('cross-entropy'), labelSmoothing: fraction.default(0) }),
  /** Multiclass hinge (Weston & Watkins 1999), the linear SVM's loss. */
  z.object({ kind: z.literal('hinge'), margin: z.number().positive().max(100).default(1) }),
])
export type LossConfig = z.infer<typeof lossConfigSchema>

export const classWeightsSchema = z.union([
  z.enum(['none', 'balanced']),
  z.array(z.number().min(0).max(1e6)).min(2),
])
export type ClassWeights = z.infer<typeof classWeightsSchema>

export const earlyStoppingSchema = z.object({
  /** Epochs without a better validation loss before it ends. */
  patience: z.int().min(1),
  /** What counts as better, in units of the loss. */
  minDelta: z.number().min(0).default(0),
})
export type EarlyStoppingConfig = z.infer<typeof earlyStoppingSchema>

export const regularisationSchema = z.object({
  /** λ·Σ|w|, added to the gradient. */
  l1: z.number().min(0).max(10).default(0),
  /** ½·λ·Σw², added to the gradient. */
  l2: z.number().min(0).max(10).default(0),
  /** Decoupled (Loshchilov & Hutter 2019): each step takes this share, times the learning rate, off the weights. */
  weightDecay: z.number().min(0).max(10).default(0),
  /** Longest gradient (Euclidean norm over all parameters); longer ones are scaled down. Null: any. */
  clipNorm: z.number().positive().nullable().default(null),
  /** Decay of the exponential moving average of the weights that is used in the end; null: none. */
  averageDecay: z.number().gt(0).lt(1).nullable().default(null),
  /** Beta(α, α) of mixup (Zhang et al. 2018); 0: off. */
  mixup: z.number().min(0).max(10).default(0),
  /** Beta(α, α) of cutmix (Yun et al. 2019); 0: off. */
  cutmix: z.number().min(0).max(10).default(0),
  earlyStopping: earlyStoppingSchema.nullable().default(null),
})
export type Regularisation = z.infer<typeof regularisationSchema>

export const fittingConfigSchema = z.object({
  optimiser: optimiserConfigSchema,
  learningRate: z.number().positive().max(100),
  schedule: scheduleConfigSchema,
  loss: lossConfigSchema,
  classWeights: classWeightsSchema,
  regularisation: regularisationSchema,
  batchSize: z.int().min(1).max(1024),
  epochs: z.int().min(1).max(10_000),
})
export type FittingConfig = z.infer<typeof fittingConfigSchema>

/** Weight of each class in the loss. `balanced`: n ÷ (classes · nₖ), as scikit-learn does it; empty classes get 0. */
export function classWeightsOf(weights: ClassWeights, counts: readonly number[]): number[] {
  if (weights === 'none') return counts.map(() => 1)
  if (weights === 'balanced') {
    const total = counts.reduce((a, b) => a + b, 0)
    const filled = counts.filter((count) => count > 0).length
    return counts.map((count) => (count === 0 ? 0 : total / (filled * count)))
  }
  if (weights.length !== counts.length)
    throw new RangeError(`${weights.length} class weights were given for ${counts.length} classes.`)
  return [...weights]
}
