import { KestrelError } from '#shared/errors/index.ts'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { minimise } from './lbfgs.ts'
import type { RowSet, SoftmaxProblem } from './problem.ts'

/**
 * L2 strengths tried, per picture, strong to weak. The path goes from strong to weak because strong ones converge in a
 * few steps and each is a good start for the next.
 */
export const strengthGrid: readonly number[] = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001]

/** Used where there are too few pictures to choose. */
export const defaultStrength = 0.03

/** The path ends when this many weaker strengths in a row were worse than the best. */
const PATIENCE = 2
/** A weaker strength must win by this much (natural logarithm units): otherwise it is a tie, and the stronger stays. */
const TIE = 1e-5
const MAX_ITERATIONS = 300

/** When a fit is done. */
export interface Precision {
  relativeDecrease: number
  patience: number
  maxIterations?: number
}
/** Enough to tell strengths apart: the objective is then within about 0.1 % of its minimum. */
export const choosing: Precision = { relativeDecrease: 1e-4, patience: 2 }
/** Keeps the neighbours of the chosen strength up with many small changes, a little at a time. */
const following: Precision = { ...choosing, maxIterations: 8 }
/**
 * For out-of-fold predictions and for the model after a small change: within about 0.05 % of the minimum; among 4,000
 * pictures one or none is answered differently than by the exact minimum.
 */
export const checking: Precision = { relativeDecrease: 1e-5, patience: 2 }
/** As far as 32-bit values carry: for the model itself. */
export const settled: Precision = { relativeDecrease: 2e-7, patience: 1 }

/** Asked between iterations; called with what each iteration reached. */
export interface FitControl {
  shouldStop(): boolean
  onStep(metric: TrainMetric): void
}

export const silent: FitControl = { shouldStop: () => false, onStep: () => undefined }

/** One way to cut the rows: learn from `fit`, judge on `judge`. */
export interface Cut {
  fit: RowSet
  judge: RowSet
}

export interface Tried {
  strength: number
  valLogLoss: number
  valAccuracy: number
  /** Flat parameters per cut. */
  points: Float64Array[]
}

export interface PathResult {
  tried: Tried[]
  /** Index into `tried`; −1 when not even the first strength was reached. */
  best: number
  steps: number
  stopped: 'asked' | 'diverged' | null
}

export interface PathOptions {
  grid?: readonly number[]
  /** Points of an earlier run by strength, one per cut. */
  warm?: ReadonlyMap<number, readonly Float64Array[]>
  /** Points that are fitted already on these very rows (one cut only): they are judged, not fitted again. */
  fitted?: ReadonlyMap<number, Float64Array>
  control?: FitControl
  /** Steps reported before this path. */
  stepsBefore?: number
}

/**
 * Fits every strength of the grid on every cut and judges it by the log loss over all judge rows together.
 * @throws KestrelError `training-diverged` when the very first values are not finite: nothing is worth keeping then.
 */
export async function fitPath(
  problem: SoftmaxProblem,
  cuts: readonly Cut[],
  options: PathOptions = {},
): Promise<PathResult> {
  const { grid = strengthGrid, warm, control = silent } = options
  const tried: Tried[] = []
  let best = -1
  let worse = 0
  let steps = options.stepsBefore ?? 0
  let starts = cuts.map(() => new Float64Array(problem.parameters))
  for (const strength of grid) {
    const points: Float64Array[] = []
    let logLoss = 0
    let right = 0
    let judged = 0
    let stopped: PathResult['stopped'] = null
    for (const [index, cut] of cuts.entries()) {
      const start = warm?.get(strength)?.[index] ?? starts[index]!
      const ready = options.fitted?.get(strength)
      const fit: OneFit = ready
        ? { point: ready, steps: 0, stopped: null }
        : await fitOne(problem, cut, strength, start, control, steps, choosing)
      steps += fit.steps
      points.push(fit.point)
      const { loss, accuracy } = await judge(problem, cut, fit.point, strength)
      logLoss += loss * cut.judge.total
      right += accuracy * cut.judge.total
      judged += cut.judge.total
      stopped = fit.stopped
      if (stopped) break
    }
    const finished = points.length === cuts.length
    if (finished && Number.isFinite(logLoss)) {
      tried.push({ strength, valLogLoss: logLoss / judged, valAccuracy: right / judged, points })
      const reached = tried.at(-1)!.valLogLoss
      if (best === -1 || reached < tried[best]!.valLogLoss - TIE) {
        best = tried.length - 1
        worse = 0
      } else {
        worse += 1
      }
    }
    if (stopped) return { tried, best, steps, stopped }
    if (worse >= PATIENCE) break
    starts = points as Float64Array<ArrayBuffer>[]
  }
  return { tried, best, steps, stopped: null }
}

