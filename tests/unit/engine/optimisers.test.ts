import { describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { optimiserConfigSchema, scheduleConfigSchema } from '#shared/domain/training/config.ts'
import type { OptimiserConfig, OptimiserKind } from '#shared/domain/training/config.ts'
import { frameworkOptimiser, optimiserKinds } from '#shared/domain/training/optimisers.ts'
import type { Convention } from '#shared/domain/training/optimisers.ts'
import { rateFactor } from '#shared/domain/training/schedules.ts'
import { differentiate } from '#trainer/autodiff/differentiate.ts'
import { writeLoss } from '#trainer/autodiff/losses.ts'
import { createOptimiser } from '#trainer/autodiff/optimisers/index.ts'
import { averaged, clipByGlobalNorm, penalised } from '#trainer/autodiff/regularisers.ts'
import type { Engine, GraphSession } from '#trainer/engines/engine.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { elementCount, int64s, tensor } from '#trainer/graph/tensor.ts'
import { int } from '#trainer/graph/types.ts'
import type { Graph, Tensor } from '#trainer/graph/types.ts'

interface Trace {
  framework: Convention
  optimiser: OptimiserKind
  learningRate: number
  schedule: object
  weightDecay?: number
  l1?: number
  l2?: number
  clip?: number
  average?: number
  losses: number[]
  parameters: number[]
  rates?: number[]
  norms?: number[]
  averaged?: number[]
}
interface Golden {
  rows: number
  batch: number
  features: number
  hidden: number
  classes: number
  epochs: number
  x: number[]
  labels: number[]
  start: number[]
  traces: Trace[]
}
const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/golden/optimisers.json', import.meta.url), 'utf8'),
) as Golden
const stepsPerEpoch = golden.rows / golden.batch

const shapes = [
  [golden.features, golden.hidden],
  [golden.hidden],
  [golden.hidden, golden.classes],
  [golden.classes],
]
const length = golden.start.length

interface Plan {
  optimiser: OptimiserConfig
  weightDecay?: number
  l1?: number
  l2?: number
  clip?: number | null
  average?: boolean
}

/** A step of the golden file's network: x → tanh(x·W₁ + b₁)·W₂ + b₂, all parameters in one flat vector. */
function stepGraph({ optimiser, weightDecay = 0, l1 = 0, l2 = 0, clip = null, average }: Plan): Graph {
  const g = new GraphBuilder('step')
  const input = (name: string, shape: readonly number[]) => g.input({ name, type: 'float32', shape })
  const output = (value: string, name: string) => g.output(value, { name, type: 'float32', shape: null })
  const parameters = input('parameters', [length])
  const sizes = g.constant('sizes', int64s(shapes.map(elementCount)))
  const flat = g.nodes('Split', [parameters, sizes], 4, { axis: int(0) })
  const pieces = flat.map((piece, i) => g.node('Reshape', [piece, g.constant('shape', int64s(shapes[i]!))]))
  const layer = (x: string, w: string, b: string) => g.node('Add', [g.node('MatMul', [x, w]), b])
  const hidden = g.node('Tanh', [layer(input('x', [golden.batch, golden.features]), pieces[0]!, pieces[1]!)])
  const { loss } = writeLoss(
    { kind: 'cross-entropy', labelSmoothing: 0 },
    {
      builder: g,
      logits: layer(hidden, pieces[2]!, pieces[3]!),
      targets: input('targets', [golden.batch, golden.classes]),
      rowWeights: input('weights', [golden.batch]),
      classes: golden.classes,
    },
  )
  const gradients = differentiate(g, { of: loss, wrt: pieces })
  const parts = pieces.map((name) =>
    g.node('Reshape', [gradients.get(name)!, g.constant('flat', int64s([-1]))]),
  )
  const gradient = penalised(g, {
    gradient: g.node('Concat', parts, { axis: int(0) }),
    parameters,
    l1,
    l2,
  })
  const clipped = clipByGlobalNorm(g, [gradient], clip)
  const piece = createOptimiser(optimiser)
  const next = piece.build({
    builder: g,
    parameters,
    gradient: clipped.gradients[0]!,
    slots: Object.fromEntries(piece.slots.map((slot) => [slot, input(slot, [length])])),
    scalars: Object.fromEntries(Object.keys(piece.scalars(1)).map((name) => [name, input(name, [])])),
    learningRate: input('learning_rate', []),
    weightDecay,
  })
  const mean = average
    ? averaged(g, {
        average: input('average', [length]),
        parameters: next.parameters,
        decay: input('decay', []),
      })
    : null
  output(loss, 'loss')
  output(clipped.norm, 'norm')
  output(next.parameters, 'next/parameters')
  for (const slot of piece.slots) output(next.slots[slot]!, `next/${slot}`)
  if (mean !== null) output(mean, 'next/average')
  return g.build()
}

