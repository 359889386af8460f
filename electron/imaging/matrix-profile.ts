import { inFixed, ONE, toWord, type MatrixProfile } from '#shared/domain/preprocessing/colours.ts'

/** The sRGB that libvips converts to: red, green and blue under D50, as its profile says them, 16 bits after the point. */
const COLORANTS = [
  [28_576, 14_578, 911],
  [25_238, 46_985, 6362],
  [9376, 3973, 46_788],
].map((colorant) => colorant.map(fromIcc))
const xyzToSrgb = inverted(toXyz(COLORANTS))

/**
 * Reads a profile that is three curves and a matrix (ICC.1:2010, section 8.3.3, "three-component matrix-based profiles").
 * @returns null for profiles of another kind, and for what is not a profile
 */
export function readMatrixProfile(profile: Uint8Array): MatrixProfile | null {
  if (profile.length < 132 || text(profile, 16) !== 'RGB ' || text(profile, 20) !== 'XYZ ') return null
  const tags = readTags(profile)
  // Tables for an intent of their own go before the matrix.
  if (tags === null || tags.has('A2B0') || tags.has('A2B1')) return null
  const colorants = ['rXYZ', 'gXYZ', 'bXYZ'].map((name) => readXyz(tags.get(name)))
  const curves = ['rTRC', 'gTRC', 'bTRC'].map((name) => readCurve(tags.get(name)))
  if (colorants.some((colorant) => colorant === null) || curves.some((curve) => curve === null)) return null
  const light = curves.flatMap((curve) =>
    Array.from({ length: 256 }, (_, level) => inFixed(Math.fround(curve!(Math.fround(level / 255))))),
  )
  const matrix = times(xyzToSrgb, toXyz(colorants as number[][])).map(inFixed)
  // What does not fit is no sensible profile; 32 times the light of white is more than any has.
  if (![...light, ...matrix].every((value) => Math.abs(value) <= 32 * ONE)) return null
  return { linear: Int32Array.from(light), matrix }
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

/** s15Fixed16Number (section 4.6). */
function fromIcc(value: number): number {
  return value / 65_536
}
const fixed = (view: DataView, at: number): number => fromIcc(view.getInt32(at))

/** XYZType (section 10.31). */
function readXyz(view: DataView | undefined): readonly number[] | null {
  if (!view || view.byteLength < 20) return null
  return [fixed(view, 8), fixed(view, 12), fixed(view, 16)]
}

type Curve = (level: number) => number

/** curveType and parametricCurveType (sections 10.6 and 10.18): level 0 … 1 to linear light. */
function readCurve(view: DataView | undefined): Curve | null {
  if (!view || view.byteLength < 12) return null
  const kind = text(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), 0)
  if (kind === 'curv') return sampledCurve(view)
  return kind === 'para' ? parametricCurve(view) : null
}

function sampledCurve(view: DataView): Curve | null {
  const count = view.getUint32(8)
  if (count === 0) return (level) => level
  if (view.byteLength < 12 + 2 * count) return null
  if (count === 1) {
    const gamma = view.getUint16(12) / 256
    return (level) => level ** gamma
  }
  const samples = Uint16Array.from({ length: count }, (_, i) => view.getUint16(12 + 2 * i))
  return (level) => between(samples, toWord(Math.fround(level * 65_535))) / 65_535
}

/** Linear between two samples, in 16 bits each before and after the point. @param place 0 … 65535: the first to the last sample */
function between(samples: Uint16Array, place: number): number {
  const last = samples.length - 1
  if (place === 65_535) return samples[last]!
  const steps = last * place
  const exact = steps + Math.floor((steps + 32_767) / 65_535)
  const below = Math.floor(exact / 65_536)
  const [low, high] = [samples[below]!, samples[below + 1]!]
  return low + Math.floor(((high - low) * (exact % 65_536) + 32_768) / 65_536)
}

function parametricCurve(view: DataView): Curve | null {
  const form = view.getUint16(8)
  const count = [1, 3, 4, 5, 7][form]
  if (count === undefined || view.byteLength < 12 + 4 * count) return null
  const [g = 1, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = Array.from({ length: count }, (_, i) =>
    fixed(view, 12 + 4 * i),
  )
  const power = (x: number): number => Math.max(0, a * x + b) ** g
  switch (form) {
    case 0:
      return (x) => x ** g
    case 1:
      return (x) => (x >= -b / a ? power(x) : 0)
    case 2:
      return (x) => (x >= Math.max(0, -b / a) ? power(x) + c : c)
    case 3:
      return (x) => (x >= d ? power(x) : c * x)
    default:
      return (x) => (x >= d ? power(x) + e : c * x + f)
  }
}

/** @param colorants XYZ of red, green and blue @returns the matrix, row by row, that makes XYZ of linear light */
function toXyz(colorants: readonly (readonly number[])[]): number[] {
  return [0, 1, 2].flatMap((row) => colorants.map((colorant) => colorant[row]!))
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
