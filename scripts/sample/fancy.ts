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

/**
 * Things that have no name: outlines, ornaments and growths of every kind, for a network that is to know drawings as well as
 * photographs. None of them is one of the sample's finds. Each is drawn around (0, 0), about 200 units long.
 */
export function drawFancy(random: Random): string {
  return pick(random, [radial, radial, slender, turned, coil, cluster, branching, fan, ring, box])(random)
}

const anyTint = (random: Random): Tint =>
  chance(random, 0.6)
    ? objectTint(random, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], 0.7)
    : { h: between(random, 0, 360), s: between(random, 10, 85), l: between(random, 22, 80) }

/** An outline filled, ornamented and edged. `reach`: half its length. */
function body(random: Random, outline: string, tint: Tint, reach: number): string {
  const fill = gradient(
    [css(shade(tint, between(random, 2, 16), 0, between(random, -20, 20))), css(tint), css(shade(tint, -9))],
    between(random, 0, 360),
  )
  return [
    fill.defs,
    area(outline, fill.fill),
    clip(outline, ornament(random, tint, reach)),
    chance(random, 0.8) ? line(outline, { colour: css(shade(tint, -18)), width: 1.4, opacity: 0.8 }) : '',
    chance(random, 0.3)
      ? dot([-reach * 0.3, -reach * 0.35], reach * 0.2, '#fff', 0.28, reach * 0.12, -35)
      : '',
  ].join('')
}

function ornament(random: Random, tint: Tint, reach: number): string {
  const other = chance(random, 0.6) ? shade(tint, pick(random, [-24, -14, 18, 28])) : anyTint(random)
  const colour = css(other)
  const opacity = between(random, 0.45, 0.95)
  const count = 3 + random.below(9)
  const width = between(random, 1, 9)
  const turn = between(random, 0, 180)
  const lines = (d: (i: number) => string): string =>
    `<g transform="rotate(${turn.toFixed(0)})">${Array.from({ length: count }, (_, i) => line(d(i), { colour, width, opacity })).join('')}</g>`
  const place = (i: number): number => -reach + (2 * reach * (i + 0.5)) / count
  switch (pick(random, ['plain', 'dots', 'stripes', 'waves', 'rings', 'rays', 'half', 'cells'] as const)) {
    case 'plain':
      return ''
    case 'dots':
      return Array.from({ length: count * 4 }, () =>
        dot(
          [between(random, -reach, reach), between(random, -reach, reach)],
          between(random, 0.02, 0.09) * reach,
          colour,
          opacity,
        ),
      ).join('')
    case 'stripes':
      return lines((i) =>
        smooth([
          [-reach * 1.4, place(i)],
          [reach * 1.4, place(i)],
        ]),
      )
    case 'waves': {
      const height = between(random, 4, 18)
      return lines((i) =>
        smooth(
          Array.from(
            { length: 9 },
            (_, k) => [-reach * 1.3 + k * reach * 0.325, place(i) + (k % 2 ? height : -height)] as const,
          ),
        ),
      )
    }
    case 'rings': {
      const centre: Point = [between(random, -0.4, 0.4) * reach, between(random, -0.4, 0.4) * reach]
      return Array.from({ length: count }, (_, i) =>
        dot(centre, (reach * 1.2 * (count - i)) / count, i % 2 ? colour : css(tint), opacity),
      ).join('')
    }
    case 'rays':
      return Array.from({ length: count * 2 }, (_, i) => {
        const angle = (i / (count * 2)) * 2 * Math.PI
        return line(
          smooth([
            [0, 0],
            [Math.cos(angle) * reach * 1.4, Math.sin(angle) * reach * 1.4],
          ]),
          { colour, width: width * 0.5, opacity },
        )
      }).join('')
    case 'half':
      return `<g transform="rotate(${turn.toFixed(0)})">${area(`M${-2 * reach} 0H${2 * reach}V${2 * reach}H${-2 * reach}Z`, colour, opacity)}</g>`
    case 'cells':
      return lines(
        (i) => `M${-reach * 1.4} ${place(i)}H${reach * 1.4}M${place(i)} ${-reach * 1.4}V${reach * 1.4}`,
      )
  }
}

