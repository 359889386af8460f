import { z } from 'zod'
import { limitedOr, type Limit } from './limits.ts'

/**
 * Reduce on plateau: the learning rate falls when the validation loss has not got better for more than `patience` epochs.
 * Counting as PyTorch's `ReduceLROnPlateau`. Keras' callback of that name waits one epoch less for the same number, rests
 * one epoch less, and measures absolutely: its (patience, cooldown) are our (patience − 1, max(0, cooldown − 1)) with
 * `measure: 'absolute'`.
 */
export const plateauLimits = {
  factor: { name: 'The factor on a plateau', min: 0.001, max: 0.999, default: 0.1 },
  patience: { name: 'The patience of the schedule in epochs', min: 0, max: 1000, default: 5, whole: true },
  threshold: { name: 'The smallest improvement that counts', min: 0, max: 10, default: 1e-4 },
  cooldown: { name: 'The rest after a fall in epochs', min: 0, max: 1000, default: 0, whole: true },
  floor: { name: 'The share of the learning rate that always stays', min: 0, max: 1, default: 0 },
} as const satisfies Record<string, Limit>

export const plateauFields = {
  factor: limitedOr(plateauLimits.factor),
  patience: limitedOr(plateauLimits.patience),
  threshold: limitedOr(plateauLimits.threshold),
  /** Whether the threshold is a share of the best loss or a difference from it. */
  measure: z.enum(['relative', 'absolute']).default('relative'),
  cooldown: limitedOr(plateauLimits.cooldown),
  floor: limitedOr(plateauLimits.floor),
}
export type PlateauConfig = z.infer<z.ZodObject<typeof plateauFields>>

/** What a checkpoint keeps of it. */
export const plateauStateSchema = z.object({
  /** Smallest loss so far; null before the first finite one. */
  best: z.number().nullable(),
  /** Epochs since the last improvement, fall or rest. */
  waited: z.int().min(0),
  /** Epochs of rest that are left. */
  resting: z.int().min(0),
  /** On the learning rate. */
  factor: z.number().min(0).max(1),
})
export type PlateauState = z.infer<typeof plateauStateSchema>

export const plateauStart: PlateauState = { best: null, waited: 0, resting: 0, factor: 1 }

/** One epoch on. A loss that is not finite counts as no improvement. */
export function plateauNext(config: PlateauConfig, state: PlateauState, loss: number): PlateauState {
  const better = Number.isFinite(loss) && (state.best === null || loss < goal(config, state.best))
  const best = better ? loss : state.best
  if (state.resting > 0) return { ...state, best, waited: 0, resting: state.resting - 1 }
  const waited = better ? 0 : state.waited + 1
  if (waited <= config.patience) return { ...state, best, waited }
  const factor = Math.max(Math.min(config.floor, state.factor), state.factor * config.factor)
  return { best, waited: 0, resting: config.cooldown, factor }
}

const goal = ({ measure, threshold }: PlateauConfig, best: number): number =>
  measure === 'relative' ? best - threshold * Math.abs(best) : best - threshold

/** The state after these validation losses, epoch by epoch. */
export const plateauAfter = (config: PlateauConfig, losses: readonly number[]): PlateauState =>
  losses.reduce((state, loss) => plateauNext(config, state, loss), plateauStart)
