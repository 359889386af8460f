import { wilsonInterval } from './metrics.ts'

/** Of the pictures that get an answer, this share should be right. */
export const TARGET_RIGHT = 0.95
/** However unsure the model is, at least this share of the validation pictures is answered. */
export const MIN_ANSWERED = 0.75
/** Share of the right answers that may fall below the threshold although nothing is wrong with them. */
const FLOOR_QUANTILE = 0.02
/** Used when there is no validation picture to choose from. */
const WITHOUT_PICTURES = 0.5
/** Thresholds are whole thousandths: short to read, and the same text in the app, the export and the card. */
const STEPS = 1000

export interface ThresholdInput {
  /** Probability of the answer the model gives for each validation (or out-of-fold) picture, 0 … 1. */
  confidences: ArrayLike<number>
  /** Whether that answer is right. */
  right: readonly boolean[]
  targetRight?: number
  minAnswered?: number
}

export interface ThresholdCount {
  /** Pictures at or above the threshold. */
  answered: number
  /** Of those, how many are right. */
  right: number
  total: number
}

export interface ChosenThreshold extends ThresholdCount {
  /** Below this probability the honest answer is "not sure". */
  value: number
  /** Whether the target was reached at this threshold, cautiously counted. */
  reached: boolean
}

/**
 * Chooses the confidence below which the model says "not sure".
 *
 * 1. Floor: the model has seen what it looks like when it is right. The threshold is never below the confidence that
 *    98 % of its right answers reach, so that something quite unlike the pictures is not answered even when validation
 *    went perfectly.
 * 2. From there up, the smallest threshold at which the answered pictures are right often enough. Counted cautiously:
 *    one standard error below the observed share (lower Wilson bound with z = 1), because 19 right of 19 promises less
 *    than 190 of 190.
 * 3. Never so high that more than a quarter of the pictures stays unanswered. If the target is out of reach within that
 *    bound, the threshold with the best cautious share is taken (the smallest one among equals), and `reached` is false.
 */
export function chooseThreshold(input: ThresholdInput): ChosenThreshold {
  const { confidences, right, targetRight = TARGET_RIGHT, minAnswered = MIN_ANSWERED } = input
  const total = right.length
  if (confidences.length !== total)
    throw new RangeError(`${confidences.length} confidences for ${total} answers`)
  if (total === 0) return { value: WITHOUT_PICTURES, answered: 0, right: 0, total: 0, reached: false }

  const floor = floorThreshold(confidences, right)
  const candidates = [...new Set([floor, ...Array.from(confidences, toStep)])]
    .filter((candidate) => candidate >= floor)
    .sort((a, b) => a - b)

  let best: { value: number; cautious: number } | null = null
  for (const value of candidates) {
    const counted = countAt(confidences, right, value)
    if (best && counted.answered < minAnswered * total) break
    const [cautious] = wilsonInterval(counted.right, counted.answered, 1)
    if (cautious >= targetRight) return { value, ...counted, reached: true }
    if (!best || cautious > best.cautious) best = { value, cautious }
  }
  const value = best?.value ?? floor
  return { value, ...countAt(confidences, right, value), reached: false }
}

/** What a threshold means on pictures whose truth is known; for a threshold the person sets. */
export function countAt(
  confidences: ArrayLike<number>,
  right: readonly boolean[],
  value: number,
): ThresholdCount {
  let answered = 0
  let correct = 0
  right.forEach((isRight, i) => {
    if (confidences[i]! < value) return
    answered++
    if (isRight) correct++
  })
  return { answered, right: correct, total: right.length }
}

const toStep = (confidence: number): number => Math.floor(confidence * STEPS) / STEPS

function floorThreshold(confidences: ArrayLike<number>, right: readonly boolean[]): number {
  const ofRight = Array.from(confidences)
    .filter((_, i) => right[i])
    .sort((a, b) => a - b)
  return toStep(ofRight[Math.floor(ofRight.length * FLOOR_QUANTILE)] ?? 0)
}
