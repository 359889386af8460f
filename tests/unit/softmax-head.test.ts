import { afterEach, describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { createRandom } from '#shared/domain/random.ts'
import { fitHead } from '#trainer/head/fit.ts'
import { outOfFold } from '#trainer/head/folds.ts'
import { minimise } from '#trainer/head/lbfgs.ts'
import {
  atStrength,
  fitOne,
  fitPath,
  settled,
  sideBySide,
  strengthGrid,
  type FitControl,
} from '#trainer/head/path.ts'
import { HeadProblem, statistics } from '#trainer/head/problem.ts'
import { applyScaling, fromRaw, measureScaling, toRaw } from '#trainer/head/scaling.ts'

interface Golden {
  rows: number
  features: number
  classes: number
  cases: {
    strength: number
    objective: number
    meanLoss: number
    weights: number[]
    firstProbabilities: number[]
  }[]
}
const golden = JSON.parse(
  readFileSync(new URL('../fixtures/golden/softmax-head.json', import.meta.url), 'utf8'),
) as Golden

const open: HeadProblem[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((problem) => problem.dispose()))
})
async function problemOf(x: Float32Array, labels: Int32Array, features: number, classes: number) {
  const problem = await HeadProblem.open(x, labels, features, classes, { threads: 1 })
  open.push(problem)
  return problem
}

/** The data of the golden file; see softmax-head.py beside it. */
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

/** Clouds around a centre per class. */
function clouds(rows: number, features: number, classes: number, spread: number, seed = 1) {
  const random = createRandom(seed, 'clouds')
  const centres = Float32Array.from({ length: classes * features }, () => random.normal())
  const labels = Int32Array.from({ length: rows }, (_, row) => row % classes)
  const x = Float32Array.from({ length: rows * features }, (_, at) => {
    const row = Math.floor(at / features)
    return centres[labels[row]! * features + (at % features)]! + spread * random.normal()
  })
  const keys = Array.from({ length: rows }, (_, row) => `picture ${row}`)
  return { x, labels, keys }
}

const collecting = (stopAfter = Infinity) => {
  const metrics: Parameters<FitControl['onStep']>[0][] = []
  const control: FitControl = {
    shouldStop: () => metrics.length >= stopAfter,
    onStep: (metric) => void metrics.push(metric),
  }
  return { metrics, control }
}