/** Numbers as an engine takes them. */
const realOf =
  (engine: Engine) =>
  (shape: readonly number[], values: ArrayLike<number>): Tensor =>
    engine.real === 'float64'
      ? tensor('float64', shape, Float64Array.from(values))
      : tensor('float32', shape, Float32Array.from(values))

async function train(engine: Engine, trace: Trace): Promise<Required<Omit<Trace, keyof Settings>>> {
  const { losses: expected, weightDecay, l1, l2, clip, average } = trace
  const optimiser = frameworkOptimiser(trace.framework, trace.optimiser)
  const piece = createOptimiser(optimiser)
  const schedule = scheduleConfigSchema.parse(trace.schedule)
  const real = realOf(engine)
  const graph = stepGraph({ optimiser, weightDecay, l1, l2, clip, average: average !== undefined })
  const session: GraphSession = await engine.open(graph, { purpose: 'training' })
  let state: Record<string, Tensor> = Object.fromEntries(
    ['parameters', ...(average === undefined ? [] : ['average'])]
      .map((name) => [name, real([length], golden.start)] as const)
      .concat(piece.slots.map((slot) => [slot, real([length], new Float64Array(length))])),
  )
  const [losses, rates, norms, epochs]: number[][] = [[], [], [], []]
  for (let step = 0; step < expected.length; step++) {
    const rows = golden.labels.map((_, row) => row).slice(...batchAt(step))
    const moment = { step, stepsPerEpoch, epochs: golden.epochs, losses: epochs! }
    const rate = trace.learningRate * rateFactor(schedule, moment)
    const result: Record<string, Tensor> = await session.run({
      ...state,
      x: real(
        [golden.batch, golden.features],
        rows.flatMap((row) => golden.x.slice(row * golden.features, (row + 1) * golden.features)),
      ),
      targets: real(
        [golden.batch, golden.classes],
        rows.flatMap((row) => Array.from({ length: golden.classes }, (_, k) => +(k === golden.labels[row]))),
      ),
      weights: real([golden.batch], new Array<number>(golden.batch).fill(1)),
      learning_rate: real([], [rate]),
      // Both frameworks begin their average with the weights after the first step.
      ...(average === undefined ? {} : { decay: real([], [step === 0 ? 0 : average]) }),
      ...Object.fromEntries(
        Object.entries(scalarsOf(trace.framework, optimiser, step + 1)).map(([name, value]) => [
          name,
          real([], [value]),
        ]),
      ),
    })
    losses!.push(Number(result['loss']!.data[0]))
    norms!.push(Number(result['norm']!.data[0]))
    rates!.push(rate)
    if ((step + 1) % stepsPerEpoch === 0)
      epochs!.push(losses!.slice(-stepsPerEpoch).reduce((a, b) => a + b) / stepsPerEpoch)
    state = Object.fromEntries(Object.keys(state).map((name) => [name, result[`next/${name}`]!]))
  }
  await session.dispose()
  const values = (name: string): number[] => Array.from((state[name]?.data ?? []) as ArrayLike<number>)
  return {
    losses: losses!,
    rates: rates!,
    norms: norms!,
    parameters: values('parameters'),
    averaged: values('average'),
  }
}

/**
 * Keras rounds β to 32 bits before it raises it to the power of the step, even where everything else has 64: 4e-6 in the
 * traces. Its own rounding is put into the one number that it goes into.
 */
