import { assignFolds } from '#shared/domain/splits.ts'
import type { WarmStart } from './fit.ts'
import { inLockstep, type Evaluator } from './lockstep.ts'
import {
  checking,
  defaultStrength,
  fitOne,
  fitPath,
  oneByOne,
  refitPath,
  silent,
  strengthGrid,
} from './path.ts'
import type { Cut, FitControl, OneFit, PathResult } from './path.ts'
import type { HeadProblem } from './problem.ts'

/** What an earlier run's folds reached, on the scale of the present features. */
export interface WarmFolds {
  /** Fold of each picture by its SHA-256. */
  foldOf: ReadonlyMap<string, number>
  k: number
  /** Per fold: fitted without this fold and without its partner, by strength. */
  inner: readonly ReadonlyMap<number, Float64Array>[]
  /** Per fold: fitted without this fold, with its chosen strength. */
  outer: readonly Float64Array[]
  smallChange: WarmStart['smallChange']
}

export interface FoldsInput {
  problem: HeadProblem
  /** Scaled features, `[rows, features]`, as in the problem. */
  x: Float32Array
  labels: Int32Array
  /** SHA-256 per row. */
  keys: readonly string[]
  /** Per row; rows of one group stay in one fold, inner ones too. */
  groups: readonly string[]
  seed: number
  k: number
  grid?: readonly number[]
  warm?: WarmFolds | null
  shouldStop?: () => boolean
  /** Choices and fits that are done, of two for each fold. */
  onFold?: (done: number, of: number) => void
}

export interface FoldsResult {
  /** Per row. */
  fold: Int32Array
  /** `[rows, classes]`, each row by a model that did not learn from it. */
  probabilities: Float32Array
  inner: Map<number, Float64Array>[]
  outer: Float64Array[]
  chosen: number[]
}

/**
 * Out-of-fold predictions. Folds go in pairs: the strength for one is chosen on the other, by models that saw neither of
 * the two (and serve both), then fitted again on everything but the fold itself: the held-out fold has no say in
 * anything, not even in how far the path of strengths is followed. All folds are fitted side by side.
 *
 * Warm starts stay honest too: pictures keep their fold of the earlier run, and fold f only begins from parameters that
 * were fitted without fold f.
 *
 * @returns null when it was stopped.
 */
export async function outOfFold(asked: FoldsInput): Promise<FoldsResult | null> {
  const known = foldsOfGroups(asked)
  const input = known ? asked : { ...asked, warm: null }
  const { warm } = input
  const { problem, x, k } = input
  const control: FitControl = { ...silent, shouldStop: input.shouldStop ?? silent.shouldStop }
  const fold = Int32Array.from(placeInFolds(input, known))
  let done = 0
  const onDone = (): void => input.onFold?.(++done, 2 * k)

  const cuts = Array.from({ length: k }, (_, held) => choiceCut(input, fold, held))
  const paths = await choosePaths(input, cuts, control, onDone)
  if (paths.some((path) => path?.stopped === 'asked')) return null
  const best = paths.map((path) => path?.tried[path.best])
  const chosen = best.map((entry) => entry?.strength ?? defaultStrength)

  const fits = await inLockstep(
    problem,
    chosen.map(
      (strength, held) =>
        async (evaluator: Evaluator): Promise<Pick<OneFit, 'point' | 'stopped'>> => {
          const start = warm?.outer[held] ?? best[held]?.points[0] ?? new Float64Array(problem.parameters)
          const outside = problem.rowSet((row) => fold[row] !== held)
          if (outside.total === 0) return { point: start, stopped: null }
          const cut = { fit: outside, judge: problem.rowSet(() => false) }
          const curvature = warm?.outer[held] ? null : (paths[held]?.curvature ?? null)
          const fit = await fitOne(evaluator, cut, strength, start, {
            control,
            precision: checking,
            curvature,
          })
          onDone()
          return fit
        },
    ),
  )
  if (fits.some(({ stopped }) => stopped === 'asked')) return null
  const result: FoldsResult = {
    fold,
    probabilities: new Float32Array(problem.rows * problem.classes),
    inner: paths.map((path) => new Map(path?.tried.map(({ strength, points }) => [strength, points[0]!]))),
    outer: fits.map(({ point }) => point),
    chosen,
  }
  for (const [held, point] of result.outer.entries())
    await predictHeldOut(problem, x, fold, held, point, result.probabilities)
  return result
}

