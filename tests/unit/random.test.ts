import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { choice, createRandom, hash32, sample, shuffle } from '#shared/domain/random.ts'

const take = (count: number, draw: () => number): number[] => Array.from({ length: count }, draw)

describe('sfc32', () => {
  it('gives the numbers of the published algorithm', () => {
    // From a separate implementation with Python's unbounded integers.
    expect(take(4, createRandom(0).uint32)).toEqual([1363572419, 145230303, 808754475, 4216505632])
    expect(take(4, createRandom(1).uint32)).toEqual([2012149540, 1872316204, 1707632675, 1779833415])
    expect(take(4, createRandom(2 ** 40 + 7).uint32)).toEqual([1614752920, 2544231158, 2841167337, 645591171])
  })

  it('is the same for the same seed and stream, and another for another stream', () => {
    expect(take(5, createRandom(7, 'weights').float)).toEqual(take(5, createRandom(7, 'weights').float))
    expect(take(5, createRandom(7, 'weights').float)).not.toEqual(take(5, createRandom(7, 'shuffle').float))
  })

  it('draws below a limit, each number about as often', () => {
    const random = createRandom(3)
    const counts = new Array<number>(7).fill(0)
    for (let i = 0; i < 70_000; i++) counts[random.below(7)]!++
    // Chi-square with 6 degrees of freedom: 22.5 is exceeded once in a thousand.
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)
    expect(chiSquare).toBeLessThan(22.5)
    expect(() => random.below(0)).toThrow(RangeError)
    expect(() => random.below(1.5)).toThrow(RangeError)
  })

  it('draws normal numbers with mean, deviation and tails as they should be', () => {
    const random = createRandom(11)
    const drawn = take(40_000, () => random.normal())
    const mean = drawn.reduce((a, b) => a + b) / drawn.length
    const variance = drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length
    expect(Math.abs(mean)).toBeLessThan(0.02)
    expect(Math.abs(variance - 1)).toBeLessThan(0.03)
    const outside = drawn.filter((x) => Math.abs(x) > 1.959964).length / drawn.length
    expect(Math.abs(outside - 0.05)).toBeLessThan(0.005)
    const shifted = createRandom(5)
    expect(shifted.normal(10, 0)).toBe(10)
  })

  it('stays in [0, 1)', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (seed) => {
        const random = createRandom(seed)
        return take(20, random.float).every((x) => x >= 0 && x < 1)
      }),
    )
  })
})

describe('shuffle, choice and sample', () => {
  it('keep the items', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.integer()), (seed, items) => {
        const numeric = (a: number, b: number): number => a - b
        expect(shuffle(createRandom(seed), items).sort(numeric)).toEqual([...items].sort(numeric))
      }),
    )
  })

  it('give every order of three items about as often', () => {
    const random = createRandom(1)
    const counts = new Map<string, number>()
    for (let i = 0; i < 12_000; i++) {
      const order = shuffle(random, ['a', 'b', 'c']).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    for (const count of counts.values()) expect(Math.abs(count - 2000)).toBeLessThan(200)
  })

  it('choose and sample from what is there', () => {
    const random = createRandom(1)
    expect(choice(random, ['only'])).toBe('only')
    expect(() => choice(random, [])).toThrow(RangeError)
    expect(new Set(sample(random, [1, 2, 3, 4], 3)).size).toBe(3)
    expect(sample(random, [1, 2], 9)).toHaveLength(2)
  })
})

describe('hash32', () => {
  it('equals the reference implementation of MurmurHash3', () => {
    // mmh3 5 (Python), mmh3.hash(text, seed, signed=False)
    expect(hash32('', 0)).toBe(0)
    expect(hash32('a', 0)).toBe(1009084850)
    expect(hash32('kestrel', 1)).toBe(1871717440)
    expect(hash32('abcd', 5)).toBe(2843149640)
    expect(hash32('Käfer 🐞 in the meadow', 42)).toBe(2965346225)
  })
})
