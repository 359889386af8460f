import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import {
  checkGradients,
  compareWithDifferences,
  gradientVerdict,
  type GradientProblem,
} from '#trainer/autodiff/gradient-check.ts'
import { penalised } from '#trainer/autodiff/regularisers.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { float32, tensor } from '#trainer/graph/tensor.ts'
import { int } from '#trainer/graph/types.ts'

/** The sum of what `draw` makes of x. */
function sumOf(x: readonly number[], draw: (g: GraphBuilder, x: string) => string): GradientProblem {
  const g = new GraphBuilder('sum')
  const input = g.input({ name: 'x', type: 'float32', shape: [x.length] })
  const loss = g.node('ReduceSum', [draw(g, input)], { keepdims: int(0) })
  g.output(loss, { name: 'loss', type: 'float32', shape: [] })
  return { graph: g.build(), loss: 'loss', values: ['x'], feeds: { x: float32([x.length], x) } }
}

const claims = (...numbers: number[]) => ({
  x: tensor('float64', [numbers.length], Float64Array.from(numbers)),
})

async function judged(problem: GradientProblem, ...claimed: number[]) {
  const [row] = await compareWithDifferences(referenceEngine, problem, claims(...claimed))
  return row!
}

const relu = (x: readonly number[]) => sumOf(x, (g, value) => g.node('Relu', [value]))
const tanh = (x: readonly number[]) => sumOf(x, (g, value) => g.node('Tanh', [value]))
const slope = (x: number): number => 1 - Math.tanh(x) ** 2

describe('a gradient check', () => {
  it('finds the right gradient good', async () => {
    const row = await judged(tanh([0.5, -1]), slope(0.5), slope(-1))
    expect(row).toMatchObject({ name: 'x', shape: [2], elements: 2, checked: 2, kinks: 0, verdict: 'good' })
    expect(row.relativeError).toBeLessThan(1e-8)
  })

  it('finds a wrong one by as much as it is wrong', async () => {
    const x = Math.fround(0.3)
    const cases = [
      [1e-6, 'acceptable'],
      [1e-3, 'doubtful'],
      [0.1, 'wrong'],
    ] as const
    for (const [part, verdict] of cases) {
      const row = await judged(tanh([x]), slope(x) * (1 - part))
      expect(row.verdict).toBe(verdict)
      expect(row.relativeError / part).toBeCloseTo(1, 2)
      expect(row.worst!.index).toBe(0)
      expect(row.worst!.numeric).toBeCloseTo(slope(x), 6)
    }
  })

  it('finds a wrong sign, a forgotten factor and a gradient that is missing', async () => {
    expect((await judged(tanh([0.5]), -slope(0.5))).relativeError).toBeCloseTo(2, 6)
    expect((await judged(tanh([0.5]), slope(0.5) / 2)).relativeError).toBeCloseTo(0.5, 6)
    expect((await judged(tanh([0.5]), 0)).verdict).toBe('wrong')
    expect((await judged(tanh([0.5, 1]), slope(0.5), NaN)).verdict).toBe('wrong')
  })

  it('names the worst element', async () => {
    const row = await judged(tanh([0.5, 1, -0.5]), slope(0.5), slope(1) * 1.5, slope(-0.5) * 1.01)
    expect(row.worst).toMatchObject({ index: 1 })
  })

  it('takes two zeros for equal, and what rounding makes of a zero', async () => {
    const flat = sumOf([1, 2], (g, x) => g.node('Sub', [x, x]))
    expect(await judged(flat, 0, 1e-17)).toMatchObject({ relativeError: 0, verdict: 'good' })
  })

  it('accepts every slope between those of both sides on a kink, says that it is one, and no other slope', async () => {
    for (const claimed of [0, 0.5, 1])
      expect(await judged(relu([0]), claimed)).toMatchObject({ kinks: 1, relativeError: 0, verdict: 'good' })
    for (const claimed of [-0.2, 1.2])
      expect(await judged(relu([0]), claimed)).toMatchObject({ kinks: 1, verdict: 'wrong' })
  })

  it('judges beside a kink with a step that does not cross it, and says so', async () => {
    const beside = 4e-6
    expect(await judged(relu([beside, 1]), 1, 1)).toMatchObject({ kinks: 1, verdict: 'good' })
    expect(await judged(relu([beside, 1]), 0.7, 1)).toMatchObject({ kinks: 1, verdict: 'wrong' })
    expect(await judged(relu([-beside, 1]), 0, 1)).toMatchObject({ kinks: 1, verdict: 'good' })
    expect(await judged(relu([-beside, 1]), 0.3, 1)).toMatchObject({ kinks: 1, verdict: 'wrong' })
  })

  it('takes no bend for a kink, however sharp it is', async () => {
    // The slope of tanh(500x) goes from 0 to 500 and back within a hundredth.
    const sharp = sumOf([0.001, -0.002], (g, x) =>
      g.node('Tanh', [g.node('Mul', [x, g.constant('steep', float32([], [500]))])]),
    )
    const [row] = await checkGradients(referenceEngine, sharp)
    expect(row).toMatchObject({ kinks: 0, verdict: 'good' })
  })

  it('moves constants as well as inputs, and binds a free batch size', async () => {
    const g = new GraphBuilder('constants')
    const x = g.input({ name: 'x', type: 'float32', shape: ['batch', 2] })
    const w = g.constant('w', float32([2, 3], [1, 2, 3, 4, 5, 6]))
    const loss = g.node('ReduceSum', [g.node('Tanh', [g.node('MatMul', [x, w])])], { keepdims: int(0) })
    const problem = {
      graph: g.build(),
      loss,
      values: ['w', 'x'],
      feeds: { x: float32([2, 2], [0.1, -0.2, 0.3, 0]) },
    }
    const rows = await checkGradients(referenceEngine, problem)
    expect(rows).toMatchObject([
      { name: 'w', elements: 6, verdict: 'good' },
      { name: 'x', elements: 4, verdict: 'good' },
    ])
    expect(problem.feeds.x.data).toEqual(Float32Array.of(0.1, -0.2, 0.3, 0))
  })

  it('draws elements of large values, the same for the same seed', async () => {
    const many = tanh(Array.from({ length: 50 }, (_, i) => i / 25 - 1))
    const run = (seed: number) =>
      checkGradients(referenceEngine, many, { most: 5, random: createRandom(seed) })
    const [[one], [same], [other]] = [await run(1), await run(1), await run(2)]
    expect(one).toMatchObject({ elements: 50, checked: 5 })
    expect(same).toEqual(one)
    expect(other!.worst!.index).not.toBe(one!.worst!.index)
  })

  it('refuses engines of 32 bits and values that are not there', async () => {
    const single = { ...referenceEngine, real: 'float32' as const }
    await expect(checkGradients(single, tanh([1]))).rejects.toMatchObject({ code: 'bad-request' })
    await expect(checkGradients(referenceEngine, { ...tanh([1]), values: ['y'] })).rejects.toMatchObject({
      code: 'bad-request',
      message: expect.stringContaining('"y"'),
    })
  })
})

