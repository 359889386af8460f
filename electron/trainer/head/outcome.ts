import type { TrainResult } from '#shared/contract/trainer.ts'
import { checkHead } from '#shared/domain/training/head-checks.ts'
import type { HeadFit } from './fit.ts'
import { statistics, type HeadProblem } from './problem.ts'

/**
 * What there is to say of a fit, from how the head that learned from the training pictures alone does on them and on the
 * validation pictures.
 */
export async function checksOf(
  problem: HeadProblem,
  fit: HeadFit,
  validation: readonly boolean[],
): Promise<TrainResult['checks']> {
  const diverged = fit.stopped === 'diverged'
  const train = problem.rowSet((row) => !validation[row])
  const val = problem.rowSet((row) => validation[row] === true)
  // One and the same point: it was stopped, or it learned from all pictures at once.
  if (train.total === 0 || val.total === 0 || fit.selection === fit.final)
    return checkHead({ diverged, trainAccuracy: null, valAccuracy: null, val: val.total })
  const reached = await problem.evaluate(fit.selection, train, fit.chosen)
  return checkHead({
    diverged,
    trainAccuracy: statistics(reached, train)?.accuracy ?? null,
    valAccuracy: statistics(reached, val)?.accuracy ?? null,
    val: val.total,
  })
}

/** Why a fit ended before its time, in words. */
export function stoppedInWords(fit: HeadFit, foldsLeftOut: boolean): TrainResult['stopped'] {
  if (fit.stopped === 'asked') return { reason: 'asked', message: 'Stopped. The best model so far is kept.' }
  if (fit.stopped === 'diverged')
    return {
      reason: 'diverged',
      message: 'The training got numbers that are not finite and was stopped. The last good model was kept.',
    }
  return foldsLeftOut
    ? {
        reason: 'asked',
        message: 'Stopped. The model is finished; checking it on all pictures was left out.',
      }
    : null
}
