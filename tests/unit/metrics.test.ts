import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { metricsSchema } from '#shared/contract/training.ts'
import {
  accuracy,
  computeMetrics,
  confusionMatrix,
  macroF1,
  meanAndDeviation,
  topKAccuracy,
  wilsonInterval,
} from '#shared/domain/metrics.ts'

const numbers = z.array(z.number())
const golden = z
  .object({
    cases: z.array(
      z.object({
        name: z.string(),
        classes: z.int(),
        labels: numbers,
        probabilities: numbers,
        accuracy: z.number(),
        macroF1: z.number(),
        logLoss: z.number(),
        topK: z.record(z.string(), z.number()),
        precision: numbers,
        recall: numbers,
        f1: numbers,
        support: numbers,
        confusion: z.array(numbers),
      }),
    ),
    wilson: z.array(z.object({ right: z.int(), of: z.int(), interval: numbers })),
  })
  .parse(JSON.parse(readFileSync(new URL('../fixtures/metrics/golden.json', import.meta.url), 'utf8')))

const near = (got: readonly number[], want: readonly number[]): void => {
  expect(got).toHaveLength(want.length)
  got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 12))
}

describe.each(golden.cases)('against scikit-learn: $name', (known) => {
  const classes = Array.from({ length: known.classes }, (_, c) => `class ${c}`)
  const got = computeMetrics({
    classes,
    labels: known.labels,
    probabilities: Float32Array.from(known.probabilities),
  })

  it('accuracy, macro F1 and log loss', () => {
    expect(got.accuracy).toBeCloseTo(known.accuracy, 12)
    expect(got.macro_f1).toBeCloseTo(known.macroF1, 12)
    // scikit-learn sums in 32 bits here.
    expect(Math.abs(got.log_loss - known.logLoss)).toBeLessThan(2e-6 * Math.max(1, known.logLoss))
  })

  it('each class and the confusion matrix', () => {
    expect(got.confusion).toEqual(known.confusion)
    near(
      got.per_class.map(({ precision }) => precision),
      known.precision,
    )
    near(
      got.per_class.map(({ recall }) => recall),
      known.recall,
    )
    near(
      got.per_class.map(({ f1 }) => f1),
      known.f1,
    )
    expect(got.per_class.map(({ support }) => support)).toEqual(known.support)
  })

  it('top-k accuracy', () => {
    for (const [k, value] of Object.entries(known.topK))
      expect(topKAccuracy(known.labels, known.probabilities, known.classes, Number(k))).toBeCloseTo(value, 12)
  })

  it('fits the contract', () => expect(() => metricsSchema.parse(got)).not.toThrow())
})

it.each(golden.wilson)('Wilson interval of $right of $of as in SciPy', ({ right, of, interval }) => {
  near(wilsonInterval(right, of), interval)
})

const rows = fc.integer({ min: 2, max: 7 }).chain((classes) =>
  fc.record({
    classes: fc.constant(classes),
    pairs: fc.array(
      fc.tuple(fc.integer({ min: 0, max: classes - 1 }), fc.integer({ min: 0, max: classes - 1 })),
      { minLength: 1, maxLength: 200 },
    ),
  }),
)

describe('properties', () => {
  it('row sums are supports, all sums to the number of pictures, everything lies in [0, 1]', () => {
    fc.assert(
      fc.property(rows, ({ classes, pairs }) => {
        const matrix = confusionMatrix(
          pairs.map(([truth]) => truth),
          pairs.map(([, predicted]) => predicted),
          classes,
        )
        expect(matrix.flat().reduce((a, b) => a + b)).toBe(pairs.length)
        for (const figure of [accuracy(matrix), macroF1(matrix)]) {
          expect(figure).toBeGreaterThanOrEqual(0)
          expect(figure).toBeLessThanOrEqual(1)
        }
        const right = pairs.filter(([truth, predicted]) => truth === predicted).length
        expect(accuracy(matrix)).toBe(right / pairs.length)
      }),
    )
  })

  it('renaming the classes changes no figure', () => {
    fc.assert(
      fc.property(rows, ({ classes, pairs }) => {
        const turned = (c: number): number => (c + 1) % classes
        const plain = confusionMatrix(
          pairs.map(([t]) => t),
          pairs.map(([, p]) => p),
          classes,
        )
        const renamed = confusionMatrix(
          pairs.map(([t]) => turned(t)),
          pairs.map(([, p]) => turned(p)),
          classes,
        )
        expect(macroF1(renamed)).toBeCloseTo(macroF1(plain), 12)
        expect(accuracy(renamed)).toBe(accuracy(plain))
      }),
    )
  })

  it('the interval holds the share and shrinks with more pictures', () => {
    fc.assert(
      fc.property(fc.nat({ max: 500 }), fc.integer({ min: 1, max: 500 }), (some, of) => {
        const right = Math.min(some, of)
        const [low, high] = wilsonInterval(right, of)
        expect(low).toBeLessThanOrEqual(right / of)
        expect(high).toBeGreaterThanOrEqual(right / of)
        const [lowTen, highTen] = wilsonInterval(right * 10, of * 10)
        expect(highTen - lowTen).toBeLessThan(high - low)
      }),
    )
  })
})

describe('edges', () => {
  it('without a picture every figure is a number', () => {
    const got = computeMetrics({ classes: ['a', 'b'], labels: [], probabilities: [] })
    expect(metricsSchema.parse(got)).toMatchObject({ accuracy: 0, accuracy_ci95: [0, 1], log_loss: 0 })
  })

  it('says what does not fit', () => {
    expect(() => confusionMatrix([2], [0], 2)).toThrow(/outside 0 … 1/)
    expect(() => confusionMatrix([0, 1], [0], 2)).toThrow(/2 labels for 1/)
    expect(() => computeMetrics({ classes: ['a', 'b'], labels: [0], probabilities: [1, 0, 1] })).toThrow(
      /rows of 2/,
    )
  })

  it('mean and sample deviation', () => {
    expect(meanAndDeviation([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ mean: 5, sd: Math.sqrt(32 / 7) })
    expect(meanAndDeviation([3])).toEqual({ mean: 3, sd: 0 })
  })
})
