import type { TrainMetric } from '#shared/contract/trainer.ts'
import { nothingReached } from './broke.ts'
import { minimise, type Curvature } from './lbfgs.ts'
import { inLockstep, type Evaluator } from './lockstep.ts'
import { statistics } from './problem.ts'
import type { HeadEvaluation, HeadProblem, RowSet } from './problem.ts'

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
/**
 * A weaker strength whose validation loss is this part above the best, and has risen in this many iterations in a row, is given
 * up: the nearer it gets to its own minimum, the worse it does. Most of a path's time would go into those.
 */
const GIVEN_UP = { above: 0.02, risen: 3 }

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

/** Iterations so far; fits that go side by side count on together. */
export interface StepCount {
  taken: number
}

/** How fits are run: side by side where they can be. */
export type Beside = <T>(fits: readonly ((evaluator: Evaluator) => Promise<T>)[]) => Promise<T[]>

export const sideBySide =
  (problem: HeadProblem): Beside =>
  (fits) =>
    inLockstep(problem, fits)

/** For a fit that is beside others already. */
export const oneByOne =
  (evaluator: Evaluator): Beside =>
  async <T>(fits: readonly ((evaluator: Evaluator) => Promise<T>)[]) => {
    const results: T[] = []
    for (const fit of fits) results.push(await fit(evaluator))
    return results
  }

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

/** What a fit found out about the curvature, and at which strength. */
export interface FoundCurvature {
  pairs: Curvature
  strength: number
}

export interface PathResult {
  tried: Tried[]
  /** Index into `tried`; −1 when not even the first strength was reached. */
  best: number
  /** Of the best one on the first cut; null where that was not fitted here. */
  curvature: FoundCurvature | null
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
  steps?: StepCount
}

/**
 * Fits every strength of the grid on every cut and judges it by the mean loss over all judge rows together.
 * @throws KestrelError `training-diverged` when the very first values are not finite: nothing is worth keeping then.
 */
export async function fitPath(
  beside: Beside,
  cuts: readonly Cut[],
  options: PathOptions = {},
): Promise<PathResult> {
  const { grid = strengthGrid, warm, control = silent, steps = { taken: 0 } } = options
  const before = steps.taken
  const tried: Tried[] = []
  let best = -1
  let worse = 0
  let curvature: FoundCurvature | null = null
  const done = (stopped: PathResult['stopped']): PathResult => ({
    tried,
    best,
    curvature,
    steps: steps.taken - before,
    stopped,
  })
  let stronger: readonly (OneFit | null)[] = cuts.map(() => null)
  for (const strength of grid) {
    const ready = options.fitted?.get(strength)
    const fits = await beside(
      cuts.map((cut, index) => (evaluator: Evaluator) => {
        if (ready) return evaluateOne(evaluator, cut, strength, ready)
        const last = stronger[index]
        const start = warm?.get(strength)?.[index] ?? last?.point ?? new Float64Array(evaluator.parameters)
        return fitOne(evaluator, cut, strength, start, {
          ...{ control, steps, precision: choosing },
          curvature: last?.curvature ?? null,
          // Several cuts are judged together: one of them alone says nothing.
          ...(cuts.length === 1 && best !== -1 && { lossToBeat: tried[best]!.valLogLoss }),
        })
      }),
    )
    const { loss, accuracy } = judgeAll(cuts, fits)
    const points = fits.map(({ point }) => point)
    if (Number.isFinite(loss)) {
      tried.push({ strength, valLogLoss: loss, valAccuracy: accuracy, points })
      if (best === -1 || loss < tried[best]!.valLogLoss - TIE) {
        best = tried.length - 1
        curvature = fits[0]!.curvature
        worse = 0
      } else {
        worse += 1
      }
    }
    const stopped = fits.find((fit) => fit.stopped)?.stopped
    if (stopped) return done(stopped)
    if (worse >= PATIENCE) break
    stronger = fits
  }
  return done(null)
}

/**
 * The same choice after a small change (a label mended, a few pictures more), from an earlier run's parameters for every
 * strength: they are judged as they are, and only the best and its `neighbours` on either side are fitted again. The
 * figures of the others in `tried` are therefore those of the earlier parameters on the present pictures.
 */
