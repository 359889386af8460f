import { assignFolds } from '#shared/domain/splits.ts'
import {
  checking,
  defaultStrength,
  fitOne,
  fitPath,
  refitPath,
  settled,
  sideBySide,
  silent,
  strengthGrid,
} from './path.ts'
import { nothingReached } from './broke.ts'
import type { Cut, FitControl, Tried } from './path.ts'
import type { HeadProblem } from './problem.ts'

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
  problem: HeadProblem
  /** Per row of the problem: learns from it in choosing (`train`), judges the choice (`val`). Both in the final fit. */
  validation: readonly boolean[]
  labels: Int32Array
  /** Per row; rows of one group stay in one inner fold. */
  groups: readonly string[]
  seed: number
  grid?: readonly number[]
  /**
   * What the strength is chosen by: the validation pictures, or cross-validation among the training pictures, where the
   * validation pictures have no say in anything but their own figures. Without validation pictures always the latter.
   */
  chooseBy?: 'validation' | 'folds'
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
 * Fits the head: strength chosen, then fitted again on training + validation. Stopped early, it gives the best so far by
 * what the strength is chosen by.
 */
export async function fitHead(input: HeadInput): Promise<HeadFit> {
  const { problem, validation, control = silent, warm, chooseBy = 'validation' } = input
  const steps = { taken: 0 }
  const train = problem.rowSet((row) => !validation[row])
  const val = problem.rowSet((row) => validation[row] === true)
  const none = problem.rowSet(() => false)
  const byFolds = val.total === 0 || chooseBy === 'folds'
  const cuts = byFolds ? innerCuts(input) : [{ fit: train, judge: val }]
  const everything: Cut = { fit: problem.rowSet(() => true), judge: none }

  if (cuts.length === 0 || train.total === 0) {
    const start = warm?.final ?? new Float64Array(problem.parameters)
    const fit = await fitOne(problem, everything, defaultStrength, start, {
      control,
      steps,
      precision: settled,
    })
    return {
      final: fit.point,
      selection: fit.point,
      chosen: defaultStrength,
      tried: [],
      steps: steps.taken,
      stopped: fit.stopped,
    }
  }

  const usable = warm && !byFolds && warm.byStrength.size > 0 ? warm : null
  const beside = sideBySide(problem)
  const path = usable?.smallChange
    ? await refitPath(beside, cuts[0]!, usable.byStrength, 1, { control, steps })
    : await fitPath(beside, cuts, {
        grid: input.grid ?? strengthGrid,
        control,
        steps,
        ...(usable
          ? { warm: new Map([...usable.byStrength].map(([strength, point]) => [strength, [point]])) }
          : {}),
      })
  const best = path.tried[path.best]
  if (!best) {
    // Broken before the first strength was judged: only an earlier run's parameters are worth keeping.
    if (!warm) throw nothingReached()
    return {
      final: warm.final,
      selection: warm.final,
      chosen: defaultStrength,
      tried: [],
      steps: steps.taken,
      stopped: path.stopped,
    }
  }
  const chosen = { chosen: best.strength, tried: path.tried }
  const first = best.points[0]!
  if (path.stopped)
    return { ...chosen, selection: first, final: first, steps: steps.taken, stopped: path.stopped }

  const precision = usable?.smallChange ? checking : settled
  const onTraining =
    byFolds && val.total > 0
      ? await fitOne(problem, { fit: train, judge: val }, best.strength, first, {
          control,
          steps,
          precision,
          curvature: path.curvature,
        })
      : null
  const selection = onTraining && onTraining.stopped !== 'diverged' ? onTraining.point : first
  if (onTraining?.stopped)
    return { ...chosen, selection, final: selection, steps: steps.taken, stopped: onTraining.stopped }
  const final = await fitOne(problem, everything, best.strength, warm?.final ?? selection, {
    control,
    steps,
    precision,
    curvature: warm ? null : (onTraining?.curvature ?? path.curvature),
  })
  // A final fit broken off is still closer to the optimum than the selection it began from, unless it diverged.
  return {
    ...chosen,
    selection,
    final: final.stopped === 'diverged' ? selection : final.point,
    steps: steps.taken,
    stopped: final.stopped,
  }
}

/** Folds among the training pictures. */
function innerCuts({ problem, validation, labels, groups, seed }: HeadInput): Cut[] {
  const rows = [...labels.keys()].filter((row) => !validation[row])
  const k = Math.min(INNER_FOLDS, new Set(rows.map((row) => groups[row]!)).size)
  if (k < 2) return []
  const folds = assignFolds({
    labels: rows.map((row) => labels[row]!),
    keys: rows.map((row) => groups[row]!),
    seed,
    k,
  })
  const foldOf = new Int32Array(labels.length).fill(-1)
  rows.forEach((row, index) => (foldOf[row] = folds[index]!))
  return Array.from({ length: k }, (_, fold) => ({
    fit: problem.rowSet((row) => foldOf[row] !== -1 && foldOf[row] !== fold),
    judge: problem.rowSet((row) => foldOf[row] === fold),
  })).filter(({ fit, judge }) => fit.total > 0 && judge.total > 0)
}
