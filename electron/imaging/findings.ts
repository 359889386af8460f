import type { PictureHeader } from './header.ts'
import type { Measures } from './measures.ts'

/** Something about a picture that a person may want to know. The picture is used all the same. */
export interface Finding {
  code: FindingCode
  words: string
}

const words = {
  damaged: 'Part of the file is damaged; what could be read is shown.',
  tiny: 'The picture is very small; there is little to learn from it.',
  'odd-shape': 'The picture is a long, thin strip and will be squeezed a lot.',
  uniform: 'The whole picture has one colour.',
  transparent: 'The picture is almost completely transparent; white is shown instead.',
  dark: 'The picture is very dark.',
  light: 'The picture is very light.',
  blurry: 'Nothing in the picture is sharp.',
  'exif-broken': 'The camera notes inside the file (EXIF) are broken; the picture itself is fine.',
} as const
export type FindingCode = keyof typeof words

/**
 * Where findings begin. Chosen on about 10,000 photographs (flowers, household waste, hands, boats, industrial surfaces, web
 * pictures) so that fewer than 1 in 500 gets one, while strongly blurred, under- and overexposed copies of them do.
 */
export const findingThresholds = {
  /** Shorter edge in pixels below which a picture is tiny. */
  tinyEdge: 32,
  /** Longer edge ÷ shorter edge above which the shape is odd. */
  aspect: 5,
  /** Standard deviation of the luma (0–255) below which a picture has one colour. */
  uniformContrast: 1.5,
  /** Mean alpha (0–1) below which a picture is transparent. */
  transparentAlpha: 0.05,
  /** Mean luma (0–1). */
  dark: 0.06,
  light: 0.965,
  /** Variance of the Laplacian (0–255 scale) below which nothing is sharp … */
  blurrySharpness: 15,
  /** … and its part of the luma's variance: a smooth but faint surface is not a blurred one. */
  blurryRatio: 0.01,
} as const

export interface Looks extends Measures {
  width: number
  height: number
  damaged: boolean
  /** Mean alpha, 0–1. */
  alpha: number
}

/** All findings of one picture, the gravest first. */
export function findingsOf(looks: Looks, header: Pick<PictureHeader, 'exifBroken'>): Finding[] {
  const limit = findingThresholds
  const found: FindingCode[] = []
  const shorter = Math.min(looks.width, looks.height)
  const longer = Math.max(looks.width, looks.height)
  const transparent = looks.alpha < limit.transparentAlpha
  const uniform = looks.contrast < limit.uniformContrast
  if (looks.damaged) found.push('damaged')
  if (shorter < limit.tinyEdge) found.push('tiny')
  if (longer / shorter > limit.aspect) found.push('odd-shape')
  if (transparent) found.push('transparent')
  // A transparent picture is white by our own doing, and one colour is neither dark nor blurry.
  else if (uniform) found.push('uniform')
  else {
    if (looks.brightness < limit.dark) found.push('dark')
    if (looks.brightness > limit.light) found.push('light')
    const ratio = looks.sharpness / (looks.contrast * looks.contrast)
    if (shorter >= limit.tinyEdge && looks.sharpness < limit.blurrySharpness && ratio < limit.blurryRatio) {
      found.push('blurry')
    }
  }
  if (header.exifBroken) found.push('exif-broken')
  return found.map((code) => ({ code, words: words[code] }))
}
