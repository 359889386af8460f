import type { Random } from '#shared/domain/random.ts'
import type { Point, Tint } from './pen.ts'
import { between, css, dot, gradient, line, pick, shade, smooth, uniqueName } from './pen.ts'

/** What the object lies on. */

export interface Frame {
  width: number
  height: number
}

/** Turbulence turned into grain: `frequency` per pixel (two values: stretched), strength 0 … 1. */
function grain(
  random: Random,
  { width, height }: Frame,
  frequency: string,
  strength: number,
  colour: string,
): string {
  const name = uniqueName('n')
  return (
    `<filter id="${name}" x="0" y="0" width="1" height="1"><feTurbulence type="fractalNoise" baseFrequency="${frequency}" numOctaves="4" seed="${random.below(9999)}"/>` +
    `<feColorMatrix values="0 0 0 0 0  0 0 0 0 0  0 0 0 0 0  0 0 0 ${(strength * 3).toFixed(2)} ${(-strength * 1.1).toFixed(2)}" result="a"/>` +
    `<feFlood flood-color="${colour}"/><feComposite in2="a" operator="in"/></filter>` +
    `<rect width="${width}" height="${height}" filter="url(#${name})"/>`
  )
}

const grounds = ['paper', 'kraft', 'wood', 'sand', 'moss', 'slate', 'linen', 'soil', 'dusk', 'water'] as const
type Ground = (typeof grounds)[number]

const groundTint: Record<Ground, Tint> = {
  paper: { h: 42, s: 34, l: 90 },
  kraft: { h: 32, s: 36, l: 66 },
  wood: { h: 28, s: 36, l: 46 },
  sand: { h: 40, s: 42, l: 74 },
  moss: { h: 92, s: 30, l: 34 },
  slate: { h: 212, s: 14, l: 44 },
  linen: { h: 205, s: 18, l: 78 },
  soil: { h: 24, s: 26, l: 28 },
  dusk: { h: 240, s: 22, l: 34 },
  water: { h: 186, s: 28, l: 58 },
}

export function ground(random: Random, frame: Frame): string {
  const kind = pick(random, grounds)
  const { width, height } = frame
  const base = groundTint[kind]
  const tint: Tint = {
    h: base.h + random.normal(0, 9),
    s: base.s + random.normal(0, 6),
    l: base.l + random.normal(0, 6),
  }
  const wash = gradient([css(shade(tint, 6)), css(shade(tint, -7))], between(random, 0, 360))
  const parts = [wash.defs, `<rect width="${width}" height="${height}" fill="${wash.fill}"/>`]
  const dark = css(shade(tint, -22))
  const light = css(shade(tint, 16))
  switch (kind) {
    case 'paper':
    case 'kraft':
      parts.push(grain(random, frame, '0.04', 0.18, dark), grain(random, frame, '0.5', 0.22, light))
      break
    case 'wood':
      parts.push(
        grain(random, frame, '0.012 0.16', 0.75, dark),
        grain(random, frame, '0.008 0.32', 0.5, light),
      )
      for (let y = between(random, 30, 120); y < height; y += between(random, 70, 140))
        parts.push(
          line(`M0 ${y.toFixed(0)}H${width}`, { colour: css(shade(tint, -30)), width: 2, opacity: 0.7 }),
        )
      break
    case 'sand':
      parts.push(
        grain(random, frame, '0.02 0.07', 0.35, dark),
        grain(random, frame, '0.6', 0.5, css(shade(tint, -16))),
      )
      break
    case 'moss':
      parts.push(grain(random, frame, '0.05', 0.8, dark), grain(random, frame, '0.14', 0.6, light))
      for (let i = 0; i < 60; i++) parts.push(blade(random, frame, tint, 0.55))
      break
    case 'slate':
      parts.push(grain(random, frame, '0.02', 0.6, dark), grain(random, frame, '0.2', 0.3, light))
      break
    case 'linen': {
      const every = between(random, 3.2, 5)
      for (let x = 0; x < width; x += every)
        parts.push(
          line(`M${x.toFixed(1)} 0V${height}`, {
            colour: dark,
            width: 0.8,
            opacity: between(random, 0.08, 0.3),
          }),
        )
      for (let y = 0; y < height; y += every)
        parts.push(
          line(`M0 ${y.toFixed(1)}H${width}`, {
            colour: light,
            width: 0.9,
            opacity: between(random, 0.1, 0.4),
          }),
        )
      break
    }
    case 'soil':
      parts.push(grain(random, frame, '0.09', 0.85, dark), grain(random, frame, '0.25', 0.45, light))
      for (let i = 0; i < 14; i++) parts.push(pebble(random, frame))
      break
    case 'dusk':
      for (let i = 0; i < 16; i++)
        parts.push(
          dot(
            anywhere(random, frame),
            between(random, 10, 44),
            css(shade(tint, between(random, 4, 26), 6, random.normal(0, 34))),
            between(random, 0.1, 0.3),
          ),
        )
      break
    case 'water':
      parts.push(
        grain(random, frame, '0.012 0.05', 0.55, light),
        grain(random, frame, '0.02 0.09', 0.45, dark),
      )
      break
  }
  return parts.join('')
}

export const anywhere = (random: Random, { width, height }: Frame): Point => [
  between(random, 0, width),
  between(random, 0, height),
]

function blade(random: Random, frame: Frame, tint: Tint, opacity: number): string {
  const [x, y] = anywhere(random, frame)
  const long = between(random, 14, 42)
  const turn = between(random, -0.9, 0.9)
  return line(
    smooth([
      [x, y],
      [x + turn * long * 0.3, y - long * 0.6],
      [x + turn * long, y - long],
    ]),
    {
      colour: css(shade(tint, between(random, -12, 22), 6, random.normal(0, 12))),
      width: between(random, 1, 2.6),
      opacity,
    },
  )
}

export function pebble(random: Random, frame: Frame): string {
  const at = anywhere(random, frame)
  const size = between(random, 2, 8)
  const tint: Tint = { h: between(random, 20, 60), s: between(random, 4, 18), l: between(random, 40, 72) }
  const turn = between(random, 0, 180)
  return (
    dot([at[0] + 1.5, at[1] + 2], size, '#000', 0.3, size * 0.7, turn) +
    dot(at, size, css(tint), 1, size * 0.7, turn) +
    dot([at[0] - size * 0.25, at[1] - size * 0.25], size * 0.4, '#fff', 0.25, size * 0.22, turn)
  )
}
