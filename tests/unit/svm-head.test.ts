import { readFileSync } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { fitHead } from '#trainer/head/fit.ts'
import { minimise } from '#trainer/head/lbfgs.ts'
import { HeadProblem } from '#trainer/head/problem.ts'

interface Golden {
  rows: number
  features: number
  classes: number
  cases: { strength: number; objective: number; weights: number[]; firstProbabilities: number[] }[]
}
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/golden/svm-head.json', import.meta.url), 'utf8'),
) as Golden

/** The data of the golden file; see svm-head.py beside it. */
function goldenData(): { x: Float32Array; labels: Int32Array } {
  let state = 12345
  const draw = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const { rows, features, classes } = golden
  const x = Float32Array.from({ length: rows * features }, () => draw() * 2 - 1)
  const labels = Int32Array.from({ length: rows }, () => Math.floor(draw() * classes))
  labels.forEach((label, row) => (x[row * features + label]! += 0.75))
  return { x, labels }
}

async function goldenProblem() {
  const { x, labels } = goldenData()
  const { features, classes } = golden
  const problem = await HeadProblem.open(x, labels, features, classes, { threads: 1, objective: 'svm' })
  onTestFinished(() => problem.dispose())
  return { problem, x, labels }
}

describe('the linear SVM', () => {
  it.each(golden.cases)("finds scikit-learn's optimum at strength $strength", async (expected) => {
    const { problem, x } = await goldenProblem()
    const all = problem.rowSet(() => true)
    const fit = await minimise(
      (point) => problem.evaluate(point, all, expected.strength),
      new Float64Array(problem.parameters),
      { relativeDecrease: 0, gradientTolerance: 1e-6 },
    )
    expect(fit.value).toBeCloseTo(expected.objective, 5)
    expected.weights.forEach((weight, index) => expect(fit.point[index]).toBeCloseTo(weight, 2))
    const probabilities = await problem.probabilities(fit.point, x.slice(0, 3 * golden.features))
    expected.firstProbabilities.forEach((p, index) => expect(probabilities[index]).toBeCloseTo(p, 3))
  })

  it('has the gradient that central differences give', async () => {
    const { problem } = await goldenProblem()
    const some = problem.rowSet((row) => row % 3 !== 0)
    const random = createRandom(7)
    const point = Float64Array.from({ length: problem.parameters }, () => random.normal(0, 0.3))
    const { gradient } = await problem.evaluate(point, some, 0.02)
    for (const index of [0, 5, 11, 17, 24, 27]) {
      const moved = (by: number) => point.map((value, at) => (at === index ? value + by : value))
      const step = 0.002
      const up = await problem.evaluate(moved(step), some, 0.02)
      const down = await problem.evaluate(moved(-step), some, 0.02)
      expect(gradient[index]).toBeCloseTo((up.value - down.value) / (2 * step), 3)
    }
  })

  it('chooses its strength on the validation pictures, as the softmax does', async () => {
    const { problem, labels } = await goldenProblem()
    const fit = await fitHead({
      problem,
      validation: Array.from(labels, (_, row) => row % 4 === 0),
      labels,
      groups: Array.from(labels, (_, row) => `picture ${row}`),
      seed: 1,
    })
    const best = Math.min(...fit.tried.map(({ valLogLoss }) => valLogLoss))
    expect(fit.tried.find(({ strength }) => strength === fit.chosen)!.valLogLoss).toBeCloseTo(best, 4)
    expect(fit.stopped).toBeNull()
  })
})