function scalarsOf(framework: Convention, config: OptimiserConfig, step: number): Record<string, number> {
  const scalars = { ...createOptimiser(config).scalars(step) }
  if (framework !== 'keras' || (config.kind !== 'adam' && config.kind !== 'adamw')) return scalars
  const { beta1, beta2 } = config
  const first = (1 - beta1 ** step) / (1 - Math.fround(beta1) ** step)
  const second = Math.sqrt((1 - Math.fround(beta2) ** step) / (1 - beta2 ** step))
  return { ...scalars, rate: scalars['rate']! * first * second }
}

type Settings = Pick<
  Trace,
  'framework' | 'optimiser' | 'learningRate' | 'schedule' | 'weightDecay' | 'l1' | 'l2' | 'clip' | 'average'
>

const batchAt = (step: number): [number, number] => {
  const first = (step % stepsPerEpoch) * golden.batch
  return [first, first + golden.batch]
}

/** The largest difference, relative to the number or to the middle size of all where it is smaller. */
function difference(found: readonly number[], expected: readonly number[]): number {
  expect(found).toHaveLength(expected.length)
  const size = expected.reduce((sum, value) => sum + Math.abs(value), 0) / expected.length
  return expected.reduce((most, value, at) => {
    const off = Math.abs(found[at]! - value) / Math.max(Math.abs(value), size)
    return off <= most ? most : off
  }, 0)
}

const title = ({ framework, optimiser, schedule, ...trace }: Trace): string => {
  const more = (['l1', 'l2', 'clip', 'average'] as const).flatMap((key) =>
    trace[key] === undefined ? [] : [`${key} ${trace[key]}`],
  )
  return [optimiser, (schedule as { kind: string }).kind, ...more, `as in ${framework}`].join(', ')
}
const traces = golden.traces.map((trace) => ({ title: title(trace), trace }))

describe('100 steps of every optimiser and schedule', () => {
  it('are all there, from both frameworks', () => {
    for (const kind of optimiserKinds) {
      const of = golden.traces.filter(({ optimiser }) => optimiser === kind)
      const kinds = (framework: string) =>
        new Set(
          of
            .filter((trace) => trace.framework === framework)
            .map(({ schedule }) => (schedule as { kind: string }).kind),
        ).size
      // Keras has no one-cycle schedule.
      expect([kind, kinds('pytorch'), kinds('keras')]).toEqual([kind, 6, 5])
    }
    expect(golden.traces.every(({ losses }) => losses.length === 100)).toBe(true)
  })

  // PyTorch adds 1e-6 to the norm that it divides by when it clips; ours is the exact quotient, as Keras'.
  it.each(traces)('in 64 bits: $title', async ({ trace }) => {
    const tolerance = trace.clip !== undefined && trace.framework === 'pytorch' ? 2e-5 : 1e-6
    const found = await train(referenceEngine, trace)
    expect(difference(found.losses, trace.losses)).toBeLessThan(tolerance)
    expect(difference(found.parameters, trace.parameters)).toBeLessThan(tolerance)
    if (trace.rates) expect(difference(found.rates, trace.rates)).toBeLessThan(1e-6)
    if (trace.norms) expect(difference(found.norms, trace.norms)).toBeLessThan(tolerance)
    if (trace.averaged) expect(difference(found.averaged, trace.averaged)).toBeLessThan(tolerance)
  })

  // Rounding to 32 bits grows along 100 steps, most with methods that divide by small gradients.
  it.each(traces)('in 32 bits, on ONNX Runtime: $title', async ({ trace }) => {
    const found = await train(onnxEngine, trace)
    expect(difference(found.losses, trace.losses)).toBeLessThan(1e-3)
    expect(difference(found.parameters, trace.parameters)).toBeLessThan(1e-3)
    if (trace.averaged) expect(difference(found.averaged, trace.averaged)).toBeLessThan(1e-3)
  })

  it('shows what a convention changes: the other framework is followed no further than a few digits', async () => {
    for (const kind of ['momentum', 'nesterov'] as const) {
      const of = (framework: Convention) =>
        golden.traces.find(
          (trace) =>
            trace.framework === framework &&
            trace.optimiser === kind &&
            (trace.schedule as { kind: string }).kind === 'step',
        )!
      const swapped = await train(referenceEngine, { ...of('pytorch'), framework: 'keras' })
      expect(difference(swapped.losses, of('keras').losses)).toBeLessThan(1e-6)
      expect(difference(swapped.losses, of('pytorch').losses)).toBeGreaterThan(1e-4)
    }
  })
})

