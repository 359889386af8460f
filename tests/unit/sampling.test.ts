import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  balancedOrder,
  givenOrder,
  shuffledOrder,
  weightedOrder,
  type EpochOrder,
} from '#shared/domain/sampling.ts'

const rows = Array.from({ length: 40 }, (_, i) => 100 + i)
const counts = (order: Int32Array): Map<number, number> => {
  const found = new Map<number, number>()
  for (const row of order) found.set(row, (found.get(row) ?? 0) + 1)
  return found
}
/** 3 rows of class 0, 10 of class 1, 27 of class 2. */
const labels = rows.map((_, i) => (i < 3 ? 0 : i < 13 ? 1 : 2))
const orders: [string, (seed: number) => EpochOrder][] = [
  ['shuffled', (seed) => shuffledOrder(rows, seed)],
  ['balanced', (seed) => balancedOrder(rows, labels, seed)],
  [
    'weighted',
    (seed) =>
      weightedOrder(
        rows,
        labels.map((label) => 1 + label),
        seed,
      ),
  ],
]

describe.each(orders)('%s order', (_name, make) => {
  it('depends on seed and epoch and on nothing else', () => {
    const order = make(3)
    const later = order(7)
    order(0)
    expect(order(7)).toEqual(later)
    expect(make(3)(7)).toEqual(later)
    expect(order(8)).not.toEqual(later)
    expect(make(4)(7)).not.toEqual(later)
  })

  it('has as many places as there are rows, all filled with them', () => {
    for (let epoch = 0; epoch < 20; epoch++) {
      const order = make(1)(epoch)
      expect(order.length).toBe(40)
      expect(order.every((row) => row >= 100 && row < 140)).toBe(true)
    }
  })
})

describe('given order', () => {
  it('is as given, in every epoch', () => {
    expect([...givenOrder([5, 3, 9])(4)]).toEqual([5, 3, 9])
  })
})

describe('shuffled order', () => {
  it('shows every row once', () => {
    expect([...shuffledOrder(rows, 1)(0)].sort()).toEqual(rows)
  })
})

describe('balanced order', () => {
  it('shows every class equally often, whatever their sizes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 60 }),
        fc.nat(50),
        (labels, epoch) => {
          const order = balancedOrder([...labels.keys()], labels, 2)(epoch)
          expect(order.length).toBe(labels.length)
          const perClass = [...new Set(labels)].map(
            (label) => order.filter((row) => labels[row] === label).length,
          )
          expect(Math.max(...perClass) - Math.min(...perClass)).toBeLessThanOrEqual(1)
        },
      ),
      { numRuns: 100, seed: 3 },
    )
  })

  it('shows no picture of a class again before all of the class were shown', () => {
    for (let epoch = 0; epoch < 10; epoch++) {
      const found = counts(balancedOrder(rows, labels, 1)(epoch))
      for (const label of [0, 1, 2]) {
        const times = rows.filter((_, i) => labels[i] === label).map((row) => found.get(row) ?? 0)
        expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1)
      }
    }
  })

  it('shows other pictures of a large class in each epoch', () => {
    const order = balancedOrder(rows, labels, 1)
    const seen = new Set(Array.from({ length: 8 }, (_, epoch) => [...order(epoch)]).flat())
    expect(seen.size).toBe(40)
  })
})

describe('weighted order', () => {
  it('shows each row as often as its weight says, rounded up or down', () => {
    fc.assert(
      fc.property(
        fc
          .array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 50 })
          .filter((w) => w.some((x) => x > 0)),
        fc.nat(50),
        (weights, epoch) => {
          const order = weightedOrder([...weights.keys()], weights, 2)(epoch)
          const sum = weights.reduce((a, b) => a + b)
          const found = counts(order)
          expect(order.length).toBe(weights.length)
          weights.forEach((weight, row) => {
            const wanted = (weight / sum) * weights.length
            expect(Math.abs((found.get(row) ?? 0) - wanted)).toBeLessThan(1 + 1e-9)
          })
        },
      ),
      { numRuns: 100, seed: 3 },
    )
  })

  it('is right on average over epochs', () => {
    const weights = [1, 2, 3, 0.5, 0]
    const order = weightedOrder([0, 1, 2, 3, 4], weights, 9)
    const found = counts(
      Int32Array.from(Array.from({ length: 2000 }, (_, epoch) => [...order(epoch)]).flat()),
    )
    weights.forEach((weight, row) => expect((found.get(row) ?? 0) / 2000).toBeCloseTo((weight / 6.5) * 5, 1))
    expect(found.has(4)).toBe(false)
  })

  it.each([[[1, -1]], [[1, Number.NaN]], [[0, 0]]])('refuses the weights %s', (weights) => {
    expect(() => weightedOrder([0, 1], weights, 1)).toThrow(RangeError)
  })
})
