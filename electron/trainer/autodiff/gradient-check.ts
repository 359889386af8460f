import { createRandom, sample, type Random } from '#shared/domain/random.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Engine, Feeds } from '../engines/engine.ts'
import { GraphBuilder } from '../graph/builder.ts'
import { elementCount, numbers, tensor } from '../graph/tensor.ts'
import type { Graph, Tensor, ValueInfo } from '../graph/types.ts'
import { differentiate } from './differentiate.ts'

/** A graph that computes a loss, and the values whose gradients are in question. */
export interface GradientProblem {
  graph: Graph
  /** A value with one element. */
  loss: string
  /** Inputs and initialisers of real numbers. */
  values: readonly string[]
  /** Every input of the graph. */
  feeds: Feeds
}

/**
 * By relative error, as the course CS231n reads it (Stanford, "Neural Networks Part 3", section "Gradient checks"): up to
 * 1e-7 one can be happy; up to 1e-4 is usually fine where the loss has kinks and too much where it has none; up to 1e-2
 * one should feel uncomfortable; more is probably wrong. Between 1e-7 and 1e-5 a smooth loss is given the benefit of the
 * doubt: errors add up in deep networks.
 */
export type GradientVerdict = 'good' | 'acceptable' | 'doubtful' | 'wrong'

export const gradientThresholds = { good: 1e-7, smooth: 1e-5, kinked: 1e-4, doubtful: 1e-2 } as const

export interface GradientCheckRow {
  name: string
  shape: readonly number[]
  elements: number
  /** How many of them were looked at; large values are sampled. */
  checked: number
  /**
   * How many of these stand on or beside a kink of the loss (ReLU at 0, two values that tie for a maximum). On a kink the
   * gradient is judged by whether it lies between the slopes of both sides; beside one by a step that does not reach it.
   */
  kinks: number
  /** The largest |a − n| / max(|a|, |n|) of analytic a and numeric n. */
  relativeError: number
  verdict: GradientVerdict
  /** Where that was. */
  worst: { index: number; analytic: number; numeric: number } | null
}

export interface GradientCheckOptions {
  /** Step of the central difference, times max(1, |x|). The course's 1e-5: larger steps cross more kinks, smaller ones drown in rounding. */
  step?: number
  /** Elements looked at per value. */
  most?: number
  /** Draws them. */
  random?: Random
}

/**
 * Compares the gradients that `differentiate` writes with central differences (f(x + h) − f(x − h)) / 2h, element by
 * element.
 * @throws KestrelError `bad-request` for an engine that does not compute in 64 bits: the differences would be noise.
 */
export async function checkGradients(
  engine: Engine,
  problem: GradientProblem,
  options: GradientCheckOptions = {},
): Promise<GradientCheckRow[]> {
  const { forward, feeds } = opened(problem)
  const outputs = await runOnce(engine, withGradients(forward, problem), feeds)
  const gradients = Object.fromEntries(problem.values.map((name) => [name, outputs[gradientName(name)]!]))
  return compareWithDifferences(engine, problem, gradients, options)
}

/** The same for gradients that come from elsewhere: another engine, or somebody's own formula. */
export async function compareWithDifferences(
  engine: Engine,
  problem: GradientProblem,
  gradients: Readonly<Record<string, Tensor>>,
  { step = 1e-5, most = 64, random = createRandom(0, 'gradient check') }: GradientCheckOptions = {},
): Promise<GradientCheckRow[]> {
  if (engine.real !== 'float64')
    throw new KestrelError('bad-request', `The engine "${engine.id}" does not compute in 64 bits.`)
  const { forward, feeds } = opened(problem)
  const session = await engine.open(forward)
  try {
    const rows: GradientCheckRow[] = []
    const loss = async (): Promise<number> => numbers((await session.run(feeds))[problem.loss]!)[0]!
    const middle = await loss()
    for (const name of problem.values) {
      const value = feeds[name]!
      const gradient = numbers(gradients[name]!)
      const probe = new Probe(loss, middle, value, step)
      const found: ElementCheck[] = []
      for (const index of sample(random, [...gradient.keys()], most))
        found.push(await probe.check(index, gradient[index]!))
      rows.push(rowOf(name, value, found))
    }
    return rows
  } finally {
    await session.dispose()
  }
}

/** The name under which `withGradients` hands a gradient out. */
export const gradientName = (value: string): string => `gradient of ${value}`

/** The graph with its gradients as further outputs (`gradientName`). */
export function withGradients(
  graph: Graph,
  { loss, values }: Pick<GradientProblem, 'loss' | 'values'>,
): Graph {
  const builder = new GraphBuilder(graph.name, graph.opsets)
  const bindings = new Map(graph.inputs.map((info) => [info.name, builder.input(info)]))
  const inside = builder.embed(graph, bindings)
  const wrt = values.map(inside)
  const gradients = differentiate(builder, { of: inside(loss), wrt })
  for (const info of graph.outputs) builder.output(inside(info.name), info)
  values.forEach((name, index) => {
    // Two values may have one gradient (a + b), which can bear one name only.
    const own = builder.node('Identity', [gradients.get(wrt[index]!)!])
    builder.output(own, { name: gradientName(name), type: 'float32', shape: null })
  })
  return builder.build()
}

export function gradientVerdict(relativeError: number, kinks: number): GradientVerdict {
  const { good, smooth, kinked, doubtful } = gradientThresholds
  if (relativeError <= good) return 'good'
  if (relativeError <= (kinks > 0 ? kinked : smooth)) return 'acceptable'
  // What is not a number is no small error.
  return relativeError <= doubtful ? 'doubtful' : 'wrong'
}

