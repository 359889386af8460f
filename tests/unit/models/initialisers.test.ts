import { describe, expect, test } from 'vitest'
import { initialiserNames, type Initialiser } from '#shared/domain/network/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { convFans, denseFans, distributionOf, drawWeights } from '#trainer/models/layers/initialisers.ts'

const fans = { in: 300, out: 100 }
const count = 40_000

/** Variance that the paper asks for, and whether the distribution has a bound. */
const wanted: Record<(typeof initialiserNames)[number], { variance: number; bounded: boolean }> = {
  zeros: { variance: 0, bounded: false },
  small: { variance: 1e-4, bounded: false },
  'too-large': { variance: 1, bounded: false },
  'glorot-uniform': { variance: 2 / 400, bounded: true },
  'glorot-normal': { variance: 2 / 400, bounded: false },
  'he-uniform': { variance: 2 / 300, bounded: true },
  'he-normal': { variance: 2 / 300, bounded: false },
  'lecun-uniform': { variance: 1 / 300, bounded: true },
  'lecun-normal': { variance: 1 / 300, bounded: false },
}

const moments = (values: Float32Array) => {
  const average = (of: (value: number) => number): number =>
    values.reduce((sum, value) => sum + of(value), 0) / values.length
  const mean = average((value) => value)
  const variance = average((value) => (value - mean) ** 2)
  return { mean, variance, kurtosis: average((value) => (value - mean) ** 4) / variance ** 2 }
}

describe('first weights', () => {
  test.each(initialiserNames)('%s have the mean, variance and shape that their source gives', (name) => {
    const values = drawWeights(name, count, fans, createRandom(5, name))
    const { variance, bounded } = wanted[name]
    const found = moments(values)
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    if (variance === 0) {
      expect(largest).toBe(0)
      return
    }
    // Four standard errors, of a mean and of a variance of so many numbers.
    const error = 4 / Math.sqrt(count)
    expect(Math.abs(found.mean)).toBeLessThan(error * Math.sqrt(variance))
    expect(Math.abs(found.variance / variance - 1)).toBeLessThan(error * Math.sqrt(2))
    // A uniform distribution has a kurtosis of 9/5 and ends at √3 deviations, a normal one 3 and goes beyond.
    expect(found.kurtosis).toBeCloseTo(bounded ? 1.8 : 3, 0)
    if (bounded) {
      expect(largest).toBeLessThanOrEqual(Math.fround(Math.sqrt(3 * variance)))
      expect(largest).toBeGreaterThan(0.999 * Math.sqrt(3 * variance))
    } else expect(largest).toBeGreaterThan(3.2 * Math.sqrt(variance))
  })

  test('a deviation that a person names is used', () => {
    const initialiser: Initialiser = { normal: 0.3 }
    expect(distributionOf(initialiser, fans)).toEqual({ kind: 'normal', deviation: 0.3 })
    expect(moments(drawWeights(initialiser, count, fans, createRandom(1))).variance).toBeCloseTo(0.09, 2)
  })

  test('fans count what a neuron sees and what sees a number', () => {
    expect(denseFans(400, 120)).toEqual({ in: 400, out: 120 })
    expect(convFans([16, 6, 5, 5], 1)).toEqual({ in: 150, out: 400 })
    // Depthwise: one channel in, one filter that sees it.
    expect(convFans([32, 1, 3, 3], 32)).toEqual({ in: 9, out: 9 })
    expect(convFans([64, 8, 3, 3], 4)).toEqual({ in: 72, out: 144 })
  })
})