/**
 * The same choice after a small change (a label mended, a few pictures more), from an earlier run's parameters for every
 * strength: they are judged as they are, and only the best and its `neighbours` on either side are fitted again. The
 * figures of the others in `tried` are therefore those of the earlier parameters on the present pictures.
 */
export async function refitPath(
  problem: SoftmaxProblem,
  cut: Cut,
  warm: ReadonlyMap<number, Float64Array>,
  neighbours: number,
  control: FitControl = silent,
  fitted: ReadonlyMap<number, Float64Array> = new Map(),
): Promise<PathResult> {
  const tried: Tried[] = []
  let best = -1
  for (const strength of [...warm.keys()].sort((a, b) => b - a)) {
    const point = fitted.get(strength) ?? warm.get(strength)!
    const { loss, accuracy } = await judge(problem, cut, point, strength)
    if (!Number.isFinite(loss)) continue
    tried.push({ strength, valLogLoss: loss, valAccuracy: accuracy, points: [point] })
    if (best === -1 || loss < tried[best]!.valLogLoss - TIE) best = tried.length - 1
  }
  if (best === -1) return fitPath(problem, [cut], { control })
  let steps = 0
  let chosen = -1
  for (
    let index = Math.max(0, best - neighbours);
    index <= Math.min(tried.length - 1, best + neighbours);
    index++
  ) {
    const entry = tried[index]!
    const precision = index === best ? choosing : following
    const fit: OneFit = fitted.has(entry.strength)
      ? { point: entry.points[0]!, steps: 0, stopped: null }
      : await fitOne(problem, cut, entry.strength, entry.points[0]!, control, steps, precision)
    steps += fit.steps
    const { loss, accuracy } = await judge(problem, cut, fit.point, entry.strength)
    tried[index] = { strength: entry.strength, valLogLoss: loss, valAccuracy: accuracy, points: [fit.point] }
    if (chosen === -1 || loss < tried[chosen]!.valLogLoss - TIE) chosen = index
    if (fit.stopped) return { tried, best: chosen, steps, stopped: fit.stopped }
  }
  return { tried, best: chosen, steps, stopped: null }
}

export interface OneFit {
  point: Float64Array
  steps: number
  stopped: 'asked' | 'diverged' | null
}

/** Fits one strength on one cut; the judge rows only serve the reported figures. */
export async function fitOne(
  problem: SoftmaxProblem,
  cut: Cut,
  strength: number,
  start: Float64Array,
  control: FitControl,
  stepsBefore: number,
  precision: Precision,
): Promise<OneFit> {
  const result = await minimise((point) => problem.evaluate(point, cut.fit, strength), start, {
    maxIterations: MAX_ITERATIONS,
    ...precision,
    onIteration: async (iteration, _value, point) => {
      // After a line search that went back to an earlier trial the figures at hand are another point's.
      if (problem.lastPoint !== point) await problem.evaluate(point, cut.fit, strength)
      const train = problem.statistics(cut.fit)
      const val = problem.statistics(cut.judge)
      control.onStep({
        step: stepsBefore + iteration,
        trainLoss: train?.loss ?? 0,
        trainAccuracy: train?.accuracy ?? null,
        valLoss: val?.loss ?? null,
        valAccuracy: val?.accuracy ?? null,
      })
      return !control.shouldStop()
    },
  })
  if (Number.isNaN(result.value)) {
    throw new KestrelError('training-diverged', 'The training got numbers that are not finite.', {
      kept: 'Pictures, labels and earlier models are unchanged.',
      remedy: 'Try another backbone.',
    })
  }
  const stopped = result.end === 'stopped' ? 'asked' : result.end === 'not-finite' ? 'diverged' : null
  return { point: result.point, steps: result.iterations, stopped }
}

async function judge(
  problem: SoftmaxProblem,
  cut: Cut,
  point: Float64Array,
  strength: number,
): Promise<{ loss: number; accuracy: number }> {
  if (problem.lastPoint !== point) await problem.evaluate(point, cut.fit, strength)
  return problem.statistics(cut.judge) ?? { loss: 0, accuracy: 0 }
}
