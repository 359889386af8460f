import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  checkLabelName,
  labelColour,
  labelFromFolder,
  labelKey,
  nextColour,
  tidyLabelName,
} from '#shared/domain/labels.ts'

describe('label names', () => {
  it('are trimmed, composed and on one line', () => {
    expect(checkLabelName('  Ka\u0308fer\n(klein) ')).toBe('K\u00e4fer (klein)')
    expect(checkLabelName('🐞 ladybird')).toBe('🐞 ladybird')
  })

  it('have 1 to 200 characters', () => {
    expect(() => checkLabelName(' \t ')).toThrow(/needs a name/)
    expect(checkLabelName('🐞'.repeat(200))).toHaveLength(400)
    expect(() => checkLabelName('x'.repeat(201))).toThrow(/at most 200/)
  })

  it('are unique whatever the capitals and the way of writing', () => {
    expect(() => checkLabelName('ROSES', ['tulips', 'Roses'])).toThrow(/already a label named “Roses”/)
    expect(() => checkLabelName('KA\u0308FER', ['k\u00e4fer'])).toThrow(/already/)
    expect(checkLabelName('rose', ['roses'])).toBe('rose')
  })

  it('tidying twice changes nothing more, and equal keys survive it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        const tidy = tidyLabelName(name)
        expect(tidyLabelName(tidy)).toBe(tidy)
        expect(labelKey(tidy)).toBe(labelKey(name))
      }),
    )
  })

  it('come out of folder names', () => {
    expect(labelFromFolder(' daisy ')).toBe('daisy')
    expect(labelFromFolder('   ')).toBeNull()
    expect(labelFromFolder('y'.repeat(250))).toHaveLength(200)
  })
})

type Lab = [number, number, number]
const linear = (hex: string): number[] =>
  [1, 3, 5].map((at) => {
    const value = parseInt(hex.slice(at, at + 2), 16) / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
const oklab = ([r, g, b]: number[]): Lab => {
  const l = Math.cbrt(0.4122214708 * r! + 0.5363325363 * g! + 0.0514459929 * b!)
  const m = Math.cbrt(0.2119034982 * r! + 0.6806995451 * g! + 0.1073969566 * b!)
  const s = Math.cbrt(0.0883024619 * r! + 0.2817188376 * g! + 0.6299787005 * b!)
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ]
}
/** Full deficiency, linear RGB: Machado, Oliveira and Fernandes, "A Physiologically-based Model…" (2009), table 1. */
const sight = {
  normal: [1, 0, 0, 0, 1, 0, 0, 0, 1],
  protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
  deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
  tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
}
const seen = (hex: string, m: number[]): Lab => {
  const rgb = linear(hex)
  return oklab([0, 3, 6].map((row) => rgb.reduce((sum, v, i) => sum + v * m[row + i]!, 0)))
}
const apart = (a: Lab, b: Lab): number => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])
const closest = (colours: Lab[]): number =>
  Math.min(...colours.flatMap((a, i) => colours.slice(i + 1).map((b) => apart(a, b))))

describe('label colours', () => {
  it.each(['light', 'dark'] as const)('%s: the first eight are told apart by every common sight', (theme) => {
    const colours = Array.from({ length: 8 }, (_, i) => labelColour(i, theme))
    for (const matrix of Object.values(sight)) {
      // 0.02 is about one just noticeable difference in OKLab.
      expect(closest(colours.map((hex) => seen(hex, matrix)))).toBeGreaterThan(0.06)
    }
  })

  it.each(['light', 'dark'] as const)('%s: 120 labels have 120 different colours', (theme) => {
    const colours = Array.from({ length: 120 }, (_, i) => labelColour(i, theme))
    for (const hex of colours) expect(hex).toMatch(/^#[0-9a-f]{6}$/)
    expect(new Set(colours).size).toBe(120)
    const paper = oklab(linear(theme === 'light' ? '#ffffff' : '#16181b'))
    for (const hex of colours) expect(apart(oklab(linear(hex)), paper)).toBeGreaterThan(0.2)
  })

  it('starts with the colours of the look', () => {
    expect([0, 1, 2, 3, 4].map((i) => labelColour(i, 'light'))).toEqual([
      '#0072b2',
      '#e69f00',
      '#009e73',
      '#cc79a7',
      '#d55e00',
    ])
  })

  it('refuses what is no colour number, and finds a free one', () => {
    expect(() => labelColour(-1, 'light')).toThrow(RangeError)
    expect(nextColour([0, 1, 3])).toBe(2)
    expect(nextColour([])).toBe(0)
  })
})
