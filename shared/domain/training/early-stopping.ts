import { z } from 'zod'
import { limitedOr, type Limit } from './limits.ts'

/**
 * Early stopping: a training ends when the validation pictures have not been answered better for `patience` epochs
 * (Prechelt 1998, "Early Stopping – But When?"; counting as Keras' `EarlyStopping`). The state also knows the best epoch,
 * whose weights are the ones to keep, whether or not it was stopped.
 */
export const earlyStoppingLimits = {
  patience: { name: 'The patience in epochs', min: 1, max: 1000, default: 10, whole: true },
  minDelta: { name: 'The smallest improvement that counts', min: 0, max: 10, default: 0 },
} as const satisfies Record<string, Limit>

export const earlyStoppingSchema = z.strictObject({
  /** `loss`: lower is better. `accuracy`: higher is; among equals the earlier epoch stays the best. */
  monitor: z.enum(['loss', 'accuracy']).default('loss'),
  patience: limitedOr(earlyStoppingLimits.patience),
  /** In units of what is monitored. */
  minDelta: limitedOr(earlyStoppingLimits.minDelta),
})
export type EarlyStoppingConfig = z.infer<typeof earlyStoppingSchema>

/** What a checkpoint keeps of it. */
export const earlyStoppingStateSchema = z.object({
  /** Best value of what is monitored; null before the first finite one. */
  best: z.number().nullable(),
  /** Counted from 1; 0 before the first. */
  bestEpoch: z.int().min(0),
  /** Finished epochs. */
  epoch: z.int().min(0),
  waited: z.int().min(0),
  stopped: z.boolean(),
})
export type EarlyStoppingState = z.infer<typeof earlyStoppingStateSchema>

export const earlyStoppingStart: EarlyStoppingState = {
  best: null,
  bestEpoch: 0,
  epoch: 0,
  waited: 0,
  stopped: false,
}

/**
 * One epoch on. A value that is not finite counts as no improvement; once stopped, it stays stopped.
 * @param value of what is monitored, on the validation pictures.
 */
export function earlyStoppingNext(
  { monitor, patience, minDelta }: EarlyStoppingConfig,
  state: EarlyStoppingState,
  value: number,
): EarlyStoppingState {
  const epoch = state.epoch + 1
  const gain = state.best === null ? Infinity : monitor === 'loss' ? state.best - value : value - state.best
  if (Number.isFinite(value) && gain > minDelta)
    return { ...state, best: value, bestEpoch: epoch, epoch, waited: 0 }
  const waited = state.waited + 1
  return { ...state, epoch, waited, stopped: state.stopped || waited >= patience }
}

/** The state after these values, epoch by epoch. */
export const earlyStoppingAfter = (
  config: EarlyStoppingConfig,
  values: readonly number[],
): EarlyStoppingState =>
  values.reduce((state, value) => earlyStoppingNext(config, state, value), earlyStoppingStart)

/** Whether a training with these values behind it should end. */
export const shouldStopEarly = (config: EarlyStoppingConfig, values: readonly number[]): boolean =>
  earlyStoppingAfter(config, values).stopped