/**
 * The graph with every value in question as an input, its loss as the output and all sizes known; and what to feed it,
 * the values in question in 64 bits of their own, to be moved.
 */
function opened({ graph, loss, values, feeds }: GradientProblem): {
  forward: Graph
  feeds: Record<string, Tensor>
} {
  const own = (name: string): Tensor => {
    const found = feeds[name] ?? graph.initialisers.get(name)
    if (found === undefined)
      throw new KestrelError('bad-request', `"${name}" is neither an input nor a constant of the graph.`)
    return tensor('float64', found.shape, Float64Array.from(numbers(found)))
  }
  const all: Record<string, Tensor> = {
    ...feeds,
    ...Object.fromEntries(values.map((name) => [name, own(name)])),
  }
  const moved = values.filter((name) => graph.initialisers.has(name))
  const forward: Graph = {
    ...graph,
    inputs: [
      ...graph.inputs.map((info) => ({ ...info, shape: all[info.name]?.shape ?? info.shape })),
      ...moved.map((name): ValueInfo => ({ name, type: 'float32', shape: all[name]!.shape })),
    ],
    initialisers: new Map([...graph.initialisers].filter(([name]) => !moved.includes(name))),
    outputs: [{ name: loss, type: 'float32', shape: null }],
  }
  return { forward, feeds: all }
}

async function runOnce(engine: Engine, graph: Graph, feeds: Feeds): Promise<Record<string, Tensor>> {
  const session = await engine.open(graph)
  try {
    return await session.run(feeds)
  } finally {
    await session.dispose()
  }
}

interface ElementCheck {
  index: number
  analytic: number
  numeric: number
  kink: boolean
  error: number
}

/** Differences of the loss around one element. */
interface Differences {
  central: number
  left: number
  right: number
  /** |right − left|: where the loss is smooth it shrinks with the step. */
  gap: number
  /** What rounding alone does to a difference. */
  noise: number
}

/** Moves the elements of one value in place, and puts them back. */
class Probe {
  private readonly loss: () => Promise<number>
  private readonly value: Float64Array
  private readonly middle: number
  private readonly step: number

  constructor(loss: () => Promise<number>, middle: number, value: Tensor, step: number) {
    this.loss = loss
    this.middle = middle
    this.value = value.data as Float64Array
    this.step = step
  }

  async check(index: number, analytic: number): Promise<ElementCheck> {
    const far = await this.differences(index, this.step)
    const numeric = far.central
    const first = { index, analytic, numeric, kink: false, error: relative(analytic, numeric, far.noise) }
    if (first.error <= gradientThresholds.good && far.gap <= significant(far)) return first
    // Something is wrong, or the step crosses a kink, or the loss bends much: a step of a tenth tells.
    const near = await this.differences(index, this.step / 10)
    if (near.gap > significant(near) && near.gap > far.gap / 5) return onKink(index, analytic, near)
    const second = {
      index,
      analytic,
      numeric: near.central,
      error: relative(analytic, near.central, near.noise),
    }
    // A wide difference that crosses a kink says nothing, even where it agrees by chance.
    if (far.gap > significant(far) && far.gap > 30 * near.gap) return { ...second, kink: true }
    return second.error < first.error ? { ...second, kink: false } : first
  }

  private async differences(index: number, step: number): Promise<Differences> {
    const at = this.value[index]!
    const h = step * Math.max(1, Math.abs(at))
    const moved = (to: number): Promise<number> => {
      this.value[index] = to
      return this.loss()
    }
    const above = await moved(at + h)
    const below = await moved(at - h)
    this.value[index] = at
    const [left, right] = [(this.middle - below) / h, (above - this.middle) / h]
    return {
      central: (above - below) / (2 * h),
      left,
      right,
      gap: Math.abs(right - left),
      noise: (16 * Number.EPSILON * (1 + Math.abs(this.middle))) / h,
    }
  }
}

/** A gap between the slopes of both sides that neither rounding nor an ordinary curvature explains. */
const significant = ({ left, right, noise }: Differences): number =>
  10 * noise + 1e-3 * Math.max(Math.abs(left), Math.abs(right))

/** On a kink every number between the slopes of both sides is a subgradient, and none is the gradient. */
function onKink(index: number, analytic: number, { left, right, gap, noise }: Differences): ElementCheck {
  const numeric = Math.min(Math.max(analytic, Math.min(left, right)), Math.max(left, right))
  const error = relative(analytic, numeric, noise + 1e-6 * gap)
  return { index, analytic, numeric, kink: true, error }
}

/** |a − n| / max(|a|, |n|); a difference that rounding alone can make counts as none. */
function relative(analytic: number, numeric: number, noise: number): number {
  const difference = Math.abs(analytic - numeric)
  if (difference <= noise) return 0
  return difference / Math.max(Math.abs(analytic), Math.abs(numeric))
}

function rowOf(name: string, value: Tensor, found: readonly ElementCheck[]): GradientCheckRow {
  // NaN is worse than any number.
  const badness = ({ error }: ElementCheck): number => (Number.isNaN(error) ? Infinity : error)
  const worst = found.reduce<ElementCheck | null>(
    (worse, each) => (worse === null || badness(each) > badness(worse) ? each : worse),
    null,
  )
  const kinks = found.filter(({ kink }) => kink).length
  const relativeError = worst?.error ?? 0
  return {
    name,
    shape: value.shape,
    elements: elementCount(value.shape),
    checked: found.length,
    kinks,
    relativeError,
    verdict: gradientVerdict(relativeError, kinks),
    worst: worst && { index: worst.index, analytic: worst.analytic, numeric: worst.numeric },
  }
}
