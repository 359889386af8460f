import type { TrainMetric } from '#shared/contract/trainer.ts'
import type { TrainingCheck } from '#shared/domain/training/babysitter.ts'
import type { Breakdown } from '#shared/domain/training/explosion.ts'
import { KestrelError } from '#shared/errors/index.ts'

/** What happened, as a sentence goes on after "The training" or a name for it. */
export const brokeInWords: Record<Breakdown, string> = {
  diverged: 'got numbers that are not finite',
  exploded: 'exploded: its loss went far above that of guessing',
}

/** A training that broke down before anything good was reached; its curve, for whoever goes on without it. */
export class TrainingBroke extends KestrelError {
  readonly how: Breakdown
  readonly curve: readonly TrainMetric[]
  /** Training loss of a network that knows nothing. */
  readonly guessing: number

  constructor(how: Breakdown, curve: readonly TrainMetric[], guessing: number, checks?: TrainingCheck[]) {
    super('training-diverged', `The training ${brokeInWords[how]}.`, {
      kept: 'Pictures, labels and earlier models are unchanged.',
      remedy: 'Try a smaller learning rate (a tenth of it is a good try).',
      ...(checks && { checks }),
    })
    this.how = how
    this.curve = curve
    this.guessing = guessing
  }
}
