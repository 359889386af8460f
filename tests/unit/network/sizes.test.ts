import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exactOutput, isMisfit, placeWindow, samePadding } from '#shared/domain/network/index.ts'

const settings = {
  input: fc.integer({ min: 1, max: 70 }),
  size: fc.integer({ min: 1, max: 11 }),
  stride: fc.integer({ min: 1, max: 6 }),
}

describe('where a window can stand', () => {
  test.each([
    // AlexNet's first layer as the paper means it, and as it says (224): known not to come out even.
    [227, 11, 4, 0, 55],
    [32, 5, 1, 2, 32],
    [32, 5, 1, 0, 28],
    [28, 2, 2, 0, 14],
    [7, 3, 2, 0, 3],
  ])('(%i − %i + 2P)/%i + 1 with P = %i is %i', (input, size, stride, padding, output) => {
    expect(placeWindow(input, { size, stride, padding })).toEqual({
      output,
      before: padding,
      behind: padding,
    })
  })

  test('counts the places a window really has', () => {
    fc.assert(
      fc.property(
        fc.record({ ...settings, padding: fc.integer({ min: 0, max: 8 }) }),
        ({ input, size, stride, padding }) => {
          const placed = placeWindow(input, { size, stride, padding })
          let places = 0
          let end = 0
          for (let at = -padding; at + size <= input + padding; at += stride) {
            places++
            end = at + size
          }
          const even = places > 0 && end === input + padding && padding < size
          expect(isMisfit(placed)).toBe(!even)
          if (!isMisfit(placed)) expect(placed.output).toBe(places)
        },
      ),
      { seed: 1, numRuns: 500 },
    )
  })

  test('"same" rounds up, splits its zeros evenly and puts the odd one behind', () => {
    // From TensorFlow's description of padding (tensorflow.org/api_docs/python/tf/nn, "Notes on padding").
    expect(samePadding(224, 3, 2)).toEqual({ output: 112, before: 0, behind: 1 })
    expect(samePadding(13, 6, 5)).toEqual({ output: 3, before: 1, behind: 2 })
    expect(samePadding(225, 3, 2)).toEqual({ output: 113, before: 1, behind: 1 })
    expect(samePadding(5, 1, 3)).toEqual({ output: 2, before: 0, behind: 0 })
    fc.assert(
      fc.property(fc.record(settings), ({ input, size, stride }) => {
        const { output, before, behind } = samePadding(input, size, stride)
        expect(output).toBe(Math.ceil(input / stride))
        expect([0, 1]).toContain(behind - before)
        // The last window lies inside, and with one zero fewer it would not (where there are any).
        const rest = input + before + behind - ((output - 1) * stride + size)
        if (before + behind > 0) expect(rest).toBe(0)
        else expect(rest).toBeGreaterThanOrEqual(0)
      }),
      { seed: 2, numRuns: 500 },
    )
  })

  test('says in words why a window does not come out even, with settings that do', () => {
    const placed = placeWindow(224, { size: 11, stride: 4, padding: 'valid' })
    expect(placed).toEqual({
      message:
        'a window of 11 in steps of 4 does not come out even on 224 pixels: (224 − 11 + 2·0) / 4 + 1 = 54.25.',
      remedy: 'Use padding "same", or a window of 12, or steps of 3.',
    })
    fc.assert(
      fc.property(
        fc.record({ ...settings, padding: fc.integer({ min: 0, max: 4 }) }),
        ({ input, size, stride, padding }) => {
          const misfit = placeWindow(input, { size, stride, padding })
          if (!isMisfit(misfit) || !misfit.message.includes('come out even')) return
          expect(Number.isInteger(exactOutput(input, size, stride, padding))).toBe(false)
          const named = (words: RegExp): number | undefined => {
            const found = words.exec(misfit.remedy)?.[1]
            return found === undefined ? undefined : Number(found)
          }
          const [p, f, s] = [named(/or padding (\d+)/), named(/window of (\d+)/), named(/steps of (\d+)/)]
          expect(misfit.remedy).toContain('"same"')
          if (p !== undefined) expect(exactOutput(input, size, stride, p) % 1).toBe(0)
          if (f !== undefined) expect(exactOutput(input, f, stride, padding) % 1).toBe(0)
          // Steps of 1 always come out even.
          expect(s).toBeDefined()
          expect(exactOutput(input, size, s!, padding) % 1).toBe(0)
        },
      ),
      { seed: 3, numRuns: 500 },
    )
  })

  test('says so when the window is larger than what it looks at, or sees only zeros', () => {
    expect(placeWindow(4, { size: 5, stride: 1, padding: 0 })).toMatchObject({
      message: 'a window of 5 is larger than the 4 pixels it gets.',
    })
    expect(placeWindow(2, { size: 7, stride: 1, padding: 1 })).toMatchObject({
      message: 'a window of 7 is larger than the 2 pixels it gets with padding 1.',
    })
    expect(placeWindow(9, { size: 3, stride: 1, padding: 3 })).toMatchObject({
      message: 'padding 3 around a window of 3 makes places that see nothing but zeros.',
    })
  })
})