/** A blob, flower, star or cog: a distance from the middle for every direction. */
function radial(random: Random): string {
  const lobes = 2 + random.below(10)
  const depth = between(random, 0, 0.45)
  const sharp = chance(random, 0.4)
  const noise = between(random, 0, 0.12)
  const squeeze = between(random, 0.45, 1)
  const phase = between(random, 0, 6.28)
  const points = Array.from({ length: 96 }, (_, i): Point => {
    const angle = (i / 96) * 2 * Math.PI
    const wave = sharp ? 1 - 2 * Math.abs((((angle * lobes) / 6.2832) % 1) - 0.5) : Math.cos(angle * lobes)
    const radius =
      92 * (1 - depth * (0.5 + 0.5 * wave)) * (1 + noise * Math.sin(3 * angle + phase)) +
      random.normal(0, 0.6)
    return [Math.cos(angle) * radius * squeeze, Math.sin(angle) * radius]
  })
  return body(random, sharp ? angular(points, true) : smooth(points, true), anyTint(random), 92)
}

/** Long and thin along a bent axis: worms, sticks, bottles, fish. */
function slender(random: Random): string {
  const axis = spine(between(random, 150, 200), between(random, -45, 45), between(random, -30, 30))
  const wide = between(random, 7, 38)
  const [power, waist, beats] = [between(random, 0.25, 1.4), between(random, 0, 0.5), 1 + random.below(6)]
  const width = (t: number): number =>
    wide *
    Math.sin(Math.PI * Math.min(0.999, Math.max(0.001, t))) ** power *
    (1 - waist * (0.5 + 0.5 * Math.cos(2 * Math.PI * beats * t)))
  const edge = (side: 1 | -1): Point[] =>
    Array.from({ length: 41 }, (_, i) => along(axis(i / 40).at, axis(i / 40).normal, side * width(i / 40)))
  return body(random, smooth([...edge(-1), ...edge(1).toReversed()], true), anyTint(random), 90)
}

/** As from a lathe: the same profile left and right. */
function turned(random: Random): string {
  const count = 4 + random.below(4)
  const half = Array.from({ length: count }, (_, i): Point => [
    between(random, 12, 80),
    -95 + (190 * i) / (count - 1),
  ])
  const points = [...half, ...half.map(([x, y]): Point => [-x, y]).toReversed()]
  return body(random, chance(random, 0.6) ? smooth(points, true) : angular(points, true), anyTint(random), 92)
}

/** A tube wound up or let go: springs, ropes, snakes. */
function coil(random: Random): string {
  const tint = anyTint(random)
  const turns = between(random, 1.2, 4)
  const width = between(random, 5, 18)
  const wound = chance(random, 0.5)
  const path = smooth(
    Array.from({ length: 70 }, (_, i): Point => {
      const t = i / 69
      const angle = t * turns * 2 * Math.PI
      return wound
        ? [Math.cos(angle) * 85 * (0.12 + 0.88 * t), Math.sin(angle) * 85 * (0.12 + 0.88 * t)]
        : [Math.sin(angle) * between(random, 38, 42), -92 + 184 * t]
    }),
  )
  return [
    line(path, { colour: css(shade(tint, -20)), width: width + 2.5 }),
    line(path, { colour: css(tint), width }),
    line(path, { colour: css(shade(tint, 20)), width: width * 0.3, opacity: 0.7 }),
  ].join('')
}

/** Many of one kind: berries, buttons, beads, crystals. */
function cluster(random: Random): string {
  const tint = anyTint(random)
  const size = between(random, 10, 30)
  const square = chance(random, 0.35)
  const mixed = chance(random, 0.4)
  return Array.from({ length: 4 + random.below(18) }, () => {
    const [angle, far] = [between(random, 0, 6.28), 78 * Math.sqrt(random.float())]
    const at: Point = [Math.cos(angle) * far, Math.sin(angle) * far]
    const own = mixed ? shade(tint, 0, 0, between(random, -60, 60)) : shade(tint, between(random, -8, 8))
    const r = size * between(random, 0.7, 1.2)
    if (square) {
      const turn = between(random, 0, 6.28)
      const corners = [0, 1, 2, 3].map((k): Point => [
        at[0] + r * Math.cos(turn + k * 1.571),
        at[1] + r * Math.sin(turn + k * 1.571),
      ])
      return (
        area(angular(corners, true), css(own)) +
        line(angular(corners, true), { colour: css(shade(own, -18)), width: 1.3 })
      )
    }
    return (
      dot([at[0] + 1.5, at[1] + 2.5], r, '#000', 0.2) +
      dot(at, r, css(own)) +
      dot([at[0] - r * 0.3, at[1] - r * 0.35], r * 0.3, '#fff', 0.4)
    )
  }).join('')
}