export async function refitPath(
  beside: Beside,
  cut: Cut,
  warm: ReadonlyMap<number, Float64Array>,
  neighbours: number,
  { control = silent, steps = { taken: 0 }, fitted = new Map() }: PathOptions = {},
): Promise<PathResult> {
  const before = steps.taken
  const strengths = [...warm.keys()].sort((a, b) => b - a)
  const judged = await beside(
    strengths.map(
      (strength) => (evaluator: Evaluator) =>
        evaluateOne(evaluator, cut, strength, fitted.get(strength) ?? warm.get(strength)!),
    ),
  )
  const tried = judged.flatMap((fit, index): Tried[] => {
    const { loss, accuracy } = judgeAll([cut], [fit])
    return Number.isFinite(loss)
      ? [{ strength: strengths[index]!, valLogLoss: loss, valAccuracy: accuracy, points: [fit.point] }]
      : []
  })
  const best = bestOf(tried)
  if (best === -1) return fitPath(beside, [cut], { control, steps })
  const from = Math.max(0, best - neighbours)
  const around = tried.slice(from, best + neighbours + 1)
  const fits = await beside(
    around.map((entry, index) => async (evaluator: Evaluator): Promise<OneFit | null> => {
      if (fitted.has(entry.strength)) return null
      const precision = from + index === best ? choosing : following
      return fitOne(evaluator, cut, entry.strength, entry.points[0]!, { control, steps, precision })
    }),
  )
  fits.forEach((fit, index) => {
    if (fit === null) return
    const { loss, accuracy } = judgeAll([cut], [fit])
    const { strength } = around[index]!
    tried[from + index] = { strength, valLogLoss: loss, valAccuracy: accuracy, points: [fit.point] }
  })
  return {
    tried,
    best: from + bestOf(tried.slice(from, from + around.length)),
    curvature: null,
    steps: steps.taken - before,
    stopped: fits.find((fit) => fit?.stopped)?.stopped ?? null,
  }
}

/** The first whose loss no later one beats by more than a tie; −1 when there is none. */
function bestOf(tried: readonly Tried[]): number {
  let best = -1
  tried.forEach(({ valLogLoss }, index) => {
    if (best === -1 || valLogLoss < tried[best]!.valLogLoss - TIE) best = index
  })
  return best
}

export interface OneFit {
  point: Float64Array
  /** What was found at the point. */
  reached: HeadEvaluation
  /** Null where nothing was fitted. */
  curvature: FoundCurvature | null
  steps: number
  stopped: 'asked' | 'diverged' | null
}

interface FitOptions {
  control?: FitControl
  steps?: StepCount
  precision: Precision
  /** Of a fit much like this one, at any strength. */
  curvature?: FoundCurvature | null
  /** Validation loss of the best strength so far; a fit that will not come near it is given up. */
  lossToBeat?: number
}

/** Fits one strength on one cut; the judge rows only serve the reported figures. */
export async function fitOne(
  evaluator: Evaluator,
  cut: Cut,
  strength: number,
  start: Float64Array,
  { control = silent, steps = { taken: 0 }, precision, curvature = null, lossToBeat = Infinity }: FitOptions,
): Promise<OneFit> {
  let [before, risen] = [Infinity, 0]
  const isHopeless = (loss: number): boolean => {
    risen = loss > before ? risen + 1 : 0
    before = loss
    return risen >= GIVEN_UP.risen && loss > (1 + GIVEN_UP.above) * lossToBeat
  }
  let asked = false
  const result = await minimise((point) => evaluator.evaluate(point, cut.fit, strength), start, {
    maxIterations: MAX_ITERATIONS,
    ...precision,
    ...(curvature && { curvature: atStrength(curvature, strength, evaluator.weights) }),
    onIteration: (_iteration, reached) => {
      const train = statistics(reached, cut.fit)
      const val = statistics(reached, cut.judge)
      steps.taken += 1
      control.onStep({
        step: steps.taken,
        trainLoss: train?.loss ?? 0,
        trainAccuracy: train?.accuracy ?? null,
        valLoss: val?.loss ?? null,
        valAccuracy: val?.accuracy ?? null,
      })
      asked = control.shouldStop()
      return !asked && !(val && isHopeless(val.loss))
    },
  })
  if (Number.isNaN(result.value)) throw nothingReached()
  const { point, reached, iterations } = result
  return {
    ...{ point, reached, steps: iterations },
    curvature: { pairs: result.curvature, strength },
    stopped: asked ? 'asked' : result.end === 'not-finite' ? 'diverged' : null,
  }
}

/**
 * The same curvature at another strength, exactly: the penalty's share in the change of a gradient is strength times the step.
 * @param weights how many of the parameters are penalised, the first ones
 */
export function atStrength({ pairs, strength }: FoundCurvature, wanted: number, weights: number): Curvature {
  if (wanted === strength) return pairs
  const more = wanted - strength
  return pairs.map(({ s, y }) => ({
    s,
    y: y.map((change, i) => (i < weights ? change + more * s[i]! : change)),
  }))
}

/** A point as it is, without fitting. */
async function evaluateOne(
  evaluator: Evaluator,
  cut: Cut,
  strength: number,
  point: Float64Array,
): Promise<OneFit> {
  const reached = await evaluator.evaluate(point, cut.fit, strength)
  return { point, reached, curvature: null, steps: 0, stopped: null }
}

/** Over the judge rows of all cuts together; 0 where there are none. */
function judgeAll(cuts: readonly Cut[], fits: readonly OneFit[]): { loss: number; accuracy: number } {
  let [loss, right, total] = [0, 0, 0]
  cuts.forEach(({ judge }, index) => {
    const found = statistics(fits[index]!.reached, judge)
    if (!found) return
    loss += found.loss * judge.total
    right += found.accuracy * judge.total
    total += judge.total
  })
  return total === 0 ? { loss: 0, accuracy: 0 } : { loss: loss / total, accuracy: right / total }
}
