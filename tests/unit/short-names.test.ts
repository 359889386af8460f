import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shortNames } from '../../renderer/features/evaluate/short-names.ts'

const within = (most: number) => (text: string) => [...text].length <= most

describe('names in little room', () => {
  it('are whole where they fit', () => {
    expect(shortNames(['leaf', 'shell'], within(10))).toEqual(['leaf', 'shell'])
  })

  it('lose their middle, so that a long beginning they share does not make them alike', () => {
    const names = ['Very long species name number 17', 'Very long species name number 18']
    expect(shortNames(names, within(16))).toEqual(['Very l…number 17', 'Very l…number 18'])
  })

  it('show where they differ when beginning and end are the same', () => {
    const names = [
      'Quercus robur subsp. robur leaf, upper side',
      'Quercus robur subsp. broteroana leaf, upper side',
    ]
    const [one, two] = shortNames(names, within(14))
    expect(one).toMatch(/^… ?robur/)
    expect(two).toMatch(/^… ?brote/)
  })

  it('different names stay different and have room, and every name has one form', () => {
    const word = fc.constantFrom('very ', 'long ', 'name ', 'é', '🦅', '12', 'z')
    const name = fc.array(word, { minLength: 1, maxLength: 14 }).map((words) => words.join(''))
    fc.assert(
      fc.property(
        fc.array(name, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 8, max: 30 }),
        (names, most) => {
          const short = shortNames(names, within(most))
          expect(new Set(short).size).toBe(new Set(names).size)
          for (const text of short) expect(within(most)(text)).toBe(true)
        },
      ),
    )
  })
})