describe('softmax regression', () => {
  it.each(golden.cases)("finds scikit-learn's optimum at strength $strength", async (expected) => {
    const { x, labels } = goldenData()
    const problem = await problemOf(x, labels, golden.features, golden.classes)
    const all = problem.rowSet(() => true)
    const fit = await minimise(
      (point) => problem.evaluate(point, all, expected.strength),
      new Float64Array(problem.parameters),
      { relativeDecrease: 0, gradientTolerance: 1e-6 },
    )
    expect(fit.value).toBeCloseTo(expected.objective, 6)
    expected.weights.forEach((weight, index) => expect(fit.point[index]).toBeCloseTo(weight, 2))
    const probabilities = await problem.probabilities(fit.point, x.slice(0, 3 * golden.features))
    expected.firstProbabilities.forEach((p, index) => expect(probabilities[index]).toBeCloseTo(p, 3))
  })

  it('comes within 1e-5 of the optimum with its usual stopping rule', async () => {
    const { x, labels } = goldenData()
    const problem = await problemOf(x, labels, golden.features, golden.classes)
    const all = problem.rowSet(() => true)
    for (const { strength, objective } of golden.cases) {
      const fit = await minimise(
        (point) => problem.evaluate(point, all, strength),
        new Float64Array(problem.parameters),
      )
      expect(fit.value).toBeLessThan(objective * (1 + 1e-5))
    }
  })

  it('has the gradient that central differences give', async () => {
    const { x, labels } = goldenData()
    const problem = await problemOf(x, labels, golden.features, golden.classes)
    const some = problem.rowSet((row) => row % 3 !== 0)
    const random = createRandom(7)
    const point = Float64Array.from({ length: problem.parameters }, () => random.normal(0, 0.3))
    const { gradient } = await problem.evaluate(point, some, 0.02)
    for (const index of [0, 5, 11, 17, 24, 27]) {
      const moved = (by: number) => point.map((value, at) => (at === index ? value + by : value))
      const step = 0.01
      const up = await problem.evaluate(moved(step), some, 0.02)
      const down = await problem.evaluate(moved(-step), some, 0.02)
      expect(gradient[index]).toBeCloseTo((up.value - down.value) / (2 * step), 4)
    }
  })

  it('leaves rows of weight zero out of the fit and still says how they fare', async () => {
    const { x, labels } = clouds(90, 4, 3, 0.3)
    const problem = await problemOf(x, labels, 4, 3)
    const first = problem.rowSet((row) => row < 60)
    const rest = problem.rowSet((row) => row >= 60)
    const fit = await minimise(
      (point) => problem.evaluate(point, first, 0.01),
      new Float64Array(problem.parameters),
    )
    const part = await problemOf(x.slice(0, 60 * 4), labels.slice(0, 60), 4, 3)
    const alone = await minimise(
      (point) =>
        part.evaluate(
          point,
          part.rowSet(() => true),
          0.01,
        ),
      new Float64Array(part.parameters),
    )
    expect(fit.value).toBeCloseTo(alone.value, 5)
    expect(statistics(fit.reached, rest)!.accuracy).toBeGreaterThan(0.9)
    expect(
      statistics(
        fit.reached,
        problem.rowSet(() => false),
      ),
    ).toBeNull()
  })
})

describe('feature scaling', () => {
  it('centres, brings the mean square to 1, and converts parameters there and back', () => {
    const { x } = clouds(50, 5, 2, 3)
    const scaling = measureScaling(x, 5, () => true)!
    const scaled = x.slice()
    applyScaling(scaled, scaling)
    const squares = scaled.reduce((sum, value) => sum + value * value, 0) / scaled.length
    expect(squares).toBeCloseTo(1, 4)
    const random = createRandom(3)
    const point = Float64Array.from({ length: 2 * 6 }, () => random.normal())
    const raw = toRaw(point, scaling)
    fromRaw(raw, scaling).forEach((value, index) => expect(value).toBeCloseTo(point[index]!, 10))
    const logit = (p: Float64Array, row: Float32Array) =>
      row.reduce((sum, value, j) => sum + value * p[j]!, p[10]!)
    expect(logit(raw, x.subarray(0, 5))).toBeCloseTo(logit(point, scaled.subarray(0, 5)), 4)
  })

  it('copes with constant features and refuses NaN', () => {
    const constant = measureScaling(new Float32Array(12).fill(4), 3, () => true)!
    expect([...constant.factor]).toEqual([1, 1, 1])
    expect(measureScaling(Float32Array.of(1, Number.NaN), 1, () => true)).toBeNull()
  })
})

