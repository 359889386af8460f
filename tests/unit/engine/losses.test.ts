import { describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { classWeightsOf, lossConfigSchema } from '#shared/domain/training/config.ts'
import type { LossConfig } from '#shared/domain/training/config.ts'
import { rowWeightsOf } from '#shared/domain/training/class-weights.ts'
import { differentiate } from '#trainer/autodiff/differentiate.ts'
import { writeLoss } from '#trainer/autodiff/losses.ts'
import { averaged, penalised, penalty } from '#trainer/autodiff/regularisers.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { tensor } from '#trainer/graph/tensor.ts'
import type { Tensor } from '#trainer/graph/types.ts'

interface Golden {
  rows: number
  classes: number
  logits: number[]
  labels: number[]
  soft: number[]
  classWeights: number[]
  rowWeights: number[]
  others: { scikitLearn: number; keras: number; balanced: number[]; correct: number }
  cases: {
    name: string
    targets: 'hard' | 'soft'
    labelSmoothing?: number
    hinge?: { margin: number; squared: boolean }
    weights?: 'classes' | 'rows'
    loss: number
    gradient: number[]
  }[]
}
const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/golden/losses.json', import.meta.url), 'utf8'),
) as Golden
const { rows, classes, logits } = golden
const hard = golden.labels.flatMap((label) => Array.from({ length: classes }, (_, k) => +(k === label)))
const crossEntropy: LossConfig = { kind: 'cross-entropy', labelSmoothing: 0 }

interface Batch {
  logits: readonly number[]
  targets: readonly number[]
  weights?: readonly number[]
}

const real = (engine: Engine, shape: readonly number[], values: ArrayLike<number>): Tensor =>
  engine.real === 'float64'
    ? tensor('float64', shape, Float64Array.from(values))
    : tensor('float32', shape, Float32Array.from(values))

async function lossOf(engine: Engine, config: LossConfig, batch: Batch, of = classes) {
  const count = batch.logits.length / of
  const g = new GraphBuilder('loss')
  const input = (name: string, shape: readonly number[]) => g.input({ name, type: 'float32', shape })
  const z = input('logits', [count, of])
  const { loss, correct } = writeLoss(config, {
    builder: g,
    logits: z,
    targets: input('targets', [count, of]),
    rowWeights: input('weights', [count]),
    classes: of,
  })
  const gradient = differentiate(g, { of: loss, wrt: [z] }).get(z)!
  g.output(loss, { name: 'loss', type: 'float32', shape: [] })
  g.output(correct, { name: 'correct', type: 'float32', shape: [] })
  g.output(gradient, { name: 'gradient', type: 'float32', shape: [count, of] })
  const session = await engine.open(g.build(), { purpose: 'training' })
  const result = await session.run({
    logits: real(engine, [count, of], batch.logits),
    targets: real(engine, [count, of], batch.targets),
    weights: real(engine, [count], batch.weights ?? new Array<number>(count).fill(1)),
  })
  await session.dispose()
  return {
    loss: Number(result['loss']!.data[0]),
    correct: Number(result['correct']!.data[0]),
    gradient: Array.from(result['gradient']!.data as ArrayLike<number>),
  }
}

const weightsOf = (kind: 'classes' | 'rows' | undefined): readonly number[] | undefined =>
  kind === 'rows'
    ? golden.rowWeights
    : kind && [...rowWeightsOf(Float32Array.from(hard), golden.classWeights)]

