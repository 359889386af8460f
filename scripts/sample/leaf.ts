import type { Random } from '#shared/domain/random.ts'
import type { Point, Tint } from './pen.ts'
import {
  along,
  angular,
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

/** Drawn around (0, 0), about 200 units long. */
export function drawLeaf(random: Random): string {
  const tint = objectTint(random, [0, 0, 1, 2, 3, 4, 5], 1)
  return chance(random, 0.26) ? palmate(random, tint) : pinnate(random, tint)
}

const shapes = ['oval', 'lobed', 'heart', 'toothed'] as const

function pinnate(random: Random, tint: Tint): string {
  const shape = pick(random, shapes)
  const length = between(random, 165, 200)
  const axis = spine(length, between(random, -22, 22), between(random, -14, 14))
  const widest = { oval: 46, lobed: 52, heart: 58, toothed: 44 }[shape] * between(random, 0.85, 1.15)
  const skew = { oval: 1.15, lobed: 0.85, heart: 1.75, toothed: 1.3 }[shape] * between(random, 0.9, 1.1)
  const lobes = shape === 'lobed' ? between(random, 4, 5.5) : 0
  const teeth =
    shape === 'toothed' ? between(random, 15, 22) : chance(random, 0.3) ? between(random, 18, 28) : 0
  const width = (t: number, side: number): number => {
    // t runs from the tip to the stalk.
    const body = Math.sin(Math.PI * Math.pow(t, skew)) ** 0.75
    const lobed = lobes > 0 ? 0.68 + 0.32 * Math.cos(2 * Math.PI * (t * lobes + (side > 0 ? 0.05 : 0))) : 1
    const tooth = teeth > 0 ? 1 - 0.09 * ((t * teeth) % 1) : 1
    return widest * body * lobed * tooth + random.normal(0, 0.5)
  }
  const steps = Array.from({ length: 61 }, (_, i) => i / 60)
  const edge = (side: 1 | -1): Point[] =>
    steps.map((t) => {
      const { at, normal } = axis(t)
      return along(at, normal, side * Math.max(0, width(t, side)))
    })
  const left = edge(-1)
  const right = edge(1)
  const joined = [...left, ...right.toReversed()]
  const outline = teeth > 0 ? angular(joined, true) : smooth(joined, true)
  const midrib = steps.map((t) => axis(t).at)
  const half = smooth([...midrib, ...right.toReversed()], true)

  const fill = gradient(
    [css(shade(tint, between(random, 4, 12), 0, between(random, -14, 14))), css(tint), css(shade(tint, -6))],
    between(random, 0, 360),
  )
  const vein = css(shade(tint, tint.l > 60 ? -18 : 20, -8))
  const count = Math.round(between(random, 6, 10))
  const veins = Array.from({ length: count }, (_, i) => {
    const t = 0.14 + (0.74 * (i + 0.5)) / count
    return ([1, -1] as const).map((side) => {
      const from = axis(t + 0.03 * side)
      const to = Math.max(0.02, t - 0.13)
      const end = axis(to)
      const reach = 0.9 * Math.max(0, width(to, side))
      const middle = axis((t + to) / 2)
      return line(
        smooth([
          from.at,
          along(middle.at, middle.normal, side * reach * 0.5),
          along(end.at, end.normal, side * reach),
        ]),
        { colour: vein, width: 1.1, opacity: 0.75 },
      )
    })
  }).flat()
  const stalkEnd = axis(1 + between(random, 0.1, 0.22)).at
  return [
    fill.defs,
    line(smooth([axis(0.97).at, stalkEnd]), { colour: css(shade(tint, -12)), width: 3.4 }),
    area(outline, fill.fill),
    clip(
      outline,
      area(half, css(shade(tint, between(random, -12, 9))), 0.45) +
        veins.join('') +
        blemishes(random, tint, widest),
    ),
    line(smooth(midrib), { colour: vein, width: 2.2 }),
    line(outline, { colour: css(shade(tint, -16)), width: 1.1, opacity: 0.7 }),
  ].join('')
}

/** Maple-like: lobes around a centre. */
function palmate(random: Random, tint: Tint): string {
  const lobes = pick(random, [3, 5, 5, 7])
  const spread = between(random, 1.9, 2.25)
  const sharp = between(random, 1.6, 3)
  const tips = Array.from({ length: lobes }, (_, i) => {
    const turn = lobes === 1 ? 0 : (i / (lobes - 1)) * 2 - 1
    return {
      angle: turn * spread - Math.PI / 2,
      reach: (96 - 34 * Math.abs(turn) ** 1.5) * between(random, 0.93, 1.07),
    }
  })
  const gap = (2 * spread) / (lobes - 1)
  const points: Point[] = []
  for (let i = 0; i <= 150; i++) {
    const angle = -Math.PI / 2 - spread - 0.55 + ((2 * spread + 1.1) * i) / 150
    let radius = 20
    for (const tip of tips) {
      const away = Math.abs(angle - tip.angle) / gap
      radius = Math.max(
        radius,
        tip.reach * Math.max(0, 1 - away * 0.9) ** (1 / sharp + 0.25) * (away < 0.62 ? 1 : 0.8),
      )
    }
    const jag = 1 - 0.07 * ((i * 0.37) % 1)
    points.push([Math.cos(angle) * radius * jag, Math.sin(angle) * radius * jag + 22])
  }
  points.push([0, 30])
  const outline = angular(points, true)
  const fill = gradient(
    [css(shade(tint, 10, 0, between(random, -16, 16))), css(tint), css(shade(tint, -7))],
    between(random, 0, 360),
  )
  const vein = css(shade(tint, tint.l > 60 ? -18 : 18, -8))
  const veins = tips.map(({ angle, reach }) => {
    const tip: Point = [Math.cos(angle) * reach * 0.9, Math.sin(angle) * reach * 0.9 + 22]
    const twigs = [0.4, 0.6, 0.78].map((share) =>
      [-0.5, 0.5].map((turn) =>
        line(
          smooth([
            [tip[0] * share, 24 + (tip[1] - 24) * share],
            [
              tip[0] * share + Math.cos(angle + turn) * 16,
              24 + (tip[1] - 24) * share + Math.sin(angle + turn) * 16,
            ],
          ]),
          { colour: vein, width: 0.9, opacity: 0.65 },
        ),
      ),
    )
    return line(smooth([[0, 26], tip]), { colour: vein, width: 1.9, opacity: 0.9 }) + twigs.flat().join('')
  })
  const sway = between(random, -16, 16)
  return [
    fill.defs,
    line(
      smooth([
        [0, 26],
        [sway * 0.4, 62],
        [sway, 98],
      ]),
      { colour: css(shade(tint, -12)), width: 3.2 },
    ),
    area(outline, fill.fill),
    clip(outline, veins.join('') + blemishes(random, tint, 60)),
    line(outline, { colour: css(shade(tint, -16)), width: 1.1, opacity: 0.7 }),
  ].join('')
}

/** Freckles, browned patches, nibbled spots. */
function blemishes(random: Random, tint: Tint, reach: number): string {
  const spot = shade({ h: 26, s: 45, l: 28 }, between(random, -4, 8))
  return Array.from({ length: random.below(9) }, () =>
    dot(
      [between(random, -reach, reach), between(random, -80, 80)],
      between(random, 1, 5.5),
      css(chance(random, 0.7) ? spot : shade(tint, 18)),
      between(random, 0.25, 0.7),
      between(random, 1, 4),
      between(random, 0, 180),
    ),
  ).join('')
}
