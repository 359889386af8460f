import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MIN_ANSWERED, chooseThreshold, countAt } from '#shared/domain/threshold.ts'

const repeat = <T>(value: T, count: number): T[] => new Array<T>(count).fill(value)

describe('chooseThreshold', () => {
  it('leaves out the wrong answers of low confidence', () => {
    const confidences = [...repeat(0.95, 80), ...repeat(0.45, 10), ...repeat(0.4, 10)]
    const right = [...repeat(true, 80), ...repeat(false, 10), ...repeat(true, 10)]
    const chosen = chooseThreshold({ confidences, right })
    expect(chosen).toEqual({ value: 0.95, answered: 80, right: 80, total: 100, reached: true })
  })

  it('with perfect validation it lies where the least certain right answers are, not at 0', () => {
    const confidences = Array.from({ length: 200 }, (_, i) => 0.6 + i / 1000)
    const chosen = chooseThreshold({ confidences, right: repeat(true, 200) })
    expect(chosen).toMatchObject({ value: 0.604, answered: 196, reached: true })
  })

  it('with few pictures, all right, answers all of them and promises nothing', () => {
    const chosen = chooseThreshold({ confidences: [0.9, 0.8, 0.7], right: [true, true, true] })
    expect(chosen).toEqual({ value: 0.7, answered: 3, right: 3, total: 3, reached: false })
  })

  it('a poor model still answers three quarters', () => {
    const confidences = Array.from({ length: 100 }, (_, i) => i / 100)
    const right = confidences.map((_, i) => i % 2 === 0)
    const chosen = chooseThreshold({ confidences, right })
    expect(chosen.reached).toBe(false)
    expect(chosen.answered).toBeGreaterThanOrEqual(75)
  })

  it('always wrong: answers what the bound asks for', () => {
    const chosen = chooseThreshold({ confidences: [0.5, 0.6, 0.7, 0.8], right: repeat(false, 4) })
    expect(chosen).toMatchObject({ value: 0, answered: 4, right: 0, reached: false })
  })

  it('without pictures says one half', () => {
    expect(chooseThreshold({ confidences: [], right: [] })).toMatchObject({ value: 0.5, reached: false })
  })

  it('keeps its bounds and counts what it says', () => {
    const answers = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), {
      minLength: 1,
      maxLength: 200,
    })
    fc.assert(
      fc.property(answers, (rows) => {
        const confidences = Float32Array.from(rows, ([confidence]) => confidence)
        const right = rows.map(([, isRight]) => isRight)
        const chosen = chooseThreshold({ confidences, right })
        expect(chosen).toMatchObject(countAt(confidences, right, chosen.value))
        expect(chosen.value).toBeGreaterThanOrEqual(0)
        expect(chosen.value).toBeLessThanOrEqual(1)
        // The floor alone may leave wrong answers below it unanswered; right ones only to 2 %.
        const rightBelow = right.filter((isRight, i) => isRight && confidences[i]! < chosen.value).length
        if (chosen.answered < MIN_ANSWERED * rows.length)
          expect(rightBelow).toBeLessThanOrEqual(Math.ceil(0.02 * right.filter(Boolean).length))
      }),
    )
  })

  it('refuses lists of different length', () => {
    expect(() => chooseThreshold({ confidences: [0.5], right: [] })).toThrow(RangeError)
  })
})