describe('what penalties hand to the gradient', () => {
  it('is the gradient of the penalties', async () => {
    const [l1, l2] = [0.25, 0.5]
    const weights = [0.5, -1, 2, -0.125, 0]
    const problem = sumOf(weights, (g, x) => {
      const half = g.node('Mul', [g.node('Mul', [x, x]), g.constant('half', float32([], [l2 / 2]))])
      return g.node('Add', [half, g.node('Mul', [g.node('Abs', [x]), g.constant('l1', float32([], [l1]))])])
    })
    const g = new GraphBuilder('penalties')
    const parameters = g.input({ name: 'x', type: 'float32', shape: [5] })
    const gradient = g.constant('gradient', float32([5], [0, 0, 0, 0, 0]))
    const own = penalised(g, { gradient, parameters, l1, l2 })
    g.output(own, { name: 'own', type: 'float32', shape: [5] })
    const session = await referenceEngine.open(g.build())
    const { own: x } = await session.run(problem.feeds)
    const [row] = await compareWithDifferences(referenceEngine, problem, { x: x! })
    expect(row).toMatchObject({ checked: 5, kinks: 1, verdict: 'good' })
  })
})

describe('the verdict', () => {
  it('is lenient where the loss has kinks', () => {
    const verdicts = [0, 1e-7, 1e-6, 5e-5, 1e-3, 0.1, NaN]
    expect(verdicts.map((error) => gradientVerdict(error, 0))).toEqual([
      ...['good', 'good', 'acceptable', 'doubtful', 'doubtful', 'wrong', 'wrong'],
    ])
    expect(gradientVerdict(5e-5, 1)).toBe('acceptable')
    expect(gradientVerdict(5e-3, 9)).toBe('doubtful')
  })
})
