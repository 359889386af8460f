import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  comparePairs,
  countPairs,
  mcNemarExact,
  pairedDifferenceInterval,
} from '#shared/domain/paired-comparison.ts'

/** `scipy.stats.binomtest(min(a, b), a + b, 0.5).pvalue`, and the same in Python's exact fractions. */
const golden: [onlyFirst: number, onlySecond: number, p: number][] = [
  [0, 0, 1],
  [0, 5, 0.0625],
  [0, 6, 0.03125],
  [1, 9, 0.021484375],
  [6, 27, 0.0003240634687244892],
  [12, 20, 0.21532714972272515],
  [40, 41, 1],
  [3, 3, 1],
  [200, 260, 0.005883922473103979],
  [900, 1100, 8.457089535503927e-6],
  [2500, 2600, 0.16565587842846058],
]

/** Agresti and Min (2005), written out in Python: a = first + ½, b = second + ½, n = pictures + 2. */
const intervals: [pictures: number, onlyFirst: number, onlySecond: number, low: number, high: number][] = [
  [300, 6, 27, 0.03251542307347578, 0.10655742460864341],
  [40, 0, 0, -0.046665809155715575, 0.046665809155715575],
  [30, 1, 9, 0.06625337644936993, 0.4337466235506301],
  [100, 20, 8, -0.218574643444225, -0.016719474202833817],
]

const count = fc.integer({ min: 0, max: 400 })

describe('two models on the same pictures', () => {
  it.each(golden)('%i against %i of one alone: p = %d', (first, second, p) => {
    expect(mcNemarExact(first, second) / p).toBeCloseTo(1, 9)
  })

  it.each(intervals)(
    'on %i pictures, %i against %i: from %d to %d',
    (pictures, onlyFirst, onlySecond, low, high) => {
      const got = pairedDifferenceInterval({ pictures, onlyFirst, onlySecond })
      expect(got[0]).toBeCloseTo(low, 12)
      expect(got[1]).toBeCloseTo(high, 12)
    },
  )

  it('which is first does not matter to the test, and turns the gain around', () => {
    fc.assert(
      fc.property(count, count, count, (bothRight, onlyFirst, onlySecond) => {
        const counts = { pictures: bothRight + onlyFirst + onlySecond + 1, bothRight, onlyFirst, onlySecond }
        const there = comparePairs(counts)
        const back = comparePairs({ ...counts, onlyFirst: onlySecond, onlySecond: onlyFirst })
        expect(back.pValue).toBe(there.pValue)
        expect(back.gain).toBeCloseTo(-there.gain, 12)
        expect(back.gainCi95[0]).toBeCloseTo(-there.gainCi95[1], 12)
        expect(there.pValue).toBeGreaterThan(0)
        expect(there.pValue).toBeLessThanOrEqual(1)
        expect(there.secondAccuracy - there.firstAccuracy).toBeCloseTo(there.gain, 12)
        expect(there.gainCi95[0]).toBeLessThanOrEqual(there.gain)
        expect(there.gainCi95[1]).toBeGreaterThanOrEqual(there.gain)
      }),
    )
  })

  it('says better or worse only where chance hardly makes such a difference', () => {
    const of = (onlyFirst: number, onlySecond: number) =>
      comparePairs({ pictures: 100, bothRight: 50, onlyFirst, onlySecond }).verdict
    expect([of(0, 6), of(6, 0), of(0, 5), of(12, 20), of(0, 0)]).toEqual([
      ...['better', 'worse', 'unclear', 'unclear', 'unclear'],
    ])
  })

  it('counts picture by picture', () => {
    expect(countPairs([0, 1, 2, 0, 1], [0, 1, 0, 2, 0], [0, 0, 2, 2, 1])).toEqual({
      ...{ pictures: 5, bothRight: 1, onlyFirst: 1, onlySecond: 2 },
    })
    expect(() => countPairs([0], [0, 1], [0])).toThrow(RangeError)
    expect(() => mcNemarExact(-1, 2)).toThrow(RangeError)
    expect(() => comparePairs({ pictures: 0, bothRight: 0, onlyFirst: 0, onlySecond: 0 })).toThrow(RangeError)
  })
})
