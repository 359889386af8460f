import type { PredictionBlock, TrainResult } from '#shared/contract/trainer.ts'
import type { Breakdown } from '#shared/domain/training/explosion.ts'
import { brokeInWords } from './broke.ts'
import type { FitOutcome } from './fit.ts'
import type { TrainingData } from './training-data.ts'

export const predictionsOf = (
  data: TrainingData,
  rows: readonly number[],
  probabilities: Float32Array,
): PredictionBlock => ({ ids: Int32Array.from(rows, (row) => data.images[row]!.id), probabilities })

/**
 * Why a training ended before its time, in words; ending because validation stood still is its time.
 * @param epochs how many there were to be
 */
export function stoppedInWords(
  { stopped, curve }: Pick<FitOutcome, 'stopped' | 'curve'>,
  epochs: number,
): TrainResult['stopped'] {
  if (stopped === 'asked')
    return {
      reason: 'asked',
      message: `Stopped after epoch ${curve.length} of ${epochs}: the best model so far is kept.`,
    }
  if (stopped === 'diverged' || stopped === 'exploded')
    return {
      reason: 'diverged',
      message: `The training ${brokeInWords[stopped]}. It was stopped, and the last good model was kept. A smaller learning rate helps.`,
    }
  return null
}

/** Whether, and how, a training broke down. */
export const breakdownOf = (stopped: FitOutcome['stopped']): Breakdown | null =>
  stopped === 'diverged' || stopped === 'exploded' ? stopped : null

/** Share right that always saying the most frequent class gets. */
export function majorityOf(data: TrainingData, rows: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const row of rows) counts.set(data.labels[row]!, (counts.get(data.labels[row]!) ?? 0) + 1)
  return Math.max(0, ...counts.values()) / Math.max(1, rows.length)
}

export const secondsSince = (began: number): number => (performance.now() - began) / 1000