describe.each([
  { engine: referenceEngine, digits: 7 },
  { engine: onnxEngine, digits: 4 },
])('losses on $engine.id', ({ engine, digits }) => {
  it.each(golden.cases)('$name: value and gradient of PyTorch', async (expected) => {
    const config = lossConfigSchema.parse(
      expected.hinge
        ? { kind: 'hinge', ...expected.hinge }
        : { kind: 'cross-entropy', labelSmoothing: expected.labelSmoothing },
    )
    const found = await lossOf(engine, config, {
      logits,
      targets: expected.targets === 'hard' ? hard : golden.soft,
      weights: weightsOf(expected.weights),
    })
    // The first row's logits reach 170: what is asked for are digits of the whole.
    expect(found.loss / expected.loss).toBeCloseTo(1, digits)
    expected.gradient.forEach((value, at) => expect(found.gradient[at]).toBeCloseTo(value, digits))
    if (expected.targets === 'hard') expect(found.correct).toBe(golden.others.correct)
  })

  it("agrees with scikit-learn's log loss and with Keras' label smoothing", async () => {
    const calm = { logits: logits.slice(classes), targets: hard.slice(classes) }
    const weights = weightsOf('classes')!.slice(1)
    const weighted = await lossOf(engine, crossEntropy, { ...calm, weights })
    expect(weighted.loss).toBeCloseTo(golden.others.scikitLearn, digits)
    const smoothed = await lossOf(engine, { kind: 'cross-entropy', labelSmoothing: 0.2 }, calm)
    expect(smoothed.loss).toBeCloseTo(golden.others.keras, digits)
  })

  it('lets rows of weight 0 count for nothing, whatever stands in them', async () => {
    const part = await lossOf(engine, crossEntropy, {
      logits: logits.slice(0, 8 * classes),
      targets: hard.slice(0, 8 * classes),
    })
    const masked = await lossOf(engine, crossEntropy, {
      logits,
      targets: hard,
      weights: golden.labels.map((_, row) => +(row < 8)),
    })
    expect(masked.loss).toBeCloseTo(part.loss, digits)
    expect(masked.correct).toBe(part.correct)
    expect(masked.gradient.slice(8 * classes).every((value) => value === 0)).toBe(true)
    const none = await lossOf(engine, crossEntropy, {
      logits,
      targets: hard,
      weights: new Array<number>(rows).fill(0),
    })
    expect(none).toMatchObject({ loss: 0, correct: 0 })
    expect(none.gradient.every((value) => value === 0)).toBe(true)
  })

  it('stays finite where the exponential overflows', async () => {
    const { loss, gradient } = await lossOf(
      engine,
      crossEntropy,
      { logits: [1000, -1000, -1000, 1000], targets: [1, 0, 1, 0] },
      2,
    )
    expect(loss).toBeCloseTo(1000, 3)
    expect(gradient.map((value) => Math.round(1e6 * value) / 1e6)).toEqual([0, 0, -0.5, 0.5])
  })

  it('takes a network that says the same for every class as right by chance', async () => {
    const same = await lossOf(engine, crossEntropy, {
      logits: new Array<number>(classes * classes).fill(0.5),
      targets: Array.from({ length: classes * classes }, (_, at) => +(at % (classes + 1) === 0)),
    })
    expect(same.correct).toBe(1)
    expect(same.loss).toBeCloseTo(Math.log(classes), digits)
  })

  it('penalises weights by the gradient of what it adds to the loss', async () => {
    const weights = [0.5, -2, 0, 3]
    const g = new GraphBuilder('penalties')
    const parameters = g.input({ name: 'w', type: 'float32', shape: [4] })
    const zero = g.constant('zero', tensor('float32', [4], new Float32Array(4)))
    const value = penalty(g, { parameters, l1: 0.1, l2: 0.4 })
    const gradient = penalised(g, { gradient: zero, parameters, l1: 0.1, l2: 0.4 })
    const automatic = differentiate(g, { of: value, wrt: [parameters] }).get(parameters)!
    for (const [name, of] of [
      ['value', value],
      ['gradient', gradient],
      ['automatic', automatic],
    ] as const)
      g.output(of, { name, type: 'float32', shape: null })
    const session = await engine.open(g.build())
    const result = await session.run({ w: real(engine, [4], weights) })
    await session.dispose()
    expect(Number(result['value']!.data[0])).toBeCloseTo(0.1 * 5.5 + 0.2 * 13.25, digits)
    const expected = [0.3, -0.9, 0, 1.3]
    for (const name of ['gradient', 'automatic'])
      expected.forEach((slope, at) => expect(Number(result[name]!.data[at])).toBeCloseTo(slope, digits))
  })

  it('averages weights, and leaves equal ones exactly as they are', async () => {
    const g = new GraphBuilder('average')
    const input = (name: string, shape: readonly number[]) => g.input({ name, type: 'float32', shape })
    const next = averaged(g, {
      average: input('average', [3]),
      parameters: input('parameters', [3]),
      decay: input('decay', []),
    })
    g.output(next, { name: 'next', type: 'float32', shape: [3] })
    const session = await engine.open(g.build())
    const result = await session.run({
      average: real(engine, [3], [1, 0.3, 0]),
      parameters: real(engine, [3], [2, 0.3, -10]),
      decay: real(engine, [], [0.75]),
    })
    await session.dispose()
    const found = Array.from(result['next']!.data as ArrayLike<number>)
    expect(found[0]).toBeCloseTo(1.25, 6)
    expect(found[1]).toBe(engine.real === 'float64' ? 0.3 : Math.fround(0.3))
    expect(found[2]).toBeCloseTo(-2.5, 6)
  })
})

describe('class weights', () => {
  it("balance as scikit-learn's do", () => {
    const counts = Array.from(
      { length: classes },
      (_, k) => golden.labels.filter((label) => label === k).length,
    )
    classWeightsOf('balanced', counts).forEach((weight, k) =>
      expect(weight).toBeCloseTo(golden.others.balanced[k]!, 12),
    )
    expect(classWeightsOf('balanced', [6, 0, 2])).toEqual([4 / 6, 0, 2])
    expect(classWeightsOf('none', [6, 0, 2])).toEqual([1, 1, 1])
    expect(classWeightsOf([1, 2, 3], [6, 0, 2])).toEqual([1, 2, 3])
    expect(() => classWeightsOf([1, 2], [6, 0, 2])).toThrow(RangeError)
  })

  it('weigh a mixed row by its parts', () => {
    const targets = Float32Array.of(1, 0, 0, 1, 0.25, 0.75)
    expect([...rowWeightsOf(targets, [2, 4])]).toEqual([2, 4, 3.5])
  })
})
