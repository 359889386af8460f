import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { growSplit } from '#shared/domain/split-growth.ts'
import { sharedAcross } from '#shared/domain/splits.ts'
import type { SplitName } from '#shared/domain/splits.ts'

const fractions = { train: 0.7, val: 0.15, test: 0.15 }
const none = (count: number): null[] => new Array<null>(count).fill(null)
const keysOf = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `picture-${from + i}`)
const count = (sides: readonly SplitName[], side: SplitName): number =>
  sides.filter((each) => each === side).length

describe('a split that grows', () => {
  it('keeps every side and the fractions while pictures come one by one', () => {
    const keys = keysOf(100)
    let sides = growSplit({
      ...{ labels: keys.map(() => 'a'), keys, seed: 7, fractions, given: none(100), previous: none(100) },
    })
    expect([count(sides, 'train'), count(sides, 'val'), count(sides, 'test')]).toEqual([70, 15, 15])
    for (let size = 101; size <= 400; size++) {
      const grown = keysOf(size)
      const next = growSplit({
        ...{ labels: grown.map(() => 'a'), keys: grown, seed: 7, fractions, given: none(size) },
        previous: [...sides, null],
      })
      expect(next.slice(0, -1)).toEqual(sides)
      sides = next
    }
    expect(count(sides, 'test')).toBeGreaterThan(40)
    expect(count(sides, 'test')).toBeLessThan(80)
    expect(count(sides, 'val')).toBeGreaterThan(40)
  })

  it('gives a class that has just reached three pictures one on every side', () => {
    const keys = keysOf(3)
    const sides = growSplit({
      ...{ labels: ['a', 'a', 'a'], keys, seed: 1, fractions, given: none(3) },
      previous: ['train', 'train', null],
    })
    expect([...sides].sort()).toEqual(['test', 'train', 'val'])
  })

  it('finds a training picture for a class that was relabelled out of the test', () => {
    const sides = growSplit({
      ...{ labels: ['a', 'a', 'a', 'a'], keys: keysOf(4), seed: 1, fractions, given: none(4) },
      previous: ['test', 'test', 'test', 'val'],
    })
    expect(count(sides, 'train')).toBe(1)
    expect(count(sides, 'test')).toBe(2)
  })

  it('holds to given folders whatever was before', () => {
    const given: (SplitName | null)[] = ['train', 'train', 'val', 'test', 'test', null]
    const sides = growSplit({
      ...{ labels: given.map(() => 'a'), keys: keysOf(6), seed: 1, fractions, given },
      previous: ['test', 'val', 'train', 'train', 'train', 'test'],
    })
    expect(sides.slice(0, 5)).toEqual(given.slice(0, 5))
    expect(sides[5]).toBe('train')
  })

  it('never moves a picture whose class is present on all sides', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 9, maxLength: 80 }),
        fc.nat(1000),
        fc.nat(20),
        (labels, seed, more) => {
          const start = labels.length
          const first = growSplit({
            ...{ labels, keys: keysOf(start), seed, fractions, given: none(start), previous: none(start) },
          })
          const all = [...labels, ...labels.slice(0, more)]
          const grown = growSplit({
            ...{ labels: all, keys: keysOf(all.length), seed, fractions, given: none(all.length) },
            previous: [...first, ...none(all.length - start)],
          })
          const whole = (label: string): boolean => labels.filter((each) => each === label).length >= 3
          labels.forEach((label, i) => {
            if (whole(label)) expect(grown[i]).toBe(first[i])
          })
        },
      ),
    )
  })

  it('puts a new picture on the side of its group', () => {
    for (const side of ['train', 'val', 'test'] as const) {
      const previous: (SplitName | null)[] = [...(['train', 'val', 'test'] as const), side, null]
      const keys = ['a', 'b', 'c', 'shot', 'shot']
      const sides = growSplit({
        ...{ labels: keys.map(() => 'a'), keys, seed: 3, fractions, given: none(5), previous },
      })
      expect(sides).toEqual([...previous.slice(0, 4), side])
    }
  })

  it('moves no old picture when a new one shows that two of them are of one shot, and trains on no twin of the test', () => {
    const keys = ['shot', 'shot', 'shot', 'b', 'c', 'd']
    const previous: (SplitName | null)[] = ['train', 'test', null, 'train', 'val', 'test']
    const sides = growSplit({
      ...{ labels: keys.map(() => 'a'), keys, seed: 3, fractions, given: none(6), previous },
    })
    expect(sides).toEqual(['train', 'test', 'test', 'train', 'val', 'test'])
  })

  it('moves a whole group where a class is missing on a side', () => {
    const keys = ['one', 'one', 'two', 'two', 'three', 'three']
    const sides = growSplit({
      ...{ labels: keys.map(() => 'a'), keys, seed: 1, fractions, given: none(6) },
      previous: ['train', 'train', 'train', 'train', 'train', 'train'],
    })
    expect(new Set(sides)).toEqual(new Set(['train', 'val', 'test']))
    for (const first of [0, 2, 4]) expect(sides[first]).toBe(sides[first + 1])
  })

  it('keeps groups whole while they grow', () => {
    const rows = fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.nat(30)), { minLength: 9, maxLength: 80 })
    fc.assert(
      fc.property(rows, rows, fc.nat(1000), (first, more, seed) => {
        const all = [...first, ...more]
        const keysIn = (some: typeof all): string[] => some.map(([, group]) => `k${group}`)
        const labelsIn = (some: typeof all): string[] => some.map(([label]) => label)
        const before = growSplit({
          ...{ labels: labelsIn(first), keys: keysIn(first), seed, fractions },
          ...{ given: none(first.length), previous: none(first.length) },
        })
        const grown = growSplit({
          ...{ labels: labelsIn(all), keys: keysIn(all), seed, fractions, given: none(all.length) },
          previous: [...before, ...none(more.length)],
        })
        expect(sharedAcross(keysIn(all), grown).groups).toBe(0)
      }),
    )
  })
})
