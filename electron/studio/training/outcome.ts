import type { PredictionBlock, TrainResult } from '#shared/contract/trainer.ts'
import type { Metrics } from '#shared/contract/training.ts'
import { computeMetrics, predictedClasses } from '#shared/domain/metrics.ts'
import type { NewPrediction, StoredPart } from '../storage/predictions-repository.ts'

export interface PartOutcome {
  part: StoredPart
  predictions: NewPrediction[]
  /** Null when the part is empty. */
  metrics: Metrics | null
}

/**
 * What a training says of each picture, ready to be stored. Figures are made from these rows and from nothing else.
 * @param truth class of each picture id, as the version froze it
 */
export function outcomeOf(
  result: TrainResult,
  classes: readonly string[],
  truth: ReadonlyMap<number, number>,
): PartOutcome[] {
  const blocks: { part: StoredPart; block: PredictionBlock; folds: Int32Array | null }[] = [
    { part: 'val', block: result.val, folds: null },
    { part: 'test', block: result.test, folds: null },
  ]
  if (result.outOfFold)
    blocks.push({ part: 'outOfFold', block: result.outOfFold, folds: result.outOfFold.fold })
  return blocks.map(({ part, block, folds }) => {
    const { ids, probabilities } = block
    const predicted = predictedClasses(probabilities, classes.length)
    const labels = Int32Array.from(ids, (id) => {
      const label = truth.get(id)
      if (label === undefined) throw new RangeError(`picture ${id} was not part of the training`)
      return label
    })
    const predictions = Array.from(ids, (pictureId, row): NewPrediction => {
      const own = probabilities.subarray(row * classes.length, (row + 1) * classes.length)
      return {
        pictureId,
        trueClass: labels[row]!,
        predicted: predicted[row]!,
        confidence: own[predicted[row]!]!,
        fold: folds?.[row] ?? null,
        probabilities: own,
      }
    })
    const metrics = ids.length === 0 ? null : computeMetrics({ classes, labels, probabilities })
    return { part, predictions, metrics }
  })
}
