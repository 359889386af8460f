import fc from 'fast-check'
import { expect, test } from 'vitest'
import { packParts, unpackParts } from '#shared/util/pack.ts'

test('parts come back in order, and those that are not there as null', () => {
  const part = fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 }))
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (parts) => {
      const back = unpackParts(packParts(parts).buffer)
      expect(back.map((each) => each && [...each])).toEqual(parts.map((each) => each && [...each]))
    }),
    { numRuns: 200 },
  )
})

test('what was cut short is refused, not read beyond its end', () => {
  const whole = packParts([new Uint8Array([1, 2, 3]), new Uint8Array([4])])
  for (const length of [1, 3, 5, whole.length - 1])
    expect(() => unpackParts(whole.slice(0, length).buffer)).toThrow(RangeError)
})