/** Grows and divides: twigs, corals, roots, lightning. */
function branching(random: Random): string {
  const tint = anyTint(random)
  const [spread, shrink, berries] = [
    between(random, 0.25, 0.8),
    between(random, 0.6, 0.8),
    chance(random, 0.4),
  ]
  const parts: string[] = []
  const grow = (from: Point, angle: number, length: number, depth: number): void => {
    const to: Point = [from[0] + Math.sin(angle) * length, from[1] - Math.cos(angle) * length]
    parts.push(
      line(smooth([from, to]), { colour: css(shade(tint, (3 - depth) * 3)), width: 1.4 + 1.7 * depth }),
    )
    if (depth === 0) {
      if (berries) parts.push(dot(to, between(random, 3, 8), css(shade(tint, 14, 20, 40))))
      return
    }
    for (const side of [-1, 1, ...(chance(random, 0.3) ? [0] : [])])
      grow(to, angle + side * spread * between(random, 0.6, 1.3), length * shrink, depth - 1)
  }
  grow([0, 92], 0, between(random, 48, 64), 3 + random.below(2))
  return parts.join('')
}

/** Strokes out of one place: brooms, brushes, grass, fireworks. */
function fan(random: Random): string {
  const tint = anyTint(random)
  const [opening, bend] = [between(random, 0.4, 3.1), between(random, -40, 40)]
  return Array.from({ length: 7 + random.below(22) }, () => {
    const angle = between(random, -opening, opening)
    const reach = between(random, 110, 175)
    const to: Point = [Math.sin(angle) * reach * 0.6, 80 - Math.cos(angle) * reach]
    const d = smooth([[0, 80], [to[0] / 2 + bend, (80 + to[1]) / 2], to])
    return (
      line(d, { colour: css(shade(tint, between(random, -14, 14))), width: between(random, 1.5, 6) }) +
      (chance(random, 0.3) ? dot(to, between(random, 3, 9), css(shade(tint, 16, 10, 30))) : '')
    )
  }).join('')
}

/** A ring, wheel or frame: something with a hole. */
function ring(random: Random): string {
  const tint = anyTint(random)
  const [outer, thick] = [between(random, 70, 95), between(random, 8, 40)]
  const tall = between(random, 0.55, 1)
  const corners = chance(random, 0.4) ? 3 + random.below(5) : 60
  const turn = between(random, 0, 6.28)
  const at = (radius: number): Point[] =>
    Array.from({ length: corners }, (_, i): Point => {
      const angle = turn + (i / corners) * 2 * Math.PI
      return [Math.cos(angle) * radius, Math.sin(angle) * radius * tall]
    })
  const spokes = chance(random, 0.4) ? 3 + random.below(8) : 0
  const path = angular(at(outer - thick / 2), true)
  return [
    ...Array.from({ length: spokes }, (_, i) => {
      const angle = (i / spokes) * 2 * Math.PI
      const to: Point = [Math.cos(angle) * (outer - thick), Math.sin(angle) * (outer - thick) * tall]
      return line(smooth([[0, 0], to]), { colour: css(shade(tint, -10)), width: 4 })
    }),
    line(path, { colour: css(shade(tint, -20)), width: thick + 3 }),
    line(path, { colour: css(tint), width: thick }),
    line(path, { colour: css(shade(tint, 18)), width: thick * 0.25, opacity: 0.6 }),
  ].join('')
}

/** Edges and faces: boxes, books, roofs. */
function box(random: Random): string {
  const tint = anyTint(random)
  const [w, h, d] = [between(random, 40, 120), between(random, 40, 130), between(random, 15, 55)]
  const [x, y] = [-(w + d) / 2, -(h - d) / 2]
  const front: Point[] = [
    [x, y],
    [x + w, y],
    [x + w, y + h],
    [x, y + h],
  ]
  const top: Point[] = [
    [x, y],
    [x + d, y - d * 0.7],
    [x + w + d, y - d * 0.7],
    [x + w, y],
  ]
  const side: Point[] = [
    [x + w, y],
    [x + w + d, y - d * 0.7],
    [x + w + d, y + h - d * 0.7],
    [x + w, y + h],
  ]
  return (
    body(random, angular(front, true), tint, Math.max(w, h) / 2) +
    area(angular(top, true), css(shade(tint, 14))) +
    area(angular(side, true), css(shade(tint, -14)))
  )
}
