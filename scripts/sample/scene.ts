import sharp from 'sharp'
import type { Random } from '#shared/domain/random.ts'
import type { Frame } from './ground.ts'
import { anywhere, ground, pebble } from './ground.ts'
import type { Point, Tint } from './pen.ts'
import {
  area,
  between,
  chance,
  css,
  dot,
  gradient,
  line,
  pick,
  resetNames,
  shade,
  smooth,
  uniqueName,
} from './pen.ts'

/** What lies over and around the object: light, shadow, things in the way. */

/** Something before the object: grass, a twig, pebbles, petals, a corner of paper. Covers a part, never all of it. */
function inFront(random: Random, frame: Frame): string {
  const { width, height } = frame
  switch (pick(random, ['grass', 'twig', 'pebbles', 'petals', 'paper'] as const)) {
    case 'grass': {
      const tint: Tint = {
        h: between(random, 60, 125),
        s: between(random, 22, 45),
        l: between(random, 26, 48),
      }
      return Array.from({ length: 3 + random.below(6) }, () => {
        const x = between(random, -10, width + 10)
        const top = between(random, height * 0.12, height * 0.6)
        const sway = between(random, -70, 70)
        const thick = between(random, 2.5, 6)
        const up: Point[] = [
          [x - thick, height + 6],
          [x + sway * 0.35 - thick * 0.6, (height + top) / 2],
          [x + sway, top],
        ]
        const back: Point[] = [
          [x + sway * 0.35 + thick * 0.6, (height + top) / 2],
          [x + thick, height + 6],
        ]
        return area(smooth([...up, ...back], true), css(shade(tint, between(random, -8, 12))), 0.95)
      }).join('')
    }
    case 'twig': {
      const from: Point = [-10, between(random, 0, height)]
      const to: Point = [width + 10, between(random, 0, height)]
      const middle: Point = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2 + between(random, -30, 30)]
      const path = smooth([from, middle, to])
      const tint: Tint = { h: 26, s: between(random, 14, 34), l: between(random, 22, 40) }
      const wide = between(random, 4, 9)
      const side = smooth([
        middle,
        [middle[0] + 26, middle[1] - 26],
        [middle[0] + between(random, 30, 60), middle[1] - between(random, 40, 70)],
      ])
      return (
        line(path, { colour: '#000', width: wide + 3, opacity: 0.16 }) +
        line(side, { colour: css(tint), width: wide * 0.5 }) +
        line(path, { colour: css(tint), width: wide }) +
        line(path, { colour: css(shade(tint, 16)), width: wide * 0.3, opacity: 0.6 })
      )
    }
    case 'pebbles':
      return Array.from({ length: 12 + random.below(14) }, () => pebble(random, frame)).join('')
    case 'petals': {
      const tint: Tint = {
        h: between(random, 300, 420),
        s: between(random, 28, 60),
        l: between(random, 58, 80),
      }
      return Array.from({ length: 5 + random.below(7) }, () => {
        const at = anywhere(random, frame)
        const size = between(random, 8, 17)
        const turn = between(random, 0, 180)
        return (
          dot([at[0] + 2, at[1] + 3], size, '#000', 0.14, size * 0.5, turn) +
          dot(at, size, css(shade(tint, between(random, -6, 8))), 0.96, size * 0.52, turn)
        )
      }).join('')
    }
    case 'paper': {
      const tint: Tint = { h: between(random, 0, 360), s: between(random, 8, 30), l: between(random, 55, 88) }
      const x = width * between(random, 0.66, 0.8)
      const slant = between(random, -34, 34)
      const turn = pick(random, [0, 180])
      const d = `M${x.toFixed(0)} -5L${width + 5} -5V${height + 5}H${(x + slant).toFixed(0)}Z`
      return `<g transform="rotate(${turn} ${width / 2} ${height / 2})"><path d="${d}" fill="#000" opacity="0.18" transform="translate(-4 2)"/>${area(d, css(tint))}</g>`
    }
  }
}

