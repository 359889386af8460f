import { KestrelError } from '../errors/index.ts'

/** Longest label name, in characters as a person counts them by code point. */
export const MAX_LABEL_LENGTH = 200

/** Line breaks, tabs and other control characters, which no list or file name shows. */

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/gu

/** The form in which a name is stored: composed (NFC), one line, no blanks around it. May be empty. */
export const tidyLabelName = (name: string): string => name.normalize('NFC').replace(CONTROL, ' ').trim()

/** Two names with the same key are one label: capitals and ways of writing the same letter do not matter. */
export const labelKey = (name: string): string => tidyLabelName(name).toLowerCase().normalize('NFC')

/**
 * Checks a name a person gave.
 * @param taken names of the other labels.
 * @returns the name to store.
 * @throws KestrelError `bad-request` when it is empty or too long, `name-taken` when there is one like it.
 */
export function checkLabelName(name: string, taken: Iterable<string> = []): string {
  const tidy = tidyLabelName(name)
  if (tidy === '')
    throw new KestrelError('bad-request', 'A label needs a name.', {
      kept: 'Nothing was changed.',
      remedy: 'Type at least one character.',
    })
  if ([...tidy].length > MAX_LABEL_LENGTH)
    throw new KestrelError('bad-request', `A label name has at most ${MAX_LABEL_LENGTH} characters.`, {
      kept: 'Nothing was changed.',
      remedy: 'Choose a shorter name.',
    })
  const key = labelKey(tidy)
  for (const other of taken)
    if (labelKey(other) === key)
      throw new KestrelError('name-taken', `There is already a label named “${other}”.`, {
        kept: 'Nothing was changed.',
        remedy: 'Choose another name, or merge the two labels.',
      })
  return tidy
}

/** A label name out of a folder name: tidied, cut to the limit; null when nothing is left of it. */
export function labelFromFolder(folder: string): string | null {
  const name = [...tidyLabelName(folder)].slice(0, MAX_LABEL_LENGTH).join('').trim()
  return name === '' ? null : name
}

export type Theme = 'light' | 'dark'

/**
 * The first eight label colours. Hues follow Okabe and Ito's set (Color Universal Design, 2008), which people with any
 * common colour vision tell apart. Each theme has its own tints, moved apart until the closest two of them stay distinct
 * for full protanopia, deuteranopia and tritanopia as well (see the test).
 */
const firstColours: Record<Theme, readonly string[]> = {
  light: ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#4b2e9e', '#7a4a1e', '#2b2b33'],
  dark: ['#4796e7', '#f5cb32', '#44d185', '#cfaee2', '#e16c2c', '#893ef1', '#e8e8e8', '#7b5a4a'],
}

/** Full turn times (golden ratio − 1): each new hue falls into the widest gap the earlier ones left. */
const GOLDEN_ANGLE = 137.50776405003785
/** Lightness steps (OKLCH) of the generated colours, so that neighbours in hue differ in lightness. */
const lightness: Record<Theme, readonly number[]> = { light: [0.48, 0.66, 0.56], dark: [0.72, 0.58, 0.84] }

/**
 * Colour of a label as `#rrggbb`.
 * @param index the label's colour number, a whole number ≥ 0 of any size. @throws RangeError
 */
export function labelColour(index: number, theme: Theme): string {
  if (!Number.isInteger(index) || index < 0)
    throw new RangeError(`colour must be a whole number ≥ 0, got ${index}`)
  const first = firstColours[theme][index]
  if (first !== undefined) return first
  const generated = index - firstColours[theme].length
  return oklchToHex(lightness[theme][generated % 3]!, 0.12, (20 + generated * GOLDEN_ANGLE) % 360)
}

/** The smallest colour number no label uses. */
export function nextColour(used: Iterable<number>): number {
  const taken = new Set(used)
  let colour = 0
  while (taken.has(colour)) colour++
  return colour
}

/** OKLCH to sRGB (Ottosson, "A perceptual color space for image processing", 2020); chroma gives way to the gamut. */
function oklchToHex(l: number, chroma: number, hue: number): string {
  for (let c = chroma; ; c -= 0.005) {
    const rgb = oklabToLinear(l, c * Math.cos((hue * Math.PI) / 180), c * Math.sin((hue * Math.PI) / 180))
    if (c <= 0 || rgb.every((v) => v >= -1e-6 && v <= 1 + 1e-6))
      return `#${rgb.map((v) => toByte(v).toString(16).padStart(2, '0')).join('')}`
  }
}

function oklabToLinear(lightness: number, a: number, b: number): [number, number, number] {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ]
}

function toByte(linear: number): number {
  const clipped = Math.min(1, Math.max(0, linear))
  const encoded = clipped <= 0.0031308 ? 12.92 * clipped : 1.055 * clipped ** (1 / 2.4) - 0.055
  return Math.round(encoded * 255)
}
