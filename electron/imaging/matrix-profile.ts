/**
 * Colour profiles that are three curves and a matrix, which those of cameras, phones and displays are (ICC.1:2010, section 8.3.3,
 * "three-component matrix-based profiles"): applied here, because setting such a conversion up in libvips takes several times as
 * long as decoding a small picture.
 */
export interface MatrixProfile {
  /** Linear light, 0 … 1, for each level of red, green and blue: `[3, 256]`. */
  linear: Float32Array
  /** Linear light of the profile to linear light of sRGB, row by row. */
  matrix: readonly number[]
}

/** Columns: red, green and blue of sRGB under D50 (IEC 61966-2-1, adapted by Bradford's method). */
const srgbToXyz = [
  0.4360747, 0.3850649, 0.1430804, 0.2225045, 0.7168786, 0.0606169, 0.0139322, 0.0971045, 0.7141733,
]
const xyzToSrgb = inverted(srgbToXyz)

/** @returns null for profiles of another kind, and for what is not a profile. */
export function readMatrixProfile(profile: Uint8Array): MatrixProfile | null {
  if (profile.length < 132 || text(profile, 16) !== 'RGB ' || text(profile, 20) !== 'XYZ ') return null
  const tags = readTags(profile)
  // Tables for an intent of their own go before the matrix.
  if (tags === null || tags.has('A2B0') || tags.has('A2B1')) return null
  const colorants = ['rXYZ', 'gXYZ', 'bXYZ'].map((name) => readXyz(tags.get(name)))
  const curves = ['rTRC', 'gTRC', 'bTRC'].map((name) => readCurve(tags.get(name)))
  const [red, green, blue] = colorants
  if (!red || !green || !blue || curves.some((curve) => curve === null)) return null
  const toXyz = [0, 1, 2].flatMap((row) => [red[row]!, green[row]!, blue[row]!])
  const linear = new Float32Array(3 * 256)
  curves.forEach((curve, channel) => {
    for (let level = 0; level < 256; level++) linear[channel * 256 + level] = curve!(level / 255)
  })
  if (![...linear, ...toXyz].every(Number.isFinite)) return null
  return { linear, matrix: times(xyzToSrgb, toXyz) }
}

/** Levels of linear light that have a level of sRGB each; the darkest of them are a tenth of a level of sRGB apart. */
const FINE = 32_767
let encoded: Uint8Array | null = null

/** Level of sRGB for linear light (IEC 61966-2-1, section 5.2). */
function encodedLevels(): Uint8Array {
  if (encoded !== null) return encoded
  encoded = new Uint8Array(FINE + 1)
  for (let i = 0; i <= FINE; i++) {
    const light = i / FINE
    const value = light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055
    encoded[i] = Math.round(255 * value)
  }
  return encoded
}

/** @param rgb uint8 `[pixels, 3]` in the colours of the profile; becomes sRGB, in place */
export function applyMatrixProfile(rgb: Uint8Array, { linear, matrix }: MatrixProfile): void {
  const levels = encodedLevels()
  const [rr, rg, rb, gr, gg, gb, br, bg, bb] = matrix.map((value) => value * FINE) as unknown as [
    ...[number, number, number],
    ...[number, number, number],
    ...[number, number, number],
  ]
  const level = (light: number): number => levels[light < 0 ? 0 : light > FINE ? FINE : (light + 0.5) | 0]!
  for (let at = 0; at + 2 < rgb.length; at += 3) {
    const r = linear[rgb[at]!]!
    const g = linear[256 + rgb[at + 1]!]!
    const b = linear[512 + rgb[at + 2]!]!
    rgb[at] = level(rr * r + rg * g + rb * b)
    rgb[at + 1] = level(gr * r + gg * g + gb * b)
    rgb[at + 2] = level(br * r + bg * g + bb * b)
  }
}

const text = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4))

/** Contents of the tags by their four letters (section 7.3). */
function readTags(profile: Uint8Array): Map<string, DataView> | null {
  const view = new DataView(profile.buffer, profile.byteOffset, profile.byteLength)
  const count = view.getUint32(128)
  if (count > 200 || 132 + 12 * count > profile.length) return null
  const tags = new Map<string, DataView>()
  for (let i = 0; i < count; i++) {
    const entry = 132 + 12 * i
    const [from, length] = [view.getUint32(entry + 4), view.getUint32(entry + 8)]
    if (from + length > profile.length) return null
    tags.set(text(profile, entry), new DataView(profile.buffer, profile.byteOffset + from, length))
  }
  return tags
}

const fixed = (view: DataView, at: number): number => view.getInt32(at) / 65536

/** XYZType (section 10.31). */
function readXyz(view: DataView | undefined): readonly number[] | null {
  if (!view || view.byteLength < 20) return null
  return [fixed(view, 8), fixed(view, 12), fixed(view, 16)]
}

/** curveType and parametricCurveType (sections 10.6 and 10.18): level 0 … 1 to linear light. */
function readCurve(view: DataView | undefined): ((level: number) => number) | null {
  if (!view || view.byteLength < 12) return null
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  const kind = text(bytes, 0)
  if (kind === 'curv') {
    const count = view.getUint32(8)
    if (count === 0) return (level) => level
    if (view.byteLength < 12 + 2 * count) return null
    if (count === 1) {
      const gamma = view.getUint16(12) / 256
      return (level) => level ** gamma
    }
    return (level) => {
      const place = level * (count - 1)
      const below = Math.min(count - 2, Math.floor(place))
      const [low, high] = [view.getUint16(12 + 2 * below), view.getUint16(14 + 2 * below)]
      return (low + (high - low) * (place - below)) / 65535
    }
  }
  if (kind !== 'para') return null
  const form = view.getUint16(8)
  const numbers = [1, 3, 4, 5, 7][form]
  if (numbers === undefined || view.byteLength < 12 + 4 * numbers) return null
  const [g = 1, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = Array.from({ length: numbers }, (_, i) =>
    fixed(view, 12 + 4 * i),
  )
  switch (form) {
    case 0:
      return (x) => x ** g
    case 1:
      return (x) => (x >= -b / a ? (a * x + b) ** g : 0)
    case 2:
      return (x) => (x >= -b / a ? (a * x + b) ** g + c : c)
    case 3:
      return (x) => (x >= d ? (a * x + b) ** g : c * x)
    default:
      return (x) => (x >= d ? (a * x + b) ** g + e : c * x + f)
  }
}

const times = (a: readonly number[], b: readonly number[]): number[] =>
  Array.from({ length: 9 }, (_, at) =>
    [0, 1, 2].reduce((sum, k) => sum + a[Math.floor(at / 3) * 3 + k]! * b[k * 3 + (at % 3)]!, 0),
  )

function inverted(m: readonly number[]): number[] {
  const [a, b, c, d, e, f, g, h, i] = m as [
    ...[number, number, number],
    ...[number, number, number],
    ...[number, number, number],
  ]
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
  return [
    ...[e * i - f * h, c * h - b * i, b * f - c * e],
    ...[f * g - d * i, a * i - c * g, c * d - a * f],
    ...[d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((value) => value / determinant)
}
