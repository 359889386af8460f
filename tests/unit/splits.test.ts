import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assignFolds, resolveGivenSplit, sharedAcross, stratifiedSplit } from '#shared/domain/splits.ts'
import type { SplitName } from '#shared/domain/splits.ts'
import { createRandom, shuffle } from '#shared/domain/random.ts'

const fractions = { train: 70, val: 15, test: 15 }
const keysFor = (count: number): string[] => Array.from({ length: count }, (_, i) => `sha-${i}`)
const labelLists = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 300 })
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const fractionSets = fc
  .tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 100 }))
  .map(([train, val, test]) => ({ train, val, test }))

/** Pictures with the number of their group; small groups and a few large ones. */
const grouped = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.nat(60)), { maxLength: 200 })
const largestGroup = (keys: readonly string[]): number =>
  Math.max(0, ...[...new Set(keys)].map((key) => keys.filter((each) => each === key).length))

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

  it('keeps the shares to within a group', () => {
    fc.assert(
      fc.property(grouped, seeds, (rows, seed) => {
        // A group of one label: with several it counts with the most frequent, and nothing can be promised for the others.
        const keys = rows.map(([label, group]) => `${label}-${group}`)
        const labels = rows.map(([label]) => label)
        const sides = stratifiedSplit({ labels, keys, seed, fractions })
        for (const label of new Set(labels)) {
          const own = [...labels.keys()].filter((i) => labels[i] === label)
          const largest = largestGroup(own.map((i) => keys[i]!))
          for (const side of ['train', 'val', 'test'] as const) {
            const placed = own.filter((i) => sides[i] === side).length
            expect(Math.abs(placed - (own.length * fractions[side]) / 100)).toBeLessThanOrEqual(2 * largest)
            if (new Set(own.map((i) => keys[i])).size >= 3) expect(placed).toBeGreaterThan(0)
          }
        }
      }),
    )
  })

  it('lets the rest of a group follow what is given, but not to a side that gets nothing more', () => {
    const input = { labels: ['a', 'a', 'a'], keys: ['one', 'one', 'other'], seed: 1 }
    const fixed: (SplitName | null)[] = ['test', null, null]
    expect(stratifiedSplit({ ...input, fractions, fixed })[1]).toBe('test')
    const closed = { train: 85, val: 15, test: 0 }
    expect(stratifiedSplit({ ...input, fractions: closed, fixed })[1]).not.toBe('test')
  })

  it('leaves a group apart that was given apart', () => {
    const fixed: SplitName[] = ['train', 'test']
    const input = { labels: ['a', 'a'], keys: ['one', 'one'], seed: 1, fractions }
    expect(stratifiedSplit({ ...input, fixed })).toEqual(fixed)
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

  it('keeps a group in one fold and the folds even to within a group', () => {
    fc.assert(
      fc.property(grouped, seeds, fc.integer({ min: 2, max: 10 }), (rows, seed, k) => {
        const keys = rows.map(([label, group]) => `${label}-${group}`)
        const labels = rows.map(([label]) => label)
        const folds = assignFolds({ labels, keys, seed, k })
        const foldOf = new Map<string, number>()
        folds.forEach((fold, i) => {
          expect(foldOf.get(keys[i]!) ?? fold).toBe(fold)
          foldOf.set(keys[i]!, fold)
        })
        for (const label of new Set(labels)) {
          const own = [...labels.keys()].filter((i) => labels[i] === label)
          const sizes = new Array<number>(k).fill(0)
          for (const i of own) sizes[folds[i]!]!++
          const largest = largestGroup(own.map((i) => keys[i]!))
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(2 * largest)
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

describe('sharedAcross', () => {
  it('counts pictures that are judged with a twin among those that were learned from', () => {
    const keys = ['a', 'a', 'a', 'b', 'b', 'c', 'c', 'd']
    const sides: SplitName[] = ['train', 'test', 'test', 'train', 'val', 'test', 'test', 'train']
    expect(sharedAcross(keys, sides)).toEqual({ groups: 2, val: 1, test: 2 })
  })

  it('counts a test picture whose twin tuned the model, too', () => {
    expect(sharedAcross(['a', 'a'], ['val', 'test'])).toEqual({ groups: 1, val: 0, test: 1 })
  })

  it('finds nothing in a split of its own', () => {
    fc.assert(
      fc.property(grouped, seeds, (rows, seed) => {
        const keys = rows.map(([, group]) => `k${group}`)
        const sides = stratifiedSplit({ labels: rows.map(([label]) => label), keys, seed, fractions })
        expect(sharedAcross(keys, sides)).toEqual({ groups: 0, val: 0, test: 0 })
      }),
    )
  })
})
