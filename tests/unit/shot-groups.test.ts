import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom, shuffle } from '#shared/domain/random.ts'
import { MOST_CHAINED, shotGroups } from '#shared/domain/shot-groups.ts'

type Pair = readonly [number, number]

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `sha-${1000 - i}`)
const pictures = fc.integer({ min: 2, max: 60 }).chain((count) =>
  fc.record({
    count: fc.constant(count),
    pairs: fc.uniqueArray(
      fc
        .tuple(fc.nat(count - 1), fc.nat(count - 1))
        .filter(([a, b]) => a < b)
        .map((pair): Pair => pair),
      { maxLength: 90, selector: String },
    ),
  }),
)
const sizes = (groups: readonly string[]): number[] =>
  [...new Set(groups)].map((group) => groups.filter((each) => each === group).length).sort((a, b) => a - b)

describe('pictures of one shot', () => {
  it('are alone without twins, under their own key', () => {
    expect(shotGroups(['b', 'a'], [])).toEqual(['b', 'a'])
  })

  it('hang together through what lies between, and are called by the smallest key', () => {
    const pairs: Pair[] = [
      [0, 1],
      [1, 2],
    ]
    expect(shotGroups(['c', 'b', 'd', 'a'], pairs)).toEqual(['b', 'b', 'b', 'a'])
  })

  it('never become one chain that swallows a class', () => {
    const count = 200
    const chain = Array.from({ length: count - 1 }, (_, i): Pair => [i, i + 1])
    expect(Math.max(...sizes(shotGroups(keysOf(count), chain)))).toBeLessThanOrEqual(3)
  })

  it('stay together in any number where all are twins of one of them', () => {
    const star = Array.from({ length: 99 }, (_, i): Pair => [0, i + 1])
    expect(sizes(shotGroups(keysOf(100), star))).toEqual([100])
  })

  it('are the same groups in whatever order pictures and pairs come', () => {
    fc.assert(
      fc.property(pictures, fc.nat(), ({ count, pairs }, seed) => {
        const keys = keysOf(count)
        const random = createRandom(seed)
        const order = shuffle(random, [...keys.keys()])
        const placeOf = new Map(order.map((from, to) => [from, to]))
        const moved = shuffle(random, pairs).map(([a, b]): Pair => [placeOf.get(b)!, placeOf.get(a)!])
        const groups = shotGroups(keys, pairs)
        const again = shotGroups(
          order.map((i) => keys[i]!),
          moved,
        )
        expect(again).toEqual(order.map((i) => groups[i]))
      }),
    )
  })

  it('keep every pair together in small groups; members of a large one share a twin', () => {
    fc.assert(
      fc.property(pictures, ({ count, pairs }) => {
        const groups = shotGroups(keysOf(count), pairs)
        const twins = (a: number, b: number): boolean =>
          a === b || pairs.some(([x, y]) => (x === a && y === b) || (x === b && y === a))
        for (const [a, b] of pairs) if (groups[a] !== groups[b]) expect(count).toBeGreaterThan(MOST_CHAINED)
        for (const group of new Set(groups)) {
          const members = [...groups.keys()].filter((i) => groups[i] === group)
          if (members.length > MOST_CHAINED)
            expect(members.some((centre) => members.every((i) => twins(centre, i)))).toBe(true)
        }
      }),
    )
  })
})
