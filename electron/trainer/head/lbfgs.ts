/**
 * Limited-memory BFGS: minimises a smooth function from its value and gradient. Pure: the function may live anywhere
 * (here: an ONNX graph). Two-loop recursion after Nocedal & Wright, "Numerical Optimization", 2nd ed., algorithm 7.4;
 * line search for the weak Wolfe conditions by bracketing and safeguarded cubic interpolation (section 3.5), with the
 * approximate condition of Hager & Zhang (2005) near the minimum, where a value from 32-bit arithmetic cannot show
 * the decrease any more but the slope still can.
 */
export interface Evaluation {
  value: number
  /** Same length as the point. Must stay unchanged until the minimisation ends. */
  gradient: Float64Array
}

export type Objective<E extends Evaluation = Evaluation> = (point: Float64Array) => E | Promise<E>

/** Steps and the changes of the gradient along them, the newest last: what a minimisation has found out about the curvature. */
export type Curvature = readonly { s: Float64Array; y: Float64Array }[]

export interface LbfgsOptions<E extends Evaluation = Evaluation> {
  /** Pairs of steps and gradient changes kept. */
  memory?: number
  maxIterations?: number
  /** Ends when an iteration lowers the value by less than this part of it. 32-bit values bottom out near 2e-7. */
  relativeDecrease?: number
  /** … in this many iterations in a row. Default 1. */
  patience?: number
  /** Ends when no component of the gradient is larger. */
  gradientTolerance?: number
  /**
   * Found on a function much like this one; each pair with sᵀy > 0. None is changed. Without any, the first steps are spent on
   * finding out how long a step should be.
   */
  curvature?: Curvature
  /**
   * Called after every iteration with what the objective gave at the point that was reached. Returning `false` ends the
   * minimisation there.
   */
  onIteration?: (iteration: number, reached: E, point: Float64Array) => boolean | void
}

/** `not-finite`: a value at the accepted point or along the search was NaN or infinite; `point` is the last good one. */
export type LbfgsEnd = 'decrease' | 'gradient' | 'iterations' | 'line-search' | 'stopped' | 'not-finite'

export interface LbfgsResult<E extends Evaluation = Evaluation> {
  point: Float64Array
  /** What the objective gave at the point. */
  reached: E
  /** NaN only when the very first evaluation was not finite. */
  value: number
  iterations: number
  evaluations: number
  curvature: Curvature
  end: LbfgsEnd
}

const ARMIJO = 1e-4
const CURVATURE = 0.9
/** Below this relative rise of the value the slope decides (32-bit rounding of a mean over many pictures). */
const APPROXIMATE = 1e-7
const MAX_LINE_SEARCH = 25

interface Pair {
  s: Float64Array
  y: Float64Array
  /** 1 / sᵀy */
  rho: number
}

interface Trial<E extends Evaluation> {
  reached: E
  step: number
  value: number
  slope: number
  point: Float64Array
}

