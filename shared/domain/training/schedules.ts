import type { EarlyStoppingConfig, ScheduleConfig } from './config.ts'

export interface ScheduleMoment {
  /** Counted from 0 over the whole training. */
  step: number
  stepsPerEpoch: number
  epochs: number
  /** Validation losses of the finished epochs, oldest first; training losses where there is no validation. */
  losses: readonly number[]
}

/**
 * What the learning rate is multiplied with at a step. A pure function of where the training is: a resumed one goes on
 * with the same rates.
 */
export function rateFactor(schedule: ScheduleConfig, moment: ScheduleMoment): number {
  const { step, stepsPerEpoch, epochs, losses } = moment
  const steps = Math.max(1, stepsPerEpoch * epochs)
  switch (schedule.kind) {
    case 'constant':
      return 1
    case 'step':
      return schedule.factor ** Math.floor(step / stepsPerEpoch / schedule.every)
    case 'exponential':
      return schedule.factor ** (step / stepsPerEpoch)
    case 'cosine': {
      // Loshchilov & Hutter 2017, equation 5, without restarts.
      const warmup = Math.round(schedule.warmup * steps)
      if (step < warmup) return (step + 1) / warmup
      const done = Math.min(1, (step - warmup) / Math.max(1, steps - warmup))
      return schedule.floor + (1 - schedule.floor) * 0.5 * (1 + Math.cos(Math.PI * done))
    }
    case 'one-cycle': {
      // Smith & Topin 2019, with half cosines for both ways, as PyTorch's OneCycleLR does it.
      const first = 1 / schedule.startDivisor
      const last = first / schedule.endDivisor
      const top = Math.max(1, schedule.up * steps - 1)
      if (step <= top) return between(first, 1, step / top)
      return between(1, last, Math.min(1, (step - top) / Math.max(1, steps - 1 - top)))
    }
    case 'plateau':
      return schedule.factor ** plateaus(losses, schedule.patience, schedule.threshold)
  }
}

/** Half a cosine from one value to another. */
const between = (from: number, to: number, share: number): number =>
  to + ((from - to) / 2) * (1 + Math.cos(Math.PI * share))

/** How often the losses have stood still for longer than `patience` epochs (PyTorch's ReduceLROnPlateau, mode `rel`). */
function plateaus(losses: readonly number[], patience: number, threshold: number): number {
  let best = Infinity
  let waited = 0
  let count = 0
  for (const loss of losses) {
    if (loss < best * (1 - threshold)) {
      best = loss
      waited = 0
    } else waited += 1
    if (waited > patience) {
      count += 1
      waited = 0
    }
  }
  return count
}

/** Whether the losses have not got better for so long that the training should end. */
export function shouldStopEarly(
  { patience, minDelta }: EarlyStoppingConfig,
  losses: readonly number[],
): boolean {
  let best = Infinity
  let waited = 0
  for (const loss of losses) {
    if (loss < best - minDelta) {
      best = loss
      waited = 0
    } else waited += 1
  }
  return waited >= patience
}