describe('a path of strengths', () => {
  it('gives weak ones up early and takes the one that whole fits would take', async () => {
    // Few pictures of many numbers: the weaker, the worse on pictures that were not learned from.
    const { x, labels } = clouds(240, 90, 4, 3.2)
    const problem = await problemOf(x, labels, 90, 4)
    const cut = { fit: problem.rowSet((row) => row % 3 !== 0), judge: problem.rowSet((row) => row % 3 === 0) }
    const counted = collecting()
    const path = await fitPath(sideBySide(problem), [cut], { control: counted.control })
    const whole: { strength: number; loss: number; steps: number }[] = []
    for (const { strength } of path.tried) {
      const { reached, steps } = await fitOne(problem, cut, strength, new Float64Array(problem.parameters), {
        precision: settled,
      })
      whole.push({ strength, loss: statistics(reached, cut.judge)!.loss, steps })
    }
    const best = whole.reduce((a, b) => (b.loss < a.loss - 1e-5 ? b : a))
    expect(path.tried[path.best]!.strength).toBe(best.strength)
    expect(path.best).toBeLessThan(path.tried.length - 1)
    // What was given up is worse than the best, as its minimum is.
    expect(path.tried.at(-1)!.valLogLoss).toBeGreaterThan(1.02 * path.tried[path.best]!.valLogLoss)
    expect(whole.at(-1)!.loss).toBeGreaterThan(path.tried.at(-1)!.valLogLoss)
    expect(path.stopped).toBeNull()
    expect(counted.metrics.length).toBe(path.steps)
  })

  it('carries curvature to another strength exactly', async () => {
    const { x, labels } = clouds(200, 12, 3, 1.5)
    const problem = await problemOf(x, labels, 12, 3)
    const rows = problem.rowSet(() => true)
    const random = createRandom(3, 'points')
    const here = Float64Array.from({ length: problem.parameters }, () => random.normal(0, 0.3))
    const there = here.map((value) => value + random.normal(0, 0.1))
    const pairAt = async (strength: number) => {
      const [before, after] = [
        await problem.evaluate(here, rows, strength),
        await problem.evaluate(there, rows, strength),
      ]
      return {
        s: there.map((value, i) => value - here[i]!),
        y: after.gradient.map((value, i) => value - before.gradient[i]!),
      }
    }
    const found = { pairs: [await pairAt(0.3)], strength: 0.3 }
    const [carried] = atStrength(found, 0.01, problem.weights)
    const { y } = await pairAt(0.01)
    carried!.y.forEach((change, i) => expect(change).toBeCloseTo(y[i]!, 6))
  })
})