/** @param start is not changed. */
export async function minimise<E extends Evaluation>(
  objective: Objective<E>,
  start: Float64Array,
  options: LbfgsOptions<E> = {},
): Promise<LbfgsResult<E>> {
  const {
    memory = 10,
    maxIterations = 500,
    relativeDecrease = 2e-7,
    gradientTolerance = 1e-9,
    patience = 1,
  } = options
  let point = Float64Array.from(start)
  let reached = await objective(point)
  let { value, gradient } = reached
  let evaluations = 1
  let slow = 0
  const pairs: Pair[] = (options.curvature ?? [])
    .slice(-memory)
    .map(({ s, y }) => ({ s, y, rho: 1 / dot(s, y) }))
  const finish = (end: LbfgsEnd, iterations: number): LbfgsResult<E> => ({
    point,
    reached,
    value,
    iterations,
    evaluations,
    curvature: pairs,
    end,
  })
  if (!isFiniteEvaluation(value, gradient)) {
    value = Number.NaN
    return finish('not-finite', 0)
  }

  for (let iteration = 1; iteration <= maxIterations; iteration++) {
    if (largest(gradient) <= gradientTolerance) return finish('gradient', iteration - 1)
    let direction = searchDirection(gradient, pairs)
    let slope = dot(direction, gradient)
    if (!(slope < 0)) {
      // The pairs have lost their meaning in rounding: begin again from steepest descent.
      pairs.length = 0
      direction = searchDirection(gradient, pairs)
      slope = dot(direction, gradient)
    }
    // Without curvature pairs the length of the gradient says nothing about the length of a good step.
    const firstStep = pairs.length > 0 ? 1 : Math.min(1, 1 / Math.sqrt(-slope))
    const search = await lineSearch(objective, point, value, direction, slope, firstStep)
    evaluations += search.evaluations
    const { accepted } = search
    if (!accepted) return finish(search.sawNonFinite ? 'not-finite' : 'line-search', iteration - 1)

    const s = new Float64Array(point.length)
    const y = new Float64Array(point.length)
    for (let i = 0; i < s.length; i++) {
      s[i] = accepted.point[i]! - point[i]!
      y[i] = accepted.reached.gradient[i]! - gradient[i]!
    }
    const curvature = dot(s, y)
    if (curvature > 1e-12 * Math.sqrt(dot(s, s) * dot(y, y))) {
      pairs.push({ s, y, rho: 1 / curvature })
      if (pairs.length > memory) pairs.shift()
    }
    const decrease = value - accepted.value
    point = accepted.point as Float64Array<ArrayBuffer>
    reached = accepted.reached
    value = accepted.value
    gradient = reached.gradient
    if (options.onIteration?.(iteration, reached, point) === false) return finish('stopped', iteration)
    slow = decrease <= relativeDecrease * Math.abs(value) ? slow + 1 : 0
    if (slow >= patience) return finish('decrease', iteration)
  }
  return finish('iterations', maxIterations)
}

/** −H·gradient by the two-loop recursion, H₀ = (sᵀy / yᵀy)·I from the newest pair. */
function searchDirection(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = new Float64Array(gradient.length)
  for (let i = 0; i < q.length; i++) q[i] = -gradient[i]!
  const newest = pairs.at(-1)
  if (!newest) return q
  const alpha = new Float64Array(pairs.length)
  let along = dot(newest.s, q)
  for (let k = pairs.length - 1; k >= 0; k--) {
    const { y, rho } = pairs[k]!
    alpha[k] = rho * along
    along = addScaled(q, y, -alpha[k]!, k > 0 ? pairs[k - 1]!.s : q)
  }
  const scale = 1 / (newest.rho * dot(newest.y, newest.y))
  for (let i = 0; i < q.length; i++) q[i]! *= scale
  along = dot(pairs[0]!.y, q)
  for (let k = 0; k < pairs.length; k++) {
    const { s, rho } = pairs[k]!
    along = addScaled(q, s, alpha[k]! - rho * along, pairs[k + 1]?.y ?? q)
  }
  return q
}

async function lineSearch<E extends Evaluation>(
  objective: Objective<E>,
  point: Float64Array,
  value: number,
  direction: Float64Array,
  slope: number,
  firstStep: number,
): Promise<{ accepted: Trial<E> | null; evaluations: number; sawNonFinite: boolean }> {
  const tolerance = APPROXIMATE * Math.abs(value)
  let low = { step: 0, value, slope }
  let high: { step: number; value: number; slope: number } | null = null
  let best: Trial<E> | null = null
  let sawNonFinite = false
  let step = firstStep
  for (let evaluations = 1; evaluations <= MAX_LINE_SEARCH; evaluations++) {
    const candidate = new Float64Array(point.length)
    for (let i = 0; i < candidate.length; i++) candidate[i] = point[i]! + step * direction[i]!
    const at = await objective(candidate)
    if (!isFiniteEvaluation(at.value, at.gradient)) {
      sawNonFinite = true
      high = { step, value: Number.POSITIVE_INFINITY, slope: 0 }
      step = low.step + 0.1 * (step - low.step)
      continue
    }
    const trial: Trial<E> = {
      reached: at,
      step,
      value: at.value,
      point: candidate,
      slope: dot(at.gradient, direction),
    }
    if (trial.value < (best?.value ?? value)) best = trial
    const enough = trial.value <= value + ARMIJO * step * slope
    const nearlyFlat = trial.value <= value + tolerance && trial.slope <= (2 * ARMIJO - 1) * slope
    if (!enough && !nearlyFlat) {
      high = trial
      step = interpolate(low, high)
    } else if (trial.slope < CURVATURE * slope) {
      low = trial
      step = high ? interpolate(low, high) : extrapolate(trial, slope)
    } else {
      return { accepted: trial, evaluations, sawNonFinite }
    }
    // The bracket has shrunk to rounding: nothing better can be found along this line.
    if (high && Math.abs(high.step - low.step) <= 1e-12 * Math.max(1, high.step))
      return { accepted: best, evaluations, sawNonFinite }
  }
  return { accepted: best, evaluations: MAX_LINE_SEARCH, sawNonFinite }
}

