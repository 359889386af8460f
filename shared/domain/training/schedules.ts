import { z } from 'zod'
import { kindOf, limitedOr, type Limit, type Words } from './limits.ts'
import { plateauAfter, plateauFields } from './plateau.ts'

export { shouldStopEarly } from './early-stopping.ts'

/**
 * How the learning rate changes over a training: a factor on the learning rate, which is the highest of the whole training
 * in every schedule.
 */
export const scheduleLimits = {
  every: { name: 'The number of epochs between two steps', min: 1, max: 10_000, default: 10, whole: true },
  stepFactor: { name: 'The factor of each step', min: 0.001, max: 1, default: 0.1 },
  epochFactor: { name: 'The factor of each epoch', min: 0.001, max: 1, default: 0.95 },
  warmup: { name: 'The part of the training that warms up', min: 0, max: 0.9, default: 0.1 },
  warmupFrom: {
    name: 'The share of the learning rate that warm-up begins with',
    min: 0,
    max: 1,
    default: 0.01,
  },
  floor: { name: 'The share of the learning rate that is left at the end', min: 0, max: 1, default: 0 },
  /** `pct_start`, `div_factor` and `final_div_factor` of PyTorch's `OneCycleLR`, with its defaults. */
  up: { name: 'The part of the training in which the rate rises', min: 0.01, max: 0.99, default: 0.3 },
  startDivisor: { name: 'The divisor of the first rate', min: 1, max: 1e6, default: 25 },
  endDivisor: { name: 'The divisor from the first rate to the last', min: 1, max: 1e8, default: 1e4 },
} as const satisfies Record<string, Limit>

const limits = scheduleLimits

export const scheduleConfigSchema = kindOf('The schedule', [
  z.strictObject({ kind: z.literal('constant') }),
  /** Times `factor` every `every` epochs. */
  z.strictObject({
    kind: z.literal('step'),
    every: limitedOr(limits.every),
    factor: limitedOr(limits.stepFactor),
  }),
  /** Times `factor` every epoch, smoothly or (`staircase`) from epoch to epoch. */
  z.strictObject({
    kind: z.literal('exponential'),
    factor: limitedOr(limits.epochFactor),
    staircase: z.boolean().default(false),
  }),
  /** Linear warm-up over a share of all steps, then half a cosine down to `floor` times the rate. */
  z.strictObject({
    kind: z.literal('cosine'),
    warmup: limitedOr(limits.warmup),
    warmupFrom: limitedOr(limits.warmupFrom),
    floor: limitedOr(limits.floor),
  }),
  /** Up to the rate over the share `up` of all steps, and down again. */
  z.strictObject({
    kind: z.literal('one-cycle'),
    up: limitedOr(limits.up),
    startDivisor: limitedOr(limits.startDivisor),
    endDivisor: limitedOr(limits.endDivisor),
  }),
  z.strictObject({ kind: z.literal('plateau'), ...plateauFields }),
])
export type ScheduleConfig = z.infer<typeof scheduleConfigSchema>
export type ScheduleKind = ScheduleConfig['kind']
export const scheduleKinds = scheduleConfigSchema.options.map(
  (option) => option.shape.kind.value,
) as readonly ScheduleKind[]

export interface ScheduleMoment {
  /** Updates made so far, counted over the whole training: 0 before the first. */
  step: number
  stepsPerEpoch: number
  epochs: number
  /** Validation losses of the finished epochs, oldest first; training losses where there is no validation. */
  losses: readonly number[]
}

/**
 * What the learning rate is multiplied with at a step, in [0, 1]. A pure function of where the training is: a resumed one
 * goes on with the same rates.
 * @throws RangeError when a step lies before the training, or an epoch has no steps.
 */
export function rateFactor(schedule: ScheduleConfig, moment: ScheduleMoment): number {
  const { step, stepsPerEpoch, epochs, losses } = moment
  if (!(step >= 0 && stepsPerEpoch >= 1 && epochs >= 1))
    throw new RangeError(`There is no step ${step} in ${epochs} epochs of ${stepsPerEpoch} steps.`)
  const steps = stepsPerEpoch * epochs
  switch (schedule.kind) {
    case 'constant':
      return 1
    case 'step':
      return schedule.factor ** Math.floor(Math.floor(step / stepsPerEpoch) / schedule.every)
    case 'exponential': {
      const epoch = step / stepsPerEpoch
      return schedule.factor ** (schedule.staircase ? Math.floor(epoch) : epoch)
    }
    case 'cosine':
      return cosine(schedule, step, steps)
    case 'one-cycle':
      return oneCycle(schedule, step, steps)
    case 'plateau':
      return plateauAfter(schedule, losses).factor
  }
}

type Of<K extends ScheduleKind> = Extract<ScheduleConfig, { kind: K }>

/**
 * Half a cosine from 1 down to `floor` (Loshchilov & Hutter 2017, "SGDR", equation 5, one period) after a linear warm-up
 * (Goyal et al. 2017, section 2.2). As Keras' `CosineDecay` with its warm-up, and as PyTorch's `LinearLR` followed by
 * `CosineAnnealingLR`.
 */
function cosine({ warmup, warmupFrom, floor }: Of<'cosine'>, step: number, steps: number): number {
  const warm = Math.round(warmup * steps)
  if (step < warm) return warmupFrom + ((1 - warmupFrom) * step) / warm
  return between(1, floor, Math.min(1, (step - warm) / Math.max(1, steps - warm)))
}

/**
 * Up to the full rate, then down to far below the first one (Smith & Topin 2018, "Super-Convergence"), with half cosines
 * for both ways as PyTorch's `OneCycleLR` does it; the momentum stays as it is.
 */
function oneCycle({ up, startDivisor, endDivisor }: Of<'one-cycle'>, step: number, steps: number): number {
  const first = 1 / startDivisor
  const top = Math.max(0, up * steps - 1)
  if (step < top) return between(first, 1, step / top)
  const way = steps - 1 - top
  return between(1, first / endDivisor, way > 0 ? Math.min(1, (step - top) / way) : 0)
}

/** Half a cosine from one value to another. */
const between = (from: number, to: number, progress: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * progress))) / 2

export const scheduleWords: Record<ScheduleKind, Words> = {
  constant: { plain: 'Always the same', term: 'constant', meaning: 'The learning rate stays as it is.' },
  step: {
    plain: 'Down in steps',
    term: 'step decay',
    meaning: 'Every few epochs the learning rate falls to a part of what it was.',
  },
  exponential: {
    plain: 'Down steadily',
    term: 'exponential decay',
    meaning: 'The learning rate falls by the same part in every epoch.',
  },
  cosine: {
    plain: 'Warm up, then glide down',
    term: 'cosine with warm-up',
    meaning: 'Begins carefully, learns fast in the middle and comes to rest gently at the end.',
  },
  'one-cycle': {
    plain: 'One long wave',
    term: 'one-cycle',
    meaning: 'Rises at first, then falls to almost nothing. Good for short trainings.',
  },
  plateau: {
    plain: 'Down when it stops getting better',
    term: 'reduce on plateau',
    meaning: 'Falls when the validation pictures have not been answered better for some epochs.',
  },
}
