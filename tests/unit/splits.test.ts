import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignFolds, resolveGivenSplit, stratifiedSplit } from '#shared/domain/splits.ts'
import type { SplitName } from '#shared/domain/splits.ts'
import { createRandom, shuffle } from '#shared/domain/random.ts'

const fractions = { train: 70, val: 15, test: 15 }
const keysFor = (count: number): string[] => Array.from({ length: count }, (_, i) => `sha-${i}`)
const labelLists = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 300 })
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const fractionSets = fc
  .tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }))
  .map(([train, val, test]) => ({ train, val, test }))

const count = (sides: readonly SplitName[], side: SplitName): number =>
  sides.filter((each) => each === side).length

describe('stratifiedSplit', () => {
  it('cuts 100 pictures of one class 70/15/15', () => {
    const sides = stratifiedSplit({
      labels: new Array(100).fill('a'),
      keys: keysFor(100),
      seed: 1,
      fractions,
    })
    expect([count(sides, 'train'), count(sides, 'val'), count(sides, 'test')]).toEqual([70, 15, 15])
  })

  it('keeps tiny classes in training and gives three pictures one side each', () => {
    const labels = ['lone', 'pair', 'pair', 'three', 'three', 'three']
    const sides = stratifiedSplit({ labels, keys: keysFor(6), seed: 4, fractions })
    expect(sides.slice(0, 3)).toEqual(['train', 'train', 'train'])
    expect([...sides.slice(3)].sort()).toEqual(['test', 'train', 'val'])
  })

  it('puts per class and side at most one picture more or less than the exact share', () => {
    fc.assert(
      fc.property(labelLists, seeds, fractionSets, (labels, seed, shares) => {
        const sides = stratifiedSplit({ labels, keys: keysFor(labels.length), seed, fractions: shares })
        const sum = shares.train + shares.val + shares.test
        for (const label of new Set(labels)) {
          const own = sides.filter((_, i) => labels[i] === label)
          for (const side of ['train', 'val', 'test'] as const) {
            const exact = (own.length * shares[side]) / sum
            // A side that must not be empty may take one from each of the other two.
            expect(Math.abs(count(own, side) - exact)).toBeLessThanOrEqual(2)
            if (own.length >= 3 && shares[side] > 0) expect(count(own, side)).toBeGreaterThan(0)
            if (shares[side] === 0) expect(count(own, side)).toBe(0)
          }
        }
      }),
    )
  })

  it('does not depend on the order of the pictures, and repeats itself', () => {
    fc.assert(
      fc.property(labelLists, seeds, (labels, seed) => {
        const keys = keysFor(labels.length)
        const sides = stratifiedSplit({ labels, keys, seed, fractions })
        const order = shuffle(createRandom(seed), [...labels.keys()])
        const again = stratifiedSplit({
          labels: order.map((i) => labels[i]!),
          keys: order.map((i) => keys[i]!),
          seed,
          fractions,
        })
        expect(again).toEqual(order.map((i) => sides[i]))
      }),
    )
  })

  it('gives another split for another seed', () => {
    const input = { labels: new Array(60).fill(0), keys: keysFor(60), fractions }
    expect(stratifiedSplit({ ...input, seed: 1 })).not.toEqual(stratifiedSplit({ ...input, seed: 2 }))
  })

  it('moves at most two old pictures of a class when one is added', () => {
    fc.assert(
      fc.property(labelLists, seeds, fc.integer({ min: 0, max: 4 }), (labels, seed, added) => {
        const keys = keysFor(labels.length)
        const before = stratifiedSplit({ labels, keys, seed, fractions })
        const after = stratifiedSplit({
          labels: [...labels, added],
          keys: [...keys, 'new'],
          seed,
          fractions,
        }).slice(0, -1)
        const moved = before.filter((side, i) => side !== after[i]).length
        expect(moved).toBeLessThanOrEqual(2)
      }),
    )
  })

  it('keeps copies on one side', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 30 })), {
          maxLength: 120,
        }),
        seeds,
        (rows, seed) => {
          const keys = rows.map(([, key]) => `k${key}`)
          const sides = stratifiedSplit({ labels: rows.map(([label]) => label), keys, seed, fractions })
          const seen = new Map<string, SplitName>()
          sides.forEach((side, i) => {
            expect(seen.get(keys[i]!) ?? side).toBe(side)
            seen.set(keys[i]!, side)
          })
        },
      ),
    )
  })

  it('leaves what is fixed where it is', () => {
    const side = fc.constantFrom<SplitName | null>('train', 'val', 'test', null)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), side)), seeds, (rows, seed) => {
        const fixed = rows.map(([, given]) => given)
        const labels = rows.map(([label]) => label)
        const sides = stratifiedSplit({ labels, keys: keysFor(rows.length), seed, fractions, fixed })
        fixed.forEach((given, i) => given === null || expect(sides[i]).toBe(given))
      }),
    )
  })

  it('says what is wrong with its input', () => {
    const input = { labels: [1], keys: ['a'], seed: 0 }
    expect(() => stratifiedSplit({ ...input, fractions: { train: 0, val: 0, test: 0 } })).toThrow(/not all 0/)
    expect(() => stratifiedSplit({ ...input, fractions: { train: 1, val: -1, test: 0 } })).toThrow(/≥ 0/)
    expect(() => stratifiedSplit({ ...input, keys: [], fractions })).toThrow(/equally long/)
  })
})