/** Paths by fold; null where there is nothing to choose by. Of a pair, the second takes over what the first one fitted. */
async function choosePaths(
  input: FoldsInput,
  cuts: readonly Cut[],
  control: FitControl,
  onDone: () => void,
): Promise<(PathResult | null)[]> {
  const { problem, k, warm } = input
  const paths: (PathResult | null)[] = new Array<null>(k).fill(null)
  const usable = [...cuts.keys()].filter((held) => cuts[held]!.fit.total > 0 && cuts[held]!.judge.total > 0)
  const second = (held: number): boolean => {
    const partner = partnerOf(held, k)
    return k > 2 && partner < held && partnerOf(partner, k) === held
  }
  for (const wave of [usable.filter((held) => !second(held)), usable.filter(second)]) {
    const found = await inLockstep(
      problem,
      wave.map((held) => async (evaluator: Evaluator) => {
        const earlier = second(held) ? paths[partnerOf(held, k)] : null
        // After a small change only the best was fitted anew.
        const fresh = warm?.smallChange
          ? earlier?.tried.slice(earlier.best, earlier.best + 1)
          : earlier?.tried
        const fitted = fresh && new Map(fresh.map(({ strength, points }) => [strength, points[0]!]))
        const found = await choose(input, evaluator, cuts[held]!, held, control, fitted)
        const path = { ...found, curvature: found.curvature ?? earlier?.curvature ?? null }
        onDone()
        return path
      }),
    )
    wave.forEach((held, index) => (paths[held] = found[index]!))
  }
  return paths
}

/** What the strength for a fold is chosen by: neither learns from the fold nor judges on it. */
function choiceCut({ problem, groups, labels, seed, k }: FoldsInput, fold: Int32Array, held: number): Cut {
  const judgeFold = k > 2 ? fold : innerFolds(groups, labels, fold, held, seed)
  const judged = k > 2 ? partnerOf(held, k) : -1
  return {
    fit: problem.rowSet((row) => fold[row] !== held && judgeFold[row] !== judged),
    judge: problem.rowSet((row) => fold[row] !== held && judgeFold[row] === judged),
  }
}

/** 0 and 1, 2 and 3, …; with an odd number of folds the last one is judged on the first. */
function partnerOf(fold: number, k: number): number {
  const partner = fold % 2 === 0 ? fold + 1 : fold - 1
  return partner < k ? partner : 0
}

function choose(
  { warm, grid = strengthGrid }: FoldsInput,
  evaluator: Evaluator,
  cut: Cut,
  held: number,
  control: FitControl,
  fitted: ReadonlyMap<number, Float64Array> | undefined,
): Promise<PathResult> {
  const beside = oneByOne(evaluator)
  const known = warm?.inner[held]
  const options = { grid, control, ...(fitted && { fitted }) }
  if (!known || known.size === 0) return fitPath(beside, [cut], options)
  if (warm.smallChange) return refitPath(beside, cut, known, 0, options)
  return fitPath(beside, [cut], {
    ...options,
    warm: new Map([...known].map(([strength, point]) => [strength, [point]])),
  })
}

function placeInFolds(
  { labels, groups, seed, k }: FoldsInput,
  known: ReadonlyMap<string, number> | null,
): number[] {
  const fresh = assignFolds({ labels: [...labels], keys: groups, seed, k })
  return fresh.map((fold, row) => known?.get(groups[row]!) ?? fold)
}

/**
 * The fold that pictures of a group had in the earlier run. Null when there is none to begin from, or it tore apart what
 * has turned out to be of one shot: what was fitted then has seen pictures that are held out now.
 */
function foldsOfGroups({ keys, groups, k, warm }: FoldsInput): Map<string, number> | null {
  if (!warm || warm.k !== k) return null
  const found = new Map<string, number>()
  for (const [row, key] of keys.entries()) {
    const fold = warm.foldOf.get(key)
    if (fold === undefined) continue
    if ((found.get(groups[row]!) ?? fold) !== fold) return null
    found.set(groups[row]!, fold)
  }
  return found
}

/** With two folds "the next fold" would leave nothing to learn from: cut the other fold in four instead. −1: judge. */
function innerFolds(
  groups: readonly string[],
  labels: Int32Array,
  fold: Int32Array,
  held: number,
  seed: number,
): Int32Array {
  const rows = [...fold.keys()].filter((row) => fold[row] !== held)
  const inner = new Int32Array(fold.length)
  if (rows.length < 2) return inner
  const k = Math.min(4, rows.length)
  const folds = assignFolds({
    labels: rows.map((row) => labels[row]!),
    keys: rows.map((row) => groups[row]!),
    seed,
    k,
  })
  rows.forEach((row, index) => (inner[row] = folds[index] === 0 ? -1 : folds[index]!))
  return inner
}

async function predictHeldOut(
  problem: HeadProblem,
  x: Float32Array,
  fold: Int32Array,
  held: number,
  point: Float64Array,
  into: Float32Array,
): Promise<void> {
  const { features, classes } = problem
  const rows = [...fold.keys()].filter((row) => fold[row] === held)
  const gathered = new Float32Array(rows.length * features)
  rows.forEach((row, index) =>
    gathered.set(x.subarray(row * features, (row + 1) * features), index * features),
  )
  const probabilities = await problem.probabilities(point, gathered)
  rows.forEach((row, index) =>
    into.set(probabilities.subarray(index * classes, (index + 1) * classes), row * classes),
  )
}