describe('fitHead', () => {
  const headOf = async (
    data: ReturnType<typeof clouds>,
    features: number,
    classes: number,
    isVal: (row: number) => boolean,
    more = {},
  ) => {
    const problem = await problemOf(data.x, data.labels, features, classes)
    const validation = Array.from(data.labels, (_, row) => isVal(row))
    return fitHead({ problem, validation, labels: data.labels, groups: data.keys, seed: 1, ...more })
  }

  it('chooses the strength on the validation pictures and reports its steps', async () => {
    const { metrics, control } = collecting()
    const fit = await headOf(clouds(400, 20, 4, 2.5), 20, 4, (row) => row % 5 === 0, { control })
    const best = Math.min(...fit.tried.map(({ valLogLoss }) => valLogLoss))
    expect(fit.tried.find(({ strength }) => strength === fit.chosen)!.valLogLoss).toBeCloseTo(best, 4)
    expect(fit.stopped).toBeNull()
    expect(metrics.map(({ step }) => step)).toEqual(metrics.map((_, index) => index + 1))
    expect(metrics.length).toBe(fit.steps)
    expect(metrics.at(-1)!.valLoss).toBeNull()
  })

  it('takes the stronger one of equals', async () => {
    // Features that say nothing: every strength ends at the same class frequencies.
    const data = clouds(60, 3, 2, 1)
    data.x.fill(0)
    const fit = await headOf(data, 3, 2, (row) => row % 4 === 0)
    expect(fit.chosen).toBe(strengthGrid[0])
  })

  it('chooses by inner folds when there are no validation pictures', async () => {
    const fit = await headOf(clouds(120, 10, 3, 2), 10, 3, () => false)
    expect(fit.tried.length).toBeGreaterThan(2)
    expect(fit.tried[0]!.points).toHaveLength(5)
  })

  it('works with 120 classes, with a class of one picture and with a class only validation has', async () => {
    const many = await headOf(clouds(480, 16, 120, 0.4), 16, 120, (row) => row >= 360)
    expect(many.tried[0]!.valLogLoss).toBeLessThan(Math.log(120))
    const odd = clouds(41, 6, 4, 0.5)
    odd.labels.forEach((label, row) => (odd.labels[row] = label === 3 ? 0 : label))
    odd.labels[40] = 3
    expect((await headOf(odd, 6, 4, (row) => row % 6 === 0)).stopped).toBeNull()
    odd.labels[6] = 3
    odd.labels[40] = 0
    expect((await headOf(odd, 6, 4, (row) => row % 6 === 0)).stopped).toBeNull()
  })

  it('cannot choose by folds among the pictures of one shot', async () => {
    const data = clouds(40, 4, 2, 1)
    const fit = await headOf(data, 4, 2, () => false, { groups: data.keys.map(() => 'one shot') })
    expect(fit.tried).toEqual([])
  })

  it('fits two pictures without any choice', async () => {
    const fit = await headOf(clouds(2, 3, 2, 0.1), 3, 2, () => false)
    expect(fit.final.every(Number.isFinite)).toBe(true)
  })

  it('stops when asked and keeps the best by validation loss', async () => {
    const data = clouds(400, 20, 4, 2.5)
    const whole = await headOf(data, 20, 4, (row) => row % 5 === 0)
    const { control } = collecting(whole.steps - 8)
    const fit = await headOf(data, 20, 4, (row) => row % 5 === 0, { control })
    expect(fit.stopped).toBe('asked')
    const losses = fit.tried.map(({ valLogLoss }) => valLogLoss)
    expect(fit.tried.find(({ points }) => points[0] === fit.selection)!.valLogLoss).toBe(Math.min(...losses))
  })

  it('has a model after its first step, with validation pictures and without', async () => {
    const data = clouds(120, 10, 3, 2)
    for (const isVal of [() => false, (row: number) => row % 4 === 0]) {
      const early = await headOf(data, 10, 3, isVal, { control: collecting(1).control })
      expect(early.stopped).toBe('asked')
      expect(early.tried).toHaveLength(1)
      expect(early.final).toBe(early.selection)
      expect(early.tried[0]!.valAccuracy).toBeGreaterThan(0.5)
    }
  })

  it('refuses features that are not numbers', async () => {
    const data = clouds(40, 4, 2, 1)
    data.x[17] = Number.NaN
    await expect(headOf(data, 4, 2, (row) => row % 4 === 0)).rejects.toMatchObject({
      code: 'training-diverged',
    })
  })

  it.each([true, false])(
    'starts warm: the same answer in far fewer steps (small change: %s)',
    async (smallChange) => {
      const data = clouds(600, 30, 5, 3)
      const cold = await headOf(data, 30, 5, (row) => row % 5 === 0)
      data.labels[7] = (data.labels[7]! + 1) % 5
      const fresh = await headOf(data, 30, 5, (row) => row % 5 === 0)
      const warm = {
        smallChange,
        final: cold.final,
        byStrength: new Map(cold.tried.map(({ strength, points }) => [strength, points[0]!])),
      }
      const again = await headOf(data, 30, 5, (row) => row % 5 === 0, { warm })
      expect(again.steps).toBeLessThan(fresh.steps / 2)
      expect(again.chosen).toBe(fresh.chosen)
      const difference = Math.max(...again.final.map((value, index) => Math.abs(value - fresh.final[index]!)))
      expect(difference).toBeLessThan(0.05)
    },
  )
})

