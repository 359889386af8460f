import type { Random } from '#shared/domain/random.ts'

/** The pen of the sample pictures: points, smooth lines and colours as SVG text. Lengths are SVG user units. */

export type Point = readonly [x: number, y: number]

export const between = (random: Random, low: number, high: number): number =>
  low + (high - low) * random.float()
export const chance = (random: Random, probability: number): boolean => random.float() < probability
export const pick = <T>(random: Random, items: readonly T[]): T => items[random.below(items.length)]!

const short = (value: number): string => value.toFixed(1)

/** A smooth line through points (Catmull–Rom as cubic Béziers), open or closed. */
export function smooth(points: readonly Point[], closed = false): string {
  const count = points.length
  const at = (i: number): Point =>
    closed ? points[(i + count) % count]! : points[Math.min(count - 1, Math.max(0, i))]!
  const parts = [`M${short(points[0]![0])} ${short(points[0]![1])}`]
  for (let i = 0; i < (closed ? count : count - 1); i++) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)]
    parts.push(
      `C${short(b[0] + (c[0] - a[0]) / 6)} ${short(b[1] + (c[1] - a[1]) / 6)} ` +
        `${short(c[0] - (d[0] - b[0]) / 6)} ${short(c[1] - (d[1] - b[1]) / 6)} ${short(c[0])} ${short(c[1])}`,
    )
  }
  return parts.join('') + (closed ? 'Z' : '')
}

/** Straight edges, for what is meant to be ragged. */
export const angular = (points: readonly Point[], closed = false): string =>
  points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${short(x)} ${short(y)}`).join('') + (closed ? 'Z' : '')

export interface Stroke {
  colour: string
  width: number
  opacity?: number
}
export const line = (d: string, { colour, width, opacity = 1 }: Stroke): string =>
  `<path d="${d}" fill="none" stroke="${colour}" stroke-width="${width.toFixed(2)}" stroke-linecap="round" stroke-linejoin="round" opacity="${opacity.toFixed(2)}"/>`
export const area = (d: string, fill: string, opacity = 1): string =>
  `<path d="${d}" fill="${fill}" opacity="${opacity.toFixed(2)}"/>`
export const dot = ([x, y]: Point, rx: number, fill: string, opacity = 1, ry = rx, turn = 0): string =>
  `<ellipse cx="${short(x)}" cy="${short(y)}" rx="${rx.toFixed(2)}" ry="${ry.toFixed(2)}" fill="${fill}" opacity="${opacity.toFixed(2)}" transform="rotate(${short(turn)} ${short(x)} ${short(y)})"/>`

/** Hue in degrees, saturation and lightness 0–100. */
export interface Tint {
  h: number
  s: number
  l: number
}
export const css = ({ h, s, l }: Tint): string =>
  `hsl(${(((h % 360) + 360) % 360).toFixed(0)},${clamp(s).toFixed(0)}%,${clamp(l).toFixed(0)}%)`
export const shade = (tint: Tint, lightness: number, saturation = 0, hue = 0): Tint => ({
  h: tint.h + hue,
  s: clamp(tint.s + saturation),
  l: clamp(tint.l + lightness),
})
const clamp = (value: number): number => Math.min(100, Math.max(0, value))

/** Colours all four kinds share, so that colour alone does not give the answer away. */
const natural: readonly Tint[] = [
  { h: 95, s: 38, l: 36 }, // leaf green
  { h: 140, s: 25, l: 32 }, // pine
  { h: 62, s: 42, l: 40 }, // olive
  { h: 40, s: 62, l: 52 }, // ochre
  { h: 24, s: 62, l: 44 }, // rust
  { h: 8, s: 60, l: 42 }, // brick
  { h: 345, s: 32, l: 52 }, // old rose
  { h: 290, s: 18, l: 42 }, // plum
  { h: 212, s: 26, l: 48 }, // slate blue
  { h: 190, s: 22, l: 50 }, // sea
  { h: 30, s: 24, l: 34 }, // umber
  { h: 38, s: 34, l: 74 }, // cream
  { h: 30, s: 8, l: 58 }, // stone
]

/**
 * A colour of the object: mostly out of its own (indices into the shared ones), sometimes any.
 * @param share of its own ones
 */
export function objectTint(random: Random, own: readonly number[], share = 0.92): Tint {
  const base = chance(random, share) ? natural[pick(random, own)]! : pick(random, natural)
  return {
    h: base.h + random.normal(0, 7),
    s: clamp(base.s + random.normal(0, 7)),
    l: Math.min(82, Math.max(22, base.l + random.normal(0, 6))),
  }
}

let serial = 0
/** Names for gradients and filters; unique within one drawing after {@link resetNames}. */
export const uniqueName = (kind: string): string => `${kind}${serial++}`
export const resetNames = (): void => {
  serial = 0
}

/** A linear gradient along a direction in degrees. @returns its definition and the fill that uses it. */
export function gradient(stops: readonly string[], degrees = 90): { defs: string; fill: string } {
  const name = uniqueName('g')
  const x = Math.cos((degrees * Math.PI) / 180) / 2
  const y = Math.sin((degrees * Math.PI) / 180) / 2
  const inner = stops
    .map((colour, i) => `<stop offset="${(i / (stops.length - 1)).toFixed(2)}" stop-color="${colour}"/>`)
    .join('')
  return {
    defs: `<linearGradient id="${name}" x1="${(0.5 - x).toFixed(2)}" y1="${(0.5 - y).toFixed(2)}" x2="${(0.5 + x).toFixed(2)}" y2="${(0.5 + y).toFixed(2)}">${inner}</linearGradient>`,
    fill: `url(#${name})`,
  }
}

export function clip(d: string, inner: string): string {
  const name = uniqueName('c')
  return `<clipPath id="${name}"><path d="${d}"/></clipPath><g clip-path="url(#${name})">${inner}</g>`
}

/** A bent axis from (0, -length/2) to (0, length/2): place and unit normal at t in 0 … 1. */
export function spine(length: number, bend: number, hook = 0): (t: number) => { at: Point; normal: Point } {
  const place = (t: number): Point => [bend * (4 * t * (1 - t) - 0.5) + hook * t * t * t, length * (t - 0.5)]
  return (t) => {
    const [x0, y0] = place(t - 0.01)
    const [x1, y1] = place(t + 0.01)
    const size = Math.hypot(x1 - x0, y1 - y0)
    return { at: place(t), normal: [(y1 - y0) / size, -(x1 - x0) / size] }
  }
}

export const along = (at: Point, normal: Point, distance: number): Point => [
  at[0] + normal[0] * distance,
  at[1] + normal[1] * distance,
]
