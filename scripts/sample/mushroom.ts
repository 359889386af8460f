import type { Random } from '#shared/domain/random.ts'
import type { Point, Tint } from './pen.ts'
import {
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
} from './pen.ts'

/** Drawn around (0, 0), about 190 units high; one to three of a kind. */
export function drawMushroom(random: Random): string {
  const tint = objectTint(random, [3, 4, 4, 5, 10, 11])
  const flesh: Tint = { h: between(random, 30, 48), s: between(random, 12, 34), l: between(random, 72, 88) }
  const kind = pick(random, ['dome', 'dome', 'cone', 'flat', 'button'] as const)
  const one = (size: number, lean: number): string => single(random, kind, tint, flesh, size, lean)
  const friends = chance(random, 0.42) ? 1 + random.below(2) : 0
  const parts: string[] = []
  for (let i = 0; i < friends; i++) {
    const side = i === 0 ? pick(random, [-1, 1]) : parts.length % 2 ? 1 : -1
    const size = between(random, 0.38, 0.68)
    parts.push(
      `<g transform="translate(${(side * between(random, 38, 66)).toFixed(1)} ${(92 - 92 * size).toFixed(1)})">${one(size, side * between(random, 4, 16))}</g>`,
    )
  }
  const main = one(1, between(random, -12, 12))
  return chance(random, 0.5) ? parts.join('') + main : main + parts.join('')
}

type Kind = 'dome' | 'cone' | 'flat' | 'button'

function single(random: Random, kind: Kind, tint: Tint, flesh: Tint, size: number, lean: number): string {
  const wide = { dome: 72, cone: 52, flat: 84, button: 50 }[kind] * between(random, 0.88, 1.12)
  const high = { dome: 58, cone: 84, flat: 34, button: 58 }[kind] * between(random, 0.88, 1.12)
  const droop = between(random, 6, 20)
  const stem = { top: between(random, 8, 15), base: between(random, 11, 21) }
  const capY = -95 + high
  const foot: Point = [-lean, 95]
  const stalk = smooth(
    [
      [-stem.top, capY - 4],
      [-stem.top - lean * 0.4, 20],
      [foot[0] - stem.base, 80],
      [foot[0] - stem.base * 0.8, 95],
      [foot[0], 99],
      [foot[0] + stem.base * 0.8, 95],
      [foot[0] + stem.base, 80],
      [stem.top - lean * 0.4, 20],
      [stem.top, capY - 4],
    ],
    true,
  )
  const stalkFill = gradient([css(shade(flesh, -16)), css(shade(flesh, 5)), css(shade(flesh, -7))], 0)
  const fibres = Array.from({ length: 7 }, () => {
    const x = between(random, -stem.top, stem.top)
    return line(
      smooth([
        [x, capY],
        [x - lean * 0.4, 20],
        [x * 1.2 - lean, 92],
      ]),
      {
        colour: css(shade(flesh, -22, 4)),
        width: 0.8,
        opacity: 0.4,
      },
    )
  })

  const open = kind === 'flat' ? between(random, 7, 15) : between(random, 3, 13)
  const under = smooth(
    [
      [-wide, capY],
      [-wide * 0.5, capY + open],
      [0, capY + open * 1.25],
      [wide * 0.5, capY + open],
      [wide, capY],
      [0, capY - 8],
    ],
    true,
  )
  const gills = Array.from({ length: 27 }, (_, i) => {
    const turn = (i / 26) * 2 - 1
    return line(
      smooth([
        [turn * stem.top * 0.8, capY - 2],
        [turn * wide * 0.98, capY + open * (1.3 - 1.2 * Math.abs(turn))],
      ]),
      {
        colour: css(shade(flesh, -30, 6)),
        width: 1,
        opacity: 0.6,
      },
    )
  })
  const peak = kind === 'cone' ? 0.28 : kind === 'flat' ? 0.75 : 0.62
  const wave = (): number => random.normal(0, 1.4)
  const cap = smooth(
    [
      [-wide, capY + wave()],
      [-wide * (0.93 + 0.05 * peak), capY - high * 0.35],
      [-wide * peak, capY - high * (kind === 'cone' ? 0.78 : 0.88)],
      [wave() * 2, capY - high],
      [wide * peak, capY - high * (kind === 'cone' ? 0.78 : 0.88)],
      [wide * (0.93 + 0.05 * peak), capY - high * 0.35],
      [wide, capY + wave()],
      [wide * 0.5, capY + droop * 0.3],
      [0, capY + droop * 0.42],
      [-wide * 0.5, capY + droop * 0.3],
    ],
    true,
  )
  const capFill = gradient(
    [css(shade(tint, 14, 2)), css(tint), css(shade(tint, -13))],
    between(random, 55, 125),
  )
  const ring = chance(random, 0.35)
    ? area(
        smooth(
          [
            [-stem.top * 1.2, 4],
            [-stem.top * 1.55, 15],
            [0, 22],
            [stem.top * 1.55, 15],
            [stem.top * 1.2, 4],
          ],
          true,
        ),
        css(shade(flesh, -3)),
      )
    : ''
  const drawn = [
    stalkFill.defs,
    capFill.defs,
    area(stalk, stalkFill.fill),
    clip(stalk, fibres.join('')),
    line(stalk, { colour: css(shade(flesh, -38)), width: 0.9, opacity: 0.5 }),
    ring,
    area(under, css(shade(flesh, -12))),
    clip(under, gills.join('')),
    area(cap, capFill.fill),
    clip(cap, capDecoration(random, tint, flesh, wide, high, capY)),
    line(cap, { colour: css(shade(tint, -22)), width: 1.1, opacity: 0.65 }),
  ].join('')
  return `<g transform="scale(${size.toFixed(2)}) rotate(${(lean * 0.5).toFixed(1)})">${drawn}</g>`
}

/** Warts, streaks, a pale rim or a plain, shining cap. */
function capDecoration(
  random: Random,
  tint: Tint,
  flesh: Tint,
  wide: number,
  high: number,
  capY: number,
): string {
  const shine = dot([-wide * 0.34, capY - high * 0.66], wide * 0.26, '#fff', 0.17, high * 0.14, -24)
  switch (pick(random, ['warts', 'streaks', 'centre', 'plain'] as const)) {
    case 'warts':
      return (
        Array.from({ length: 12 + random.below(12) }, () =>
          dot(
            [between(random, -wide, wide), capY - high * between(random, 0.05, 0.95)],
            between(random, 2.2, 7.5),
            css(shade(flesh, 3)),
            0.92,
            between(random, 1.8, 5),
            between(random, 0, 180),
          ),
        ).join('') + shine
      )
    case 'streaks':
      return (
        Array.from({ length: 22 }, (_, i) => {
          const turn = (i / 21) * 2 - 1
          return line(
            smooth([
              [0, capY - high],
              [turn * wide * 0.7, capY - high * 0.5],
              [turn * wide, capY + 4],
            ]),
            {
              colour: css(shade(tint, -16)),
              width: between(random, 0.6, 1.8),
              opacity: 0.42,
            },
          )
        }).join('') + shine
      )
    case 'centre':
      return dot([0, capY - high], wide * 0.5, css(shade(tint, -16)), 0.5, high * 0.42) + shine
    case 'plain':
      return shine
  }
}