describe('resolveGivenSplit', () => {
  it('keeps three given sides and sends the rest to training', () => {
    const given = ['train', 'val', 'test', null] as const
    expect(resolveGivenSplit(given, fractions)).toEqual({
      fixed: ['train', 'val', 'test', null],
      fractions: { train: 70, val: 0, test: 0 },
    })
  })

  it('cuts a missing val from the training folder and leaves the test alone', () => {
    expect(resolveGivenSplit(['train', 'test'], fractions)).toEqual({
      fixed: [null, 'test'],
      fractions: { train: 70, val: 15, test: 0 },
    })
  })

  it('changes nothing when nothing is given', () => {
    expect(resolveGivenSplit([null, null], fractions)).toEqual({ fixed: [null, null], fractions })
  })
})

describe('assignFolds', () => {
  it('spreads every class evenly and uses every fold', () => {
    fc.assert(
      fc.property(labelLists, seeds, fc.integer({ min: 2, max: 12 }), (labels, seed, k) => {
        const folds = assignFolds({ labels, keys: keysFor(labels.length), seed, k })
        expect(folds).toHaveLength(labels.length)
        for (const label of new Set(labels)) {
          const sizes = new Array<number>(k).fill(0)
          folds.forEach((fold, i) => labels[i] === label && sizes[fold]!++)
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  it('moves few pictures when one label changes', () => {
    const labels = Array.from({ length: 500 }, (_, i) => i % 5)
    const input = { keys: keysFor(500), seed: 9, k: 10 }
    const before = assignFolds({ ...input, labels })
    const after = assignFolds({ ...input, labels: labels.with(7, 0) })
    // In both classes each of the nine inner borders passes over at most one picture.
    expect(before.filter((fold, i) => fold !== after[i]).length).toBeLessThanOrEqual(19)
  })

  it('does not depend on the order of the pictures', () => {
    const labels = Array.from({ length: 50 }, (_, i) => i % 3)
    const keys = keysFor(50)
    const folds = assignFolds({ labels, keys, seed: 2, k: 5 })
    const reversed = assignFolds({ labels: labels.toReversed(), keys: keys.toReversed(), seed: 2, k: 5 })
    expect(reversed.toReversed()).toEqual(folds)
  })

  it('refuses fewer than two folds', () => {
    expect(() => assignFolds({ labels: [1], keys: ['a'], seed: 0, k: 1 })).toThrow(/k must be/)
  })
})
