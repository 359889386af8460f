import type { Random } from '#shared/domain/random.ts'
import type { Point, Tint } from './pen.ts'
import {
  along,
  area,
  between,
  chance,
  clip,
  css,
  dot,
  gradient,
  line,
  objectTint,
  pick,
  shade,
  smooth,
  spine,
} from './pen.ts'

/** Drawn around (0, 0), about 210 units long; the tip is up. */
export function drawFeather(random: Random): string {
  const tint = objectTint(random, [8, 10, 10, 11, 12, 12])
  const pale = shade(tint, between(random, 14, 30), -8)
  const length = between(random, 185, 215)
  const axis = spine(length, between(random, -34, 34), between(random, -22, 22))
  const widths = { left: between(random, 14, 34), right: between(random, 14, 34) }
  const blunt = between(random, 0.45, 0.8)
  const start = between(random, 0.62, 0.8)
  const width = (t: number): number =>
    t > start
      ? Math.max(0, 1 - (t - start) / (1.02 - start)) ** 0.6 * 0.9
      : Math.sin((Math.PI / 2) * (t / start) ** blunt) ** 0.8

  // Where the vane has come apart.
  const splits = Array.from({ length: random.below(4) }, () => ({
    t: between(random, 0.15, 0.7),
    side: pick(random, [1, -1] as const),
    depth: between(random, 0.25, 0.8),
  }))
  const steps = Array.from({ length: 71 }, (_, i) => i / 70)
  const vaneEnd = between(random, 0.8, 0.87)
  const edge = (side: 1 | -1): Point[] =>
    steps.map((step) => {
      const t = step * vaneEnd
      const { at, normal } = axis(t)
      const torn = splits.some((split) => split.side === side && Math.abs(split.t - t) < 0.008)
      const split = torn
        ? splits.find((each) => each.side === side && Math.abs(each.t - t) < 0.008)
        : undefined
      const reach = (side > 0 ? widths.right : widths.left) * width(step) * (split ? 1 - split.depth : 1)
      return along([at[0], at[1] - reach * 0.35], normal, side * (reach + random.normal(0, 0.45)))
    })
  const left = edge(-1)
  const right = edge(1)
  const outline = smooth([...left, ...right.toReversed()], true)
  const fill = gradient([css(pale), css(tint), css(shade(tint, -8))], between(random, 60, 120))

  const barbs = [1, -1].flatMap((side) =>
    Array.from({ length: 64 }, (_, i) => {
      const t = (i / 64) * vaneEnd
      const from = axis(t + 0.045)
      const to = axis(t)
      const reach = (side > 0 ? widths.right : widths.left) * 1.05
      return line(smooth([from.at, along([to.at[0], to.at[1] - reach * 0.4], to.normal, side * reach)]), {
        colour: css(shade(tint, chance(random, 0.5) ? 13 : -13)),
        width: between(random, 0.5, 1.1),
        opacity: between(random, 0.18, 0.5),
      })
    }),
  )
  const quill = Array.from({ length: 24 }, (_, i) => axis((i / 23) * 1.06).at)
  return [
    fill.defs,
    down(random, axis, vaneEnd, pale),
    area(outline, fill.fill),
    clip(outline, marking(random, tint, axis, Math.max(widths.left, widths.right)) + barbs.join('')),
    line(outline, { colour: css(shade(tint, -14)), width: 0.7, opacity: 0.5 }),
    line(smooth(quill), { colour: css(shade(tint, -22, -6)), width: 3, opacity: 0.35 }),
    line(smooth(quill), { colour: css(shade(pale, 8, -6)), width: 1.9 }),
  ].join('')
}

type Axis = ReturnType<typeof spine>

/** Bars like a kestrel's, an eye, a dark tip, a pale edge, or nothing. */
function marking(random: Random, tint: Tint, axis: Axis, reach: number): string {
  const dark = css(shade(tint, tint.l > 40 ? -26 : 26, -4))
  const band = (t: number, thick: number): string => {
    const points = [-1.3, -0.6, 0, 0.6, 1.3].map((share): Point => {
      const { at, normal } = axis(t)
      const [x, y] = along(at, normal, share * reach)
      return [x, y - Math.abs(share) * reach * 0.42 + random.normal(0, 1)]
    })
    return line(smooth(points), { colour: dark, width: thick, opacity: 0.72 })
  }
  switch (pick(random, ['bars', 'bars', 'tip', 'eye', 'spots', 'none'] as const)) {
    case 'bars': {
      const count = 4 + random.below(6)
      const thick = between(random, 3, 8)
      return Array.from({ length: count }, (_, i) => band(0.08 + (0.72 * i) / count, thick)).join('')
    }
    case 'tip':
      return band(0.06, between(random, 24, 60))
    case 'eye': {
      const { at } = axis(0.2)
      return (
        dot(at, reach * 0.8, css(shade(tint, -14, 10, 40)), 0.85, reach * 1.05) +
        dot(at, reach * 0.52, css(shade(tint, 12, 18, -30)), 0.9, reach * 0.7) +
        dot(at, reach * 0.28, dark, 0.95, reach * 0.38)
      )
    }
    case 'spots':
      return Array.from({ length: 16 }, (_, i) => {
        const { at, normal } = axis(0.06 + (i / 16) * 0.75)
        return dot(along(at, normal, (i % 2 ? 0.55 : -0.55) * reach), between(random, 2, 4.5), dark, 0.6)
      }).join('')
    case 'none':
      return ''
  }
}

/** The fluff at the base of the vane. */
function down(random: Random, axis: Axis, from: number, tint: Tint): string {
  return Array.from({ length: 26 + random.below(22) }, () => {
    const t = between(random, from - 0.16, from + 0.05)
    const { at, normal } = axis(t)
    const side = pick(random, [1, -1])
    const reach = between(random, 12, 27)
    const curl = between(random, -9, 9)
    return line(
      smooth([
        at,
        along([at[0], at[1] - 4 + curl * 0.4], normal, side * reach * 0.55),
        along([at[0], at[1] + curl], normal, side * reach),
      ]),
      { colour: css(shade(tint, between(random, -4, 10))), width: between(random, 0.6, 1.3), opacity: 0.7 },
    )
  }).join('')
}
