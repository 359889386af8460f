import { describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { networkSpecSchema } from '#shared/domain/network/index.ts'
import type { OptimiserKind } from '#shared/domain/training/config.ts'
import { optimiserConfigSchema } from '#shared/domain/training/config.ts'
import { layoutOf, scatter } from '#trainer/autodiff/layout.ts'
import { createOptimiser } from '#trainer/autodiff/optimisers/index.ts'
import { evaluationGraph } from '#trainer/autodiff/step.ts'
import type { StepPlan } from '#trainer/autodiff/step.ts'
import { withoutDropout } from '#trainer/autodiff/training-form.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { bestOnnxEngine, onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import { fit } from '#trainer/loop/fit.ts'
import type { FitHooks, Progress } from '#trainer/loop/fit.ts'
import { groupsOf } from '#trainer/loop/groups.ts'
import { Judge } from '#trainer/loop/judge.ts'
import type { JudgedBatch } from '#trainer/loop/judge.ts'
import { StepRunner } from '#trainer/loop/step-runner.ts'
import type { TrainingBatch } from '#trainer/loop/step-runner.ts'
import type { Vectors } from '#trainer/loop/state.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'

const [size, classes] = [8, 3]
const guessing = { training: Math.log(classes), judged: Math.log(classes) }

/** One of everything that behaves otherwise in training: batch norm, dropout of units and of maps, a learned slope. */
const spec = networkSpecSchema.parse({
  version: 1,
  name: 'everything',
  input: { width: size, height: size, channels: 3 },
  layers: [
    { type: 'conv', filters: 16, size: 3, bias: false },
    { type: 'batch-norm' },
    { type: 'activation', function: 'relu' },
    { type: 'pool', kind: 'max', size: 2, stride: 2 },
    { type: 'dropout', rate: 0.25, drop: 'channels' },
    { type: 'conv', filters: 16, size: 3 },
    { type: 'activation', function: 'prelu' },
    { type: 'global-pool' },
    { type: 'dropout', rate: 0.2 },
    { type: 'fc', units: classes },
  ],
})
const network = buildNetwork(spec, { seed: 5 })
const groups = groupsOf(network, { l1: 1e-5, l2: 1e-4, weightDecay: 0.01 }, (block) =>
  block === 0 ? 0.5 : 1,
)

/** The same batches for the same epoch; the last one is short. */
async function* batches(epoch: number, count = 4): AsyncGenerator<TrainingBatch> {
  await Promise.resolve()
  const random = createRandom(epoch, 'batches')
  for (let batch = 0; batch < count; batch++) {
    const rows = batch === count - 1 ? 3 : 6
    const targets = new Float32Array(rows * classes)
    const labels = Array.from({ length: rows }, () => random.below(classes))
    labels.forEach((label, row) => (targets[row * classes + label] = 1))
    const x = Float32Array.from({ length: rows * 3 * size * size }, (_, at) => {
      const row = Math.floor(at / (3 * size * size))
      return random.normal(0, 0.6) + 0.5 * Math.sin(at * (1 + labels[row]!))
    })
    yield {
      x,
      targets,
      rows,
      weights: Float32Array.from({ length: rows }, (_, row) => (row === 1 ? 0.5 : 1)),
    }
  }
}

const planOf = (kind: OptimiserKind): Omit<StepPlan, 'batch'> => ({
  groups,
  loss: { kind: 'cross-entropy', labelSmoothing: 0.1 },
  optimiser: createOptimiser(optimiserConfigSchema.parse({ kind })),
  clipNorm: 1,
  average: true,
})
const runnerOn = (engine: Engine, kind: OptimiserKind = 'adamw'): StepRunner =>
  new StepRunner(engine, network, planOf(kind), 7)

async function trained(runner: StepRunner, epochs: number, hooks: Partial<FitHooks> = {}) {
  try {
    return await fit({
      runner,
      epochs,
      batches,
      learningRate: (step) => 0.01 / (1 + step / 10),
      statisticsKeep: 0.9,
      averageDecay: () => 0.8,
      judge: null,
      guessing,
      hooks: { shouldStop: () => false, onEpoch: () => undefined, ...hooks },
    })
  } finally {
    await runner.dispose()
  }
}

describe('a training step', () => {
  test.each<OptimiserKind>(['sgd', 'momentum', 'nesterov', 'adagrad', 'rmsprop', 'adam', 'adamw'])(
    'gives every engine the same curve and the same numbers with %s',
    async (kind) => {
      const expected = await trained(runnerOn(referenceEngine, kind), 3)
      for (const engine of [onnxEngine, await bestOnnxEngine()]) {
        const found = await trained(runnerOn(engine, kind), 3)
        found.curve.forEach(({ trainLoss, trainAccuracy }, epoch) => {
          expect(trainLoss).toBeCloseTo(expected.curve[epoch]!.trainLoss, 4)
          expect(trainAccuracy).toBe(expected.curve[epoch]!.trainAccuracy)
        })
        for (const [name, vector] of expected.vectors) {
          const mine = found.vectors.get(name)!
          const largest = Array.from(vector).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3)
          vector.forEach((value, i) => expect(Math.abs(value - mine[i]!) / largest).toBeLessThan(2e-3))
        }
      }
    },
  )

  test('leaves the numbers alone when it breaks down', async () => {
    const runner = runnerOn(onnxEngine)
    const before = runner.state.copy()
    for await (const batch of batches(1, 1)) {
      batch.x[0] = Number.NaN
      const figures = await runner.run(batch, {
        learningRate: 0.1,
        step: 1,
        statisticsKeep: 0,
        averageDecay: 0,
      })
      expect(figures.loss).toBeNaN()
    }
    expect(runner.state.copy()).toEqual(before)
    await runner.dispose()
  })

  test('learns nothing from rows of weight 0', async () => {
    const settings = { learningRate: 0.1, step: 1, statisticsKeep: 0, averageDecay: 0 }
    const changed: number[] = []
    for (const target of [0, 1]) {
      const runner = runnerOn(referenceEngine)
      for await (const batch of batches(1, 1)) {
        batch.weights[2] = 0
        batch.targets.fill(0, 2 * classes, 3 * classes)
        batch.targets[2 * classes + target] = 1
        changed.push((await runner.run(batch, settings)).loss)
      }
      await runner.dispose()
    }
    expect(changed[0]).toBe(changed[1])
  })

  test('fills short batches up where rows have nothing to do with each other, and learns the same', async () => {
    const plain = networkSpecSchema.parse({
      ...spec,
      layers: spec.layers.filter(({ type }) => type !== 'batch-norm' && type !== 'dropout'),
    })
    const learner = buildNetwork(plain, { seed: 5 })
    const opened: string[] = []
    const counting: Engine = {
      ...onnxEngine,
      open: (graph, options) => {
        opened.push(graph.inputs.find(({ name }) => name === 'row_weights')!.shape!.join())
        return onnxEngine.open(graph, options)
      },
    }
    const runner = (): StepRunner =>
      new StepRunner(
        counting,
        learner,
        {
          groups: groupsOf(learner, { l1: 0, l2: 0, weightDecay: 0.01 }),
          loss: { kind: 'cross-entropy', labelSmoothing: 0 },
          optimiser: createOptimiser(optimiserConfigSchema.parse({ kind: 'sgd' })),
          clipNorm: null,
          average: false,
        },
        7,
      )
    const settings = { learningRate: 0, step: 1, statisticsKeep: 0, averageDecay: 0 }
    const [filling, alone] = [runner(), runner()]
    for await (const batch of batches(1, 2)) {
      const learned = { ...settings, learningRate: batch.rows === 3 ? 0.5 : 0 }
      const figures = await filling.run(batch, learned)
      if (batch.rows !== 3) continue
      const expected = await alone.run(batch, learned)
      expect(figures.loss).toBeCloseTo(expected.loss, 5)
      expect(figures.correct).toBe(expected.correct)
      expect(figures.gradientNorm).toBeCloseTo(expected.gradientNorm, 5)
    }
    expect(opened).toEqual(['6', '3'])
    for (const [name, vector] of alone.state.copy())
      vector.forEach((value, i) => expect(filling.state.vector(name)[i]).toBeCloseTo(value, 5))
    await filling.dispose()
    await alone.dispose()
  })

  test('judges batches of any length, a row at a time or all together', async () => {
    const judge = new Judge(onnxEngine, network, groups, 6)
    const numbers = new StepRunner(onnxEngine, network, planOf('adamw'), 7).state.copy()
    const six = await batches(1, 2).next()
    const { x } = six.value as TrainingBatch
    const inParts = async function* (parts: readonly number[]): AsyncGenerator<JudgedBatch> {
      await Promise.resolve()
      let first = 0
      for (const rows of parts) {
        yield { x: x.subarray(first * 3 * size * size, (first + rows) * 3 * size * size), rows }
        first += rows
      }
    }
    const whole = await judge.logits(inParts([6]), numbers)
    const parts = await judge.logits(inParts([1, 3, 2]), numbers)
    expect(parts).toHaveLength(6 * classes)
    parts.forEach((value, i) => expect(value).toBeCloseTo(whole[i]!, 5))
    await judge.dispose()
  })

  test('answers, with its numbers fed in, like the network with the numbers in it', async () => {
    const { vectors } = await trained(runnerOn(onnxEngine), 2)
    const layout = layoutOf(network, groups)
    const numbers = {
      parameters: groups.map((_, group) => Float32Array.from(vectors.get(`average/${group}`)!)),
      statistics: Float32Array.from(vectors.get('statistics')!),
    }
    const x = float32(
      [2, 3, size, size],
      Float32Array.from({ length: 2 * 3 * size * size }, (_, i) => Math.cos(i)),
    )
    const fed = await onnxEngine.open(evaluationGraph(network, groups, 2))
    const whole = await onnxEngine.open(withoutDropout(scatter(network.graph, layout, numbers)))
    const feeds = Object.fromEntries(
      numbers.parameters.map((vector, group) => [`parameters/${group}`, float32([vector.length], vector)]),
    )
    const statistics = float32([numbers.statistics.length], numbers.statistics)
    const a = (await fed.run({ input: x, ...feeds, statistics }))['logits']!.data as Float32Array
    const b = (await whole.run({ input: x }))['logits']!.data as Float32Array
    a.forEach((value, i) => expect(value).toBeCloseTo(b[i]!, 5))
    await fed.dispose()
    await whole.dispose()
  })
})