/** Light over everything: where it comes from, how warm and bright it is, shade of trees, darker corners. */
function light(random: Random, frame: Frame): string {
  const { width, height } = frame
  const all = `width="${width}" height="${height}"`
  const parts: string[] = []
  if (chance(random, 0.3)) {
    const name = uniqueName('b')
    const lean = between(random, 0, 180)
    const spots = Array.from({ length: 9 }, () =>
      dot(
        anywhere(random, frame),
        between(random, 40, 110),
        '#0a1420',
        between(random, 0.1, 0.2),
        between(random, 14, 40),
        lean,
      ),
    )
    parts.push(
      `<filter id="${name}"><feGaussianBlur stdDeviation="15"/></filter><g filter="url(#${name})">${spots.join('')}</g>`,
    )
  }
  const warm = chance(random, 0.5)
  const beam = gradient([warm ? '#ffe3b0' : '#dcecff', warm ? '#2a1a3a' : '#101c30'], between(random, 0, 360))
  parts.push(
    `${beam.defs}<rect ${all} fill="${beam.fill}" opacity="${between(random, 0.05, 0.24).toFixed(2)}"/>`,
  )
  const dim = between(random, -0.12, 0.2)
  if (dim > 0) parts.push(`<rect ${all} fill="#0b0d16" opacity="${dim.toFixed(2)}"/>`)
  else parts.push(`<rect ${all} fill="#fffaf0" opacity="${(-dim).toFixed(2)}"/>`)
  const name = uniqueName('v')
  parts.push(
    `<radialGradient id="${name}" r="0.78"><stop offset="0.55" stop-color="#000" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity="${between(random, 0.04, 0.3).toFixed(2)}"/></radialGradient><rect ${all} fill="url(#${name})"/>`,
  )
  return parts.join('')
}

export const frames: readonly Frame[] = [
  { width: 320, height: 240 },
  { width: 240, height: 320 },
  { width: 320, height: 320 },
  { width: 320, height: 214 },
]

export interface Posture {
  /** Stands with its foot down; otherwise it lies there, more or less the way it is looked at. */
  upright: boolean
  /** How large it is drawn: slender things may be larger. */
  reach: number
  /** The smallest, beside 1.12 for the largest. */
  smallest: number
  /** Share of the pictures in which something lies before it. */
  hidden: number
}

/** One whole picture as SVG. `draw` gives the object around (0, 0) in a box of about 200 units. */
export function drawScene(
  random: Random,
  frame: Frame,
  { upright, reach, smallest, hidden }: Posture,
  draw: (random: Random) => string,
): string {
  resetNames()
  const { width, height } = frame
  const small = Math.min(width, height)
  const size = (small / 200) * between(random, smallest, 1.12) * reach
  const at: Point = [width / 2 + random.normal(0, width * 0.07), height / 2 + random.normal(0, height * 0.06)]
  const turn = random.normal(0, upright ? 11 : 32)
  const mirror = chance(random, 0.5) ? -1 : 1
  const stretch = between(random, 0.86, 1.1)
  const object = draw(random)
  const place = (x: number, y: number): string =>
    `translate(${(at[0] + x).toFixed(1)} ${(at[1] + y).toFixed(1)}) rotate(${turn.toFixed(1)}) scale(${(size * mirror * stretch).toFixed(3)} ${size.toFixed(3)})`
  const shadow = uniqueName('s')
  const fall = between(random, 0, 2 * Math.PI)
  const far = between(random, 2, 13)
  const blur = between(random, 1.5, 7)
  const depth = between(random, 0.22, 0.6)
  const second = chance(random, 0.1)
    ? `<g opacity="0.9" transform="translate(${between(random, 0, width).toFixed(0)} ${between(random, 0, height).toFixed(0)}) rotate(${between(random, 0, 360).toFixed(0)}) scale(${(size * 0.4).toFixed(2)})">${draw(random)}</g>`
    : ''
  const soft = chance(random, 0.14) ? between(random, 0.6, 1.5) : 0
  const lens = uniqueName('l')
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<filter id="${shadow}" x="-0.3" y="-0.3" width="1.6" height="1.6"><feColorMatrix values="0 0 0 0 0.05  0 0 0 0 0.04  0 0 0 0 0.08  0 0 0 ${depth.toFixed(2)} 0"/><feGaussianBlur stdDeviation="${blur.toFixed(1)}"/></filter>` +
    (soft > 0
      ? `<filter id="${lens}" x="0" y="0" width="1" height="1"><feGaussianBlur stdDeviation="${soft.toFixed(1)}"/></filter><g filter="url(#${lens})">`
      : '<g>') +
    ground(random, frame) +
    second +
    `<g filter="url(#${shadow})"><g transform="${place(Math.cos(fall) * far, Math.sin(fall) * far)}">${object}</g></g>` +
    `<g transform="${place(0, 0)}">${object}</g>` +
    (chance(random, hidden) ? inFront(random, frame) : '') +
    light(random, frame) +
    '</g></svg>'
  )
}

/** @returns bytes of the JPEG. */
export async function writeScene(svg: string, frame: Frame, file: string): Promise<number> {
  // Drawn at twice the size: finer lines, softer edges.
  const { size } = await sharp(Buffer.from(svg), { density: 144 })
    .resize(frame.width, frame.height, { fit: 'fill' })
    .flatten({ background: '#ffffff' })
    // The layers of light grey the colours a little: give them back.
    .linear(1.14, -8)
    .modulate({ brightness: 1.04, saturation: 1.24 })
    .jpeg({ quality: 86, mozjpeg: true, chromaSubsampling: '4:2:0' })
    .toFile(file)
  return size
}
