import { assignFolds } from '#shared/domain/splits.ts'
import { checking, fitOne, fitPath, refitPath, silent, strengthGrid } from './path.ts'
import type { Cut, FitControl, PathResult } from './path.ts'
import type { WarmStart } from './fit.ts'
import type { SoftmaxProblem } from './problem.ts'

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
  problem: SoftmaxProblem
  /** Scaled features, `[rows, features]`, as in the problem. */
  x: Float32Array
  labels: Int32Array
  keys: readonly string[]
  seed: number
  k: number
  grid?: readonly number[]
  warm?: WarmFolds | null
  shouldStop?: () => boolean
  onFold?: (done: number) => void
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
 * anything, not even in how far the path of strengths is followed.
 *
 * Warm starts stay honest too: pictures keep their fold of the earlier run, and fold f only begins from parameters that
 * were fitted without fold f.
 *
 * @returns null when it was stopped.
 */
export async function outOfFold(input: FoldsInput): Promise<FoldsResult | null> {
  const { problem, x, labels, keys, k, warm } = input
  const control: FitControl = { ...silent, shouldStop: input.shouldStop ?? silent.shouldStop }
  const fold = Int32Array.from(placeInFolds(input))
  const result: FoldsResult = {
    fold,
    probabilities: new Float32Array(problem.rows * problem.classes),
    inner: [],
    outer: [],
    chosen: [],
  }
  const fittedNow: Map<number, Float64Array>[] = []
  for (let held = 0; held < k; held++) {
    const outside: Cut = {
      fit: problem.rowSet((row) => fold[row] !== held),
      judge: problem.rowSet(() => false),
    }
    const judgeFold = k > 2 ? fold : innerFolds(keys, labels, fold, held, input.seed)
    const judged = k > 2 ? partnerOf(held, k) : -1
    // The partner's path was fitted on the same rows.
    const shared = k > 2 && partnerOf(judged, k) === held ? fittedNow[judged] : undefined
    const cut: Cut = {
      fit: problem.rowSet((row) => fold[row] !== held && judgeFold[row] !== judged),
      judge: problem.rowSet((row) => fold[row] !== held && judgeFold[row] === judged),
    }
    const path =
      cut.judge.total > 0 && cut.fit.total > 0 ? await choose(input, cut, held, control, shared) : null
    if (path?.stopped === 'asked') return null
    const best = path?.tried[path.best]
    const strength = best?.strength ?? strengthGrid[Math.floor(strengthGrid.length / 2)]!
    const start = warm?.outer[held] ?? best?.points[0] ?? new Float64Array(problem.parameters)
    const final =
      outside.fit.total > 0
        ? await fitOne(problem, outside, strength, start, control, 0, checking)
        : { point: start, stopped: null }
    if (final.stopped === 'asked') return null
    const inner = new Map(path?.tried.map(({ strength, points }) => [strength, points[0]!]))
    result.inner.push(inner)
    fittedNow.push(warm?.smallChange ? new Map(best && [[best.strength, best.points[0]!]]) : inner)
    result.outer.push(final.point)
    result.chosen.push(strength)
    await predictHeldOut(problem, x, fold, held, final.point, result.probabilities)
    input.onFold?.(held + 1)
  }
  return result
}

/** 0 and 1, 2 and 3, …; with an odd number of folds the last one is judged on the first. */
function partnerOf(fold: number, k: number): number {
  const partner = fold % 2 === 0 ? fold + 1 : fold - 1
  return partner < k ? partner : 0
}

function choose(
  input: FoldsInput,
  cut: Cut,
  held: number,
  control: FitControl,
  fitted: ReadonlyMap<number, Float64Array> | undefined,
): Promise<PathResult> {
  const { problem, warm, grid = strengthGrid } = input
  const known = warm?.inner[held]
  const options = { grid, control, ...(fitted && { fitted }) }
  if (!known || known.size === 0) return fitPath(problem, [cut], options)
  if (warm.smallChange) return refitPath(problem, cut, known, 0, control, fitted)
  return fitPath(problem, [cut], {
    ...options,
    warm: new Map([...known].map(([strength, point]) => [strength, [point]])),
  })
}

function placeInFolds({ labels, keys, seed, k, warm }: FoldsInput): number[] {
  const fresh = assignFolds({ labels: [...labels], keys, seed, k })
  if (!warm || warm.k !== k) return fresh
  return fresh.map((fold, row) => warm.foldOf.get(keys[row]!) ?? fold)
}

/** With two folds "the next fold" would leave nothing to learn from: cut the other fold in four instead. −1: judge. */
function innerFolds(
  keys: readonly string[],
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
    keys: rows.map((row) => keys[row]!),
    seed,
    k,
  })
  rows.forEach((row, index) => (inner[row] = folds[index] === 0 ? -1 : folds[index]!))
  return inner
}

async function predictHeldOut(
  problem: SoftmaxProblem,
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