describe('the loop', () => {
  test('goes on from any epoch and ends where the uninterrupted one ends, bit by bit', async () => {
    const whole = await trained(runnerOn(onnxEngine), 5)
    let kept: { fingerprint: string; progress: Progress; vectors: Vectors } | null = null
    const killed = new Error('killed')
    await expect(
      trained(runnerOn(onnxEngine), 5, {
        save: (progress, vectors) => {
          kept = { fingerprint: '', progress, vectors }
          return progress.epoch === 2 ? Promise.reject(killed) : Promise.resolve()
        },
      }),
    ).rejects.toBe(killed)
    const resumed = await trained(runnerOn(onnxEngine), 5, { load: () => Promise.resolve(kept) })
    expect(resumed.curve).toEqual(whole.curve)
    expect(resumed.vectors).toEqual(whole.vectors)
  })

  test('stops where it is asked, with what the last whole epoch reached', async () => {
    const two = await trained(runnerOn(onnxEngine), 2)
    let batchesSeen = 0
    const stopped = await trained(runnerOn(onnxEngine), 9, {
      onBatch: () => (batchesSeen += 1),
      shouldStop: () => batchesSeen >= 10,
    })
    expect(stopped).toMatchObject({ stopped: 'asked', epoch: 2 })
    expect(stopped.vectors).toEqual(two.vectors)
    await expect(trained(runnerOn(onnxEngine), 9, { shouldStop: () => true })).rejects.toMatchObject({
      code: 'stopped',
    })
  })

  test('keeps the epoch that the validation pictures judge best', async () => {
    const runner = runnerOn(onnxEngine)
    const losses = [0.9, 0.4, 0.6, 0.5]
    const copies: Vectors[] = []
    const outcome = await fit({
      runner,
      epochs: 4,
      batches,
      learningRate: () => 0.01,
      statisticsKeep: 0.9,
      averageDecay: () => 0.8,
      guessing,
      judge: () => {
        copies.push(runner.state.copy())
        return Promise.resolve({ loss: losses[copies.length - 1]!, accuracy: 0.5 })
      },
      hooks: { shouldStop: () => false, onEpoch: () => undefined },
    })
    await runner.dispose()
    expect(outcome).toMatchObject({ epoch: 2, best: { epoch: 2, loss: 0.4 }, stopped: null })
    expect(outcome.vectors).toEqual(copies[1])
  })

  test('numbers that are not finite end it with the last good ones', async () => {
    const good = await trained(runnerOn(onnxEngine, 'sgd'), 1)
    const runner = runnerOn(onnxEngine, 'sgd')
    const outcome = await fit({
      runner,
      epochs: 6,
      batches,
      learningRate: (step) => (step < 4 ? 0.01 / (1 + step / 10) : 1e30),
      statisticsKeep: 0.9,
      averageDecay: () => 0.8,
      judge: null,
      guessing,
      hooks: { shouldStop: () => false, onEpoch: () => undefined },
    })
    await runner.dispose()
    expect(outcome.stopped).toBe('diverged')
    expect(outcome.vectors).toEqual(good.vectors)
  })

  /** Adam on the network above, at one rate up to a step and at another from there on; judged by `losses`. */
  async function wild(options: {
    from: number
    rate: number
    epochs: number
    losses?: readonly number[]
    probed?: readonly number[]
    hooks?: Partial<FitHooks>
  }) {
    const runner = new StepRunner(
      onnxEngine,
      network,
      {
        ...{ groups, clipNorm: null, average: false },
        loss: { kind: 'cross-entropy', labelSmoothing: 0 },
        optimiser: createOptimiser(optimiserConfigSchema.parse({ kind: 'adam' })),
      },
      7,
    )
    const told = (losses: readonly number[]) => {
      let asked = 0
      return () => Promise.resolve({ loss: losses[asked++]!, accuracy: 0.5 })
    }
    try {
      return await fit({
        runner,
        epochs: options.epochs,
        batches,
        learningRate: (step) => (step < options.from ? 0.01 : options.rate),
        statisticsKeep: 0.9,
        averageDecay: () => 0,
        judge: options.losses ? told(options.losses) : null,
        ...(options.probed && { probe: told(options.probed) }),
        guessing,
        hooks: { shouldStop: () => false, onEpoch: () => undefined, ...options.hooks },
      })
    } finally {
      await runner.dispose()
    }
  }

  test('a finite explosion ends it too, under its own name and with its epoch in the curve', async () => {
    const calm = await wild({ from: 99, rate: 0.01, epochs: 1, losses: [1] })
    const outcome = await wild({ from: 4, rate: 300, epochs: 6, losses: [1, 900] })
    expect(outcome.stopped).toBe('exploded')
    expect(outcome.curve.map(({ step }) => step)).toEqual([1, 2])
    expect(outcome.epoch).toBe(1)
    expect(outcome.vectors).toEqual(calm.vectors)
  })

  test('in the first epoch there is nothing to keep, and the curve says why', async () => {
    const seen: number[] = []
    const hooks: Partial<FitHooks> = { onEpoch: ({ trainLoss }) => seen.push(trainLoss) }
    const exploding = wild({ from: 0, rate: 300, epochs: 6, losses: [900], hooks })
    await expect(exploding).rejects.toMatchObject({
      ...{ code: 'training-diverged', how: 'exploded' },
      message: expect.stringContaining('exploded'),
      curve: [{ step: 1 }],
    })
    expect(seen).toHaveLength(1)
  })

  test('an epoch that validation finds far above guessing is not kept, and may be a beginning', async () => {
    const outcome = await wild({ from: 99, rate: 0.01, epochs: 3, losses: [400, 3, 2] })
    expect(outcome).toMatchObject({ stopped: null, epoch: 3, best: { epoch: 3, loss: 2 } })
    await expect(wild({ from: 99, rate: 0.01, epochs: 2, losses: [400, 300] })).rejects.toMatchObject({
      how: 'exploded',
    })
  })

  test('where nobody judges, looking at training pictures finds what the last update did', async () => {
    const one = await wild({ from: 99, rate: 0.01, epochs: 1, probed: [1.1, 1] })
    const exploded = await wild({ from: 99, rate: 0.01, epochs: 2, probed: [1.1, 1, 900] })
    expect(exploded).toMatchObject({
      ...{ stopped: 'exploded', epoch: 1, before: { loss: 1.1 }, best: { epoch: 1, loss: 1 } },
      curve: [{ valLoss: null }, { valLoss: null }],
    })
    expect(exploded.vectors).toEqual(one.vectors)
    const diverged = await wild({ from: 99, rate: 0.01, epochs: 2, probed: [1.1, 1, Number.NaN] })
    expect(diverged).toMatchObject({ stopped: 'diverged', epoch: 1 })
    const nothing = wild({ from: 99, rate: 0.01, epochs: 1, probed: [1.1, Number.NaN] })
    await expect(nothing).rejects.toMatchObject({ how: 'diverged' })
    // Not the best by what was looked at, which learned from these pictures, but the last.
    const later = await wild({ from: 99, rate: 0.01, epochs: 2, probed: [1.1, 1, 1.05] })
    expect(later).toMatchObject({ stopped: null, epoch: 2 })
  })

  test('killed after the checkpoint of its last epoch, early stopping ends it there again', async () => {
    let kept: { fingerprint: string; progress: Progress; vectors: Vectors } | null = null
    const judged = [3, 2, 2.5, 2.6, 1, 0.5]
    const run = async (load: FitHooks['load']) => {
      const runner = runnerOn(onnxEngine)
      let asked = 0
      const outcome = await fit({
        ...{ runner, batches, guessing, epochs: 6, statisticsKeep: 0.9 },
        learningRate: () => 0.01,
        averageDecay: () => 0.8,
        judge: () => Promise.resolve({ loss: judged[asked++]!, accuracy: 0 }),
        isDone: (curve) => curve.length === 4,
        hooks: {
          shouldStop: () => false,
          onEpoch: () => undefined,
          ...(load && { load }),
          save: (progress, vectors) => {
            kept = { fingerprint: '', progress, vectors }
            return Promise.resolve()
          },
        },
      })
      await runner.dispose()
      return outcome
    }
    const whole = await run(undefined)
    const resumed = await run(() => Promise.resolve(kept))
    expect(whole).toMatchObject({ stopped: 'early', epoch: 2 })
    expect(resumed).toMatchObject({ stopped: 'early', epoch: 2, curve: whole.curve })
    expect(resumed.vectors).toEqual(whole.vectors)
  })
})
