import { assignFolds } from '#shared/domain/splits.ts'
import { KestrelError } from '#shared/errors/index.ts'
import {
  checking,
  defaultStrength,
  fitOne,
  fitPath,
  refitPath,
  settled,
  silent,
  strengthGrid,
} from './path.ts'
import type { Cut, FitControl, Tried } from './path.ts'
import type { SoftmaxProblem } from './problem.ts'

/** Folds for choosing the strength where there are no validation pictures. */
const INNER_FOLDS = 5

/** Parameters of an earlier fit, on the scale of the present features. */
export interface WarmStart {
  final: Float64Array
  /** By strength, fitted on the training pictures alone. */
  byStrength: ReadonlyMap<number, Float64Array>
  /** Few labels and pictures are different: the best strength is looked for near the earlier one only. */
  smallChange: boolean
}

export interface HeadInput {
  problem: SoftmaxProblem
  /** Per row of the problem: learns from it in choosing (`train`), judges the choice (`val`). Both in the final fit. */
  validation: readonly boolean[]
  labels: Int32Array
  /** SHA-256 per row: copies of a picture stay in one inner fold. */
  keys: readonly string[]
  seed: number
  grid?: readonly number[]
  warm?: WarmStart | null
  control?: FitControl
}

export interface HeadFit {
  /** Flat parameters of the final model (training + validation). */
  final: Float64Array
  /** Fitted on the training pictures alone with the chosen strength; judges the validation pictures. */
  selection: Float64Array
  chosen: number
  tried: Tried[]
  steps: number
  stopped: 'asked' | 'diverged' | null
}

/**
 * Fits the head: strength chosen on the validation pictures (or by inner folds when there are none), then fitted again
 * on training + validation. Stopped early, it gives the best so far by validation log loss.
 */
export async function fitHead(input: HeadInput): Promise<HeadFit> {
  const { problem, validation, control = silent, warm } = input
  const train = problem.rowSet((row) => !validation[row])
  const val = problem.rowSet((row) => validation[row] === true)
  const cuts = val.total > 0 ? [{ fit: train, judge: val }] : innerCuts(input)
  const everything: Cut = { fit: problem.rowSet(() => true), judge: problem.rowSet(() => false) }

  if (cuts.length === 0 || train.total === 0) {
    const start = warm?.final ?? new Float64Array(problem.parameters)
    const fit = await fitOne(problem, everything, defaultStrength, start, control, 0, settled)
    return {
      final: fit.point,
      selection: fit.point,
      chosen: defaultStrength,
      tried: [],
      steps: fit.steps,
      stopped: fit.stopped,
    }
  }

  const usable = warm && val.total > 0 && warm.byStrength.size > 0 ? warm : null
  const path = usable?.smallChange
    ? await refitPath(problem, cuts[0]!, usable.byStrength, 1, control)
    : await fitPath(problem, cuts, {
        grid: input.grid ?? strengthGrid,
        control,
        ...(usable
          ? { warm: new Map([...usable.byStrength].map(([strength, point]) => [strength, [point]])) }
          : {}),
      })
  const best = path.tried[path.best]
  if (!best) {
    // Stopped or broken before the first strength was judged: only an earlier run's parameters are worth keeping.
    if (!warm) throw nothingReached(path.stopped)
    return {
      final: warm.final,
      selection: warm.final,
      chosen: defaultStrength,
      tried: [],
      steps: path.steps,
      stopped: path.stopped,
    }
  }
  const selection = best.points[0]!
  const done = { selection, chosen: best.strength, tried: path.tried }
  if (path.stopped) return { ...done, final: selection, steps: path.steps, stopped: path.stopped }

  const final = await fitOne(
    problem,
    everything,
    best.strength,
    warm?.final ?? selection,
    control,
    path.steps,
    usable?.smallChange ? checking : settled,
  )
  // A final fit broken off is still closer to the optimum than the selection it began from, unless it diverged.
  return {
    ...done,
    final: final.stopped === 'diverged' ? selection : final.point,
    steps: path.steps + final.steps,
    stopped: final.stopped,
  }
}

function nothingReached(stopped: HeadFit['stopped']): KestrelError {
  return stopped === 'asked'
    ? new KestrelError('stopped', 'Stopped before there was a model worth keeping.')
    : new KestrelError('training-diverged', 'The training got numbers that are not finite.', {
        kept: 'Pictures, labels and earlier models are unchanged.',
        remedy: 'Try another backbone.',
      })
}

function innerCuts({ problem, labels, keys, seed }: HeadInput): Cut[] {
  const k = Math.min(INNER_FOLDS, new Set(keys).size)
  if (k < 2) return []
  const folds = assignFolds({ labels: [...labels], keys, seed, k })
  return Array.from({ length: k }, (_, fold) => ({
    fit: problem.rowSet((row) => folds[row] !== fold),
    judge: problem.rowSet((row) => folds[row] === fold),
  })).filter(({ fit, judge }) => fit.total > 0 && judge.total > 0)
}