describe('clipping by the global norm', () => {
  const clip = async (engine: Engine, groups: number[][], limit: number | null) => {
    const g = new GraphBuilder('clip')
    const names = groups.map((group, i) => g.input({ name: `g${i}`, type: 'float32', shape: [group.length] }))
    const clipped = clipByGlobalNorm(g, names, limit)
    clipped.gradients.forEach((name, i) => g.output(name, { name: `out${i}`, type: 'float32', shape: null }))
    g.output(clipped.norm, { name: 'norm', type: 'float32', shape: [] })
    const session = await engine.open(g.build())
    const feeds = Object.fromEntries(
      groups.map((group, i) => [`g${i}`, realOf(engine)([group.length], group)]),
    )
    const result = await session.run(feeds)
    await session.dispose()
    return {
      norm: Number(result['norm']!.data[0]),
      gradients: groups.map((_, i) => Array.from(result[`out${i}`]!.data as ArrayLike<number>)),
    }
  }

  describe.each([referenceEngine, onnxEngine])('on $id', (engine) => {
    it('shortens all groups alike, to the limit', async () => {
      const { norm, gradients } = await clip(engine, [[3, 0], [-4]], 1)
      expect(norm).toBeCloseTo(5, 5)
      expect(gradients.flat()).toEqual([0.6, 0, -0.8].map((value) => expect.closeTo(value, 6) as number))
    })

    it('leaves what is short enough exactly as it is, and zeros zero', async () => {
      const short = [[0.25, -0.125], [0.0625]]
      expect((await clip(engine, short, 1)).gradients).toEqual(short)
      const zeros = await clip(engine, [[0, 0], [0]], 1)
      expect(zeros).toEqual({ norm: 0, gradients: [[0, 0], [0]] })
    })

    it('clips what has exploded beyond the range of its squares', async () => {
      const { norm, gradients } = await clip(engine, [[3e25, 0], [-4e25]], 2)
      expect(norm / 5e25).toBeCloseTo(1, 5)
      expect(gradients.flat()).toEqual([1.2, 0, -1.6].map((value) => expect.closeTo(value, 5) as number))
    })

    it('says when a gradient is not finite', async () => {
      expect((await clip(engine, [[1, Number.NaN], [2]], 1)).norm).toBeNaN()
      expect((await clip(engine, [[1, Infinity], [2]], 1)).norm).toBeNaN()
      expect((await clip(engine, [[1, Number.NaN], [2]], null)).norm).toBeNaN()
    })
  })
})

describe('a parameter that has no gradient', () => {
  it.each(optimiserKinds)('stays where it is with %s, from the first step on', async (kind) => {
    for (const convention of ['pytorch', 'keras'] as const) {
      const optimiser = createOptimiser(
        optimiserConfigSchema.parse(kind === 'sgd' ? { kind } : { kind, convention }),
      )
      const g = new GraphBuilder('one step')
      const input = (name: string, shape: number[]) => g.input({ name, type: 'float32', shape })
      const next = optimiser.build({
        builder: g,
        parameters: input('parameters', [2]),
        gradient: input('gradient', [2]),
        slots: Object.fromEntries(optimiser.slots.map((slot) => [slot, input(slot, [2])])),
        scalars: Object.fromEntries(Object.keys(optimiser.scalars(1)).map((name) => [name, input(name, [])])),
        learningRate: input('learning_rate', []),
        weightDecay: 0,
      })
      g.output(next.parameters, { name: 'next', type: 'float32', shape: [2] })
      const session = await onnxEngine.open(g.build(), { purpose: 'training' })
      const real = realOf(onnxEngine)
      const { next: moved } = await session.run({
        parameters: real([2], [0.5, -2]),
        gradient: real([2], [0, 1e-3]),
        learning_rate: real([], [0.1]),
        ...Object.fromEntries(optimiser.slots.map((slot) => [slot, real([2], [0, 0])])),
        ...Object.fromEntries(
          Object.entries(optimiser.scalars(1)).map(([name, value]) => [name, real([], [value])]),
        ),
      })
      await session.dispose()
      const [still, down] = Array.from(moved!.data as Float32Array)
      expect(still).toBe(0.5)
      expect(down).toBeLessThan(-2)
    }
  })
})
