import type { LossConfig } from './losses.ts'

/**
 * When a loss has exploded. The measure is the loss of a network that knows nothing: whoever does many times worse than
 * guessing has numbers that ran away, and no training comes back from there by learning. It does not depend on the
 * training's own first epoch, which may have exploded already.
 */

/** A loss this many times the measure has exploded. Generous: a fresh network may begin at a few times guessing. */
const EXPLODED = 20

/** Where a training broke down: numbers that are not finite, or a loss far above guessing. */
export type Breakdown = 'diverged' | 'exploded'

/**
 * Loss per picture when every class gets the same score: ln(classes) for the cross-entropy, with smoothed and mixed targets
 * too, because they sum to 1; the margin (or its square) for each wrong class for the hinge.
 */
export function guessingLoss(loss: LossConfig, classes: number): number {
  const several = Math.max(2, classes)
  if (loss.kind === 'cross-entropy') return Math.log(several)
  return (several - 1) * (loss.squared ? loss.margin ** 2 : loss.margin)
}

/**
 * @param guessing loss of knowing nothing.
 * @param start loss before anything was learned; first weights drawn too large may begin far above guessing.
 */
export const hasExploded = (loss: number, guessing: number, start = 0): boolean =>
  loss > EXPLODED * Math.max(guessing, start)