describe('outOfFold', () => {
  const foldsOf = async (data: ReturnType<typeof clouds>, k: number, more = {}) => {
    const problem = await problemOf(data.x, data.labels, 8, 3)
    const { x, labels, keys } = data
    return outOfFold({ problem, x, labels, keys, groups: keys, seed: 5, k, ...more })
  }
  const accuracy = (labels: Int32Array, probabilities: Float32Array) =>
    labels.reduce((right, label, row) => {
      const of = probabilities.subarray(row * 3, row * 3 + 3)
      return right + (of.indexOf(Math.max(...of)) === label ? 1 : 0)
    }, 0) / labels.length

  it.each([2, 3, 10])('predicts every picture once with %i folds', async (k) => {
    const data = clouds(150, 8, 3, 0.8)
    const result = (await foldsOf(data, k))!
    expect(new Set(result.fold).size).toBe(k)
    expect(accuracy(data.labels, result.probabilities)).toBeGreaterThan(0.85)
    for (let row = 0; row < 150; row++)
      expect(result.probabilities.subarray(row * 3, row * 3 + 3).reduce((a, b) => a + b)).toBeCloseTo(1, 4)
  })

  it('knows nothing about labels it may not see: random labels are guessed at chance', async () => {
    const data = clouds(300, 8, 3, 0.8)
    const random = createRandom(9)
    data.labels.forEach((_, row) => (data.labels[row] = random.below(3)))
    const result = (await foldsOf(data, 10))!
    expect(accuracy(data.labels, result.probabilities)).toBeLessThan(0.45)
  })

  it.each([true, false])(
    'starts warm from the same folds, each from parameters that never saw the held-out pictures',
    async (smallChange) => {
      const data = clouds(300, 8, 3, 2)
      const first = (await foldsOf(data, 5))!
      const warm = {
        k: 5,
        smallChange,
        foldOf: new Map(data.keys.map((key, row) => [key, first.fold[row]!])),
        inner: first.inner,
        outer: first.outer,
      }
      data.labels[11] = (data.labels[11]! + 1) % 3
      const again = (await foldsOf(data, 5, { warm }))!
      expect([...again.fold]).toEqual([...first.fold])
      const changed = again.probabilities.reduce(
        (most, value, at) => Math.max(most, Math.abs(value - first.probabilities[at]!)),
        0,
      )
      expect(changed).toBeLessThan(0.2)
    },
  )

  it.each([2, 5])('never judges a picture by a model that has seen its group, with %i folds', async (k) => {
    const data = clouds(60, 8, 3, 0.8)
    const random = createRandom(4)
    // Every picture has a twin with the same features, and its label is known to nobody else.
    data.labels.forEach((_, row) => (data.labels[row] = row < 30 ? random.below(3) : data.labels[row - 30]!))
    data.x.copyWithin(30 * 8, 0, 30 * 8)
    const groups = data.keys.map((key, row) => (row < 30 ? key : data.keys[row - 30]!))
    const apart = (await foldsOf(data, k))!
    const together = (await foldsOf(data, k, { groups }))!
    for (let row = 0; row < 30; row++) expect(together.fold[row]).toBe(together.fold[row + 30])
    const error = (found: typeof apart): number =>
      -data.labels.reduce((sum, label, row) => sum + Math.log(found.probabilities[row * 3 + label]!), 0)
    expect(error(together)).toBeGreaterThan(error(apart))
  })

  it('keeps the fold of a group that grows, and begins cold where folds have torn one apart', async () => {
    const data = clouds(60, 8, 3, 0.8)
    const first = (await foldsOf(data, 5))!
    const known = new Map(data.keys.slice(0, 59).map((key, row) => [key, first.fold[row]!]))
    const warm = { k: 5, smallChange: true, foldOf: known, inner: first.inner, outer: first.outer }
    const joins = data.keys.map((key, row) => (row === 59 ? data.keys[3]! : key))
    const grown = (await foldsOf(data, 5, { warm, groups: joins }))!
    expect(grown.fold[59]).toBe(first.fold[3])
    expect([...grown.fold.slice(0, 59)]).toEqual([...first.fold.slice(0, 59)])

    const other = [...first.fold.keys()].find((row) => row < 59 && first.fold[row] !== first.fold[3])!
    const torn = data.keys.map((key, row) => (row === other ? data.keys[3]! : key))
    const anew = (await foldsOf(data, 5, { warm, groups: torn }))!
    expect(anew.fold[other]).toBe(anew.fold[3])
    expect([...anew.fold]).toEqual([...(await foldsOf(data, 5, { groups: torn }))!.fold])
  })

  it('gives nothing when it is stopped', async () => {
    expect(await foldsOf(clouds(60, 8, 3, 1), 5, { shouldStop: () => true })).toBeNull()
  })
})