/** Minimum of the cubic through both ends' values and slopes, kept away from the ends. */
function interpolate(
  low: { step: number; value: number; slope: number },
  high: { step: number; value: number; slope: number },
): number {
  const width = high.step - low.step
  const middle = low.step + 0.5 * width
  if (!Number.isFinite(high.value)) return low.step + 0.1 * width
  const d1 = low.slope + high.slope - (3 * (low.value - high.value)) / (low.step - high.step)
  const inside = d1 * d1 - low.slope * high.slope
  if (inside < 0) return middle
  const d2 = Math.sign(width) * Math.sqrt(inside)
  const cubic = high.step - (width * (high.slope + d2 - d1)) / (high.slope - low.slope + 2 * d2)
  if (!Number.isFinite(cubic)) return middle
  return Math.min(low.step + 0.9 * width, Math.max(low.step + 0.1 * width, cubic))
}

/** The step was too short: go to where the slope, seen as linear, would vanish; at least twice, at most ten times as far. */
function extrapolate(trial: { step: number; slope: number }, slopeAtZero: number): number {
  const secant = (trial.step * slopeAtZero) / (slopeAtZero - trial.slope)
  if (!Number.isFinite(secant) || secant <= 0) return 4 * trial.step
  return Math.min(10 * trial.step, Math.max(2 * trial.step, secant))
}

function isFiniteEvaluation(value: number, gradient: Float64Array): boolean {
  // One sum instead of a test per component: any NaN or infinity makes it not finite.
  let sum = value
  for (let i = 0; i < gradient.length; i++) sum += gradient[i]! * 1e-30
  return Number.isFinite(sum)
}

/** Four sums at a time: one alone waits for every addition to end before the next begins. */
function dot(a: Float64Array, b: Float64Array): number {
  const { length } = a
  const whole = length - (length % 4)
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let i = 0; i < whole; i += 4) {
    s0 += a[i]! * b[i]!
    s1 += a[i + 1]! * b[i + 1]!
    s2 += a[i + 2]! * b[i + 2]!
    s3 += a[i + 3]! * b[i + 3]!
  }
  for (let i = whole; i < length; i++) s0 += a[i]! * b[i]!
  return s0 + s1 + (s2 + s3)
}

/**
 * target + factor · by, in place, and on the way the product of what comes out with another vector: most of a fit's time outside
 * the network goes through memory here, and this goes through it once.
 */
function addScaled(target: Float64Array, by: Float64Array, factor: number, other: Float64Array): number {
  const { length } = target
  const whole = length - (length % 4)
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let i = 0; i < whole; i += 4) {
    s0 += (target[i]! += factor * by[i]!) * other[i]!
    s1 += (target[i + 1]! += factor * by[i + 1]!) * other[i + 1]!
    s2 += (target[i + 2]! += factor * by[i + 2]!) * other[i + 2]!
    s3 += (target[i + 3]! += factor * by[i + 3]!) * other[i + 3]!
  }
  for (let i = whole; i < length; i++) s0 += (target[i]! += factor * by[i]!) * other[i]!
  return s0 + s1 + (s2 + s3)
}

function largest(values: Float64Array): number {
  let most = 0
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!))
  return most
}
