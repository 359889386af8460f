import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { probeSample, whyNotTelling } from '#shared/domain/probe-sample.ts'
import type { ProbePicture } from '#shared/domain/probe-sample.ts'

const pictures = fc
  .array(
    fc.record({
      class: fc.integer({ min: 0, max: 5 }),
      split: fc.constantFrom('train' as const, 'val' as const, 'test' as const),
    }),
    { minLength: 1, maxLength: 400 },
  )
  .map((list) => list.map((each, i): ProbePicture => ({ ...each, sha256: `picture ${i}` })))
const seed = fc.integer({ min: 0, max: 1000 })
const perClass = (list: readonly ProbePicture[]): Map<number, number> => {
  const counts = new Map<number, number>()
  for (const each of list) counts.set(each.class, (counts.get(each.class) ?? 0) + 1)
  return counts
}

describe('the sample for a comparison', () => {
  it('holds no test picture, and of each label its share', () => {
    fc.assert(
      fc.property(pictures, seed, fc.integer({ min: 20, max: 100 }), (all, seed, atMost) => {
        const sample = probeSample(all, { seed, atMost })
        const learned = all.filter(({ split }) => split !== 'test')
        expect(sample.every(({ split }) => split !== 'test')).toBe(true)
        if (learned.length <= atMost) {
          expect(sample).toEqual(learned)
          return
        }
        const chosen = perClass(sample)
        for (const [label, count] of perClass(learned)) {
          const share = (count * atMost) / learned.length
          expect(Math.abs((chosen.get(label) ?? 0) - share)).toBeLessThanOrEqual(1)
          if (count >= 3) expect(chosen.get(label)).toBeGreaterThan(0)
        }
        expect(sample.length).toBeLessThanOrEqual(atMost + chosen.size)
      }),
    )
  })

  it('is the same for the same seed, whatever the order; another for another seed', () => {
    fc.assert(
      fc.property(pictures, seed, (all, seed) => {
        const keys = (list: readonly ProbePicture[]) =>
          probeSample(list, { seed, atMost: 30 })
            .map(({ sha256 }) => sha256)
            .toSorted()
        expect(keys(all.toReversed())).toEqual(keys(all))
      }),
    )
    const many = Array.from({ length: 500 }, (_, i): ProbePicture => ({
      ...{ class: i % 2, sha256: `picture ${i}`, split: 'train' },
    }))
    const of = (seed: number) => probeSample(many, { seed }).map(({ sha256 }) => sha256)
    expect(of(1)).toHaveLength(300)
    expect(of(1)).not.toEqual(of(2))
  })

  it('tells nothing with one label, or with too few pictures', () => {
    const of = (...counts: number[]) =>
      whyNotTelling(
        counts.flatMap((count, label) =>
          Array.from({ length: count }, (_, i): ProbePicture => ({
            ...{ class: label, sha256: `${label} ${i}`, split: 'train' },
          })),
        ),
      )
    expect(of()).toBe('few-labels')
    expect(of(100)).toBe('few-labels')
    expect(of(100, 4)).toBe('few-pictures')
    expect(of(14, 15)).toBe('few-pictures')
    expect(of(15, 15)).toBeNull()
    expect(of(25, 5, 1)).toBeNull()
  })
})
