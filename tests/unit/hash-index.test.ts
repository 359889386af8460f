import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bitCount, HashIndex, MOST_BITS } from '#shared/domain/hash-index.ts'

const bitsBetween = (a: string, b: string): number =>
  bitCount(Number.parseInt(a.slice(0, 8), 16) ^ Number.parseInt(b.slice(0, 8), 16)) +
  bitCount(Number.parseInt(a.slice(8), 16) ^ Number.parseInt(b.slice(8), 16))

const text = (value: bigint): string => value.toString(16).padStart(16, '0')
/** A hash and others a few bits away, so that there is something to find. */
const families = fc
  .array(
    fc.tuple(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.array(fc.uniqueArray(fc.nat(63), { maxLength: 12 }), { maxLength: 6 }),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((found) =>
    found.flatMap(([hash, changes]) => [
      text(hash),
      ...changes.map((bits) => text(bits.reduce((value, bit) => value ^ (1n << BigInt(bit)), hash))),
    ]),
  )

describe('an index of hashes', () => {
  it('finds exactly what a look at all of them finds', () => {
    fc.assert(
      fc.property(families, fc.integer({ min: 0, max: MOST_BITS }), (hashes, distance) => {
        const index = new HashIndex(hashes)
        hashes.forEach((hash, place) => {
          const found: number[] = []
          index.near(place, distance, (other) => found.push(other))
          const expected = [...hashes.keys()].filter(
            (other) => other !== place && bitsBetween(hash, hashes[other]!) <= distance,
          )
          expect(found.sort((a, b) => a - b)).toEqual(expected)
        })
      }),
      { numRuns: 25 },
    )
  })

  it('refuses a distance that it cannot promise', () => {
    const index = new HashIndex(['0000000000000000'])
    expect(() => index.near(0, MOST_BITS + 1, () => undefined)).toThrow(RangeError)
  })
})
