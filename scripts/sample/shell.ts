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

/** Drawn around (0, 0), about 180 units wide. */
export function drawShell(random: Random): string {
  const tint = shade(objectTint(random, [3, 6, 9, 11, 11, 12]), between(random, 0, 8))
  const kind = pick(random, ['fan', 'fan', 'spiral', 'turret'] as const)
  return kind === 'fan' ? fan(random, tint) : kind === 'spiral' ? spiral(random, tint) : turret(random, tint)
}

/** Scallop or cockle: ribs from the hinge, growth lines across. */
function fan(random: Random, tint: Tint): string {
  const ribs = 9 + random.below(13)
  const spread = between(random, 0.95, 1.32)
  const height = between(random, 132, 160)
  const flat = between(random, 0.82, 1.08)
  const hinge: Point = [0, height * 0.48]
  const bump = between(random, 2, 6)
  const rim = (share: number, turn: number): Point => {
    const angle = -Math.PI / 2 + turn * spread
    const reach = height * share * (1 - 0.16 * turn * turn)
    return [hinge[0] + Math.cos(angle) * reach * flat * 1.05, hinge[1] + Math.sin(angle) * reach]
  }
  const edge = Array.from({ length: ribs * 4 + 1 }, (_, i): Point => {
    const turn = (i / (ribs * 4)) * 2 - 1
    const wave = 1 + (bump / height) * Math.cos((i / 4) * 2 * Math.PI + Math.PI)
    return rim(wave, turn)
  })
  const outline = smooth([[hinge[0] - 9, hinge[1] - 2], ...edge, [hinge[0] + 9, hinge[1] - 2]], true)
  const fill = gradient([css(shade(tint, 12)), css(tint), css(shade(tint, -9, 6))], between(random, 60, 120))
  const second = shade(tint, between(random, -24, -12), 8, between(random, -18, 18))
  const bands = Array.from({ length: 5 + random.below(6) }, (_, i) => {
    const share = 0.3 + 0.66 * ((i + random.float() * 0.6) / 10)
    const arc = Array.from({ length: 21 }, (_, k) => rim(share, (k / 20) * 2 - 1))
    return line(smooth(arc), {
      colour: css(second),
      width: between(random, 1.5, 9),
      opacity: between(random, 0.12, 0.4),
    })
  })
  const grooves = Array.from({ length: ribs + 1 }, (_, i) => {
    const turn = (i / ribs) * 2 - 1
    return line(smooth([rim(0.08, turn * 0.9), rim(0.55, turn), rim(1.01, turn)]), {
      colour: css(shade(tint, -20)),
      width: 1.7,
      opacity: 0.6,
    })
  })
  const shine = Array.from({ length: ribs }, (_, i) => {
    const turn = ((i + 0.45) / ribs) * 2 - 1
    return line(smooth([rim(0.2, turn * 0.92), rim(0.6, turn), rim(0.97, turn)]), {
      colour: css(shade(tint, 22)),
      width: 1.6,
      opacity: 0.55,
    })
  })
  const ears = chance(random, 0.6)
    ? area(
        smooth(
          [
            [-34, hinge[1] - 4],
            [-28, hinge[1] + 12],
            [0, hinge[1] + 14],
            [28, hinge[1] + 12],
            [34, hinge[1] - 4],
            [0, hinge[1] - 26],
          ],
          true,
        ),
        css(shade(tint, -7)),
      )
    : dot([hinge[0], hinge[1] - 2], 13, css(shade(tint, -6)), 1, 9)
  return [
    fill.defs,
    ears,
    area(outline, fill.fill),
    clip(outline, bands.join('') + grooves.join('') + shine.join('')),
    line(outline, { colour: css(shade(tint, -26)), width: 1.2, opacity: 0.7 }),
  ].join('')
}

/** Snail or moon shell: a logarithmic spiral of growing whorls, drawn from the inside out. */
function spiral(random: Random, tint: Tint): string {
  const turns = between(random, 2.4, 3.3)
  const growth = between(random, 0.17, 0.225)
  const squash = between(random, 0.78, 1)
  const end = turns * 2 * Math.PI
  const scale = 62 / Math.exp(growth * end)
  const at = (angle: number, share: number): Point => {
    const radius = scale * Math.exp(growth * angle) * share
    return [Math.cos(angle) * radius, Math.sin(angle) * radius * squash]
  }
  const inner = Math.exp(-growth * 2 * Math.PI)
  const pieces = 96
  const second = shade(tint, between(random, -26, -12), 8, between(random, -20, 20))
  const striped = chance(random, 0.55)
  const every = 5 + random.below(5)
  const parts: string[] = []
  for (let i = 0; i < pieces; i++) {
    const a = end * (i / pieces)
    const b = end * ((i + 1.15) / pieces)
    const quad = smooth(
      [at(a, 1.35), at((a + b) / 2, 1.36), at(b, 1.35), at(b, inner * 1.2), at(a, inner * 1.2)],
      true,
    )
    const light = 9 * Math.cos(a + 2.2)
    const band = striped && i % every < 2
    parts.push(area(quad, css(shade(band ? second : tint, light))))
    if (i % 3 === 0)
      parts.push(
        line(smooth([at(a, inner * 1.25), at(a + 0.06, 0.9), at(a, 1.33)]), {
          colour: css(shade(tint, -22)),
          width: 0.8,
          opacity: 0.35,
        }),
      )
  }
  const seam = Array.from({ length: 90 }, (_, i) => at(end * (i / 89), 1.35))
  const highlight = Array.from({ length: 30 }, (_, i) => at(end - 2 * Math.PI + 2.6 + 1.5 * (i / 29), 1.05))
  const lip = (share: number): Point => at(end, 1.35 * share + inner * 1.2 * (1 - share))
  const [a, b] = [lip(0.02), lip(0.98)]
  const middle: Point = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]
  const long = Math.hypot(b[0] - a[0], b[1] - a[1]) / 2
  const turn = (Math.atan2(b[1] - a[1], b[0] - a[0]) * 180) / Math.PI
  const inside = gradient([css(shade(tint, 16, -4)), css(shade(second, 2)), css(shade(second, -14))], 20)
  return [
    inside.defs,
    ...parts,
    line(smooth(seam), { colour: css(shade(tint, -30)), width: 1.8, opacity: 0.75 }),
    line(smooth(highlight), { colour: '#fff', width: 5, opacity: 0.28 }),
    dot(middle, long * 1.02, css(shade(tint, 18, -6)), 1, long * 0.62, turn),
    dot(middle, long * 0.84, inside.fill, 1, long * 0.44, turn),
  ].join('')
}

/** Turret or cone shell: whorls one under the other, growing towards the mouth. */
function turret(random: Random, tint: Tint): string {
  const whorls = 5 + random.below(5)
  const ratio = between(random, 1.22, 1.42)
  const slim = between(random, 0.85, 1.35)
  const heights = Array.from({ length: whorls }, (_, i) => ratio ** i)
  const total = heights.reduce((a, b) => a + b)
  const length = 182
  const second = shade(tint, between(random, -26, -12), 8, between(random, -20, 20))
  const spots = chance(random, 0.5)
  const fill = gradient([css(shade(tint, -12)), css(shade(tint, 12)), css(tint), css(shade(tint, -18))], 0)
  const parts: string[] = [fill.defs]
  let y = -length / 2
  for (const [i, share] of heights.entries()) {
    const high = (share / total) * length
    const top = (((y + length / 2) / length) * 52) / slim + 2
    const low = (((y + high + length / 2) / length) * 52) / slim + 2
    const tilt = high * 0.16
    const whorl = smooth(
      [
        [-top, y - tilt],
        [-low * 1.1, y + high * 0.55],
        [-low * 0.96, y + high],
        [0, y + high + tilt * 1.4],
        [low * 0.96, y + high + tilt * 2],
        [low * 1.14, y + high * 0.6 + tilt],
        [top, y + tilt],
      ],
      true,
    )
    const marks = Array.from({ length: 7 }, (_, k) =>
      spots
        ? dot(
            [-low + (2 * low * (k + 0.5)) / 7, y + high * (0.35 + 0.35 * (k % 2))],
            high * 0.1,
            css(second),
            0.55,
          )
        : line(
            smooth([
              [-low + (2 * low * k) / 6, y - tilt],
              [-low + (2 * low * k) / 6 + 3, y + high + tilt * 2],
            ]),
            { colour: css(second), width: between(random, 0.8, 2.6), opacity: 0.4 },
          ),
    )
    parts.push(
      area(whorl, fill.fill),
      clip(whorl, marks.join('')),
      line(whorl, { colour: css(shade(tint, -28)), width: 1, opacity: 0.6 }),
    )
    if (i === heights.length - 1) {
      parts.push(
        dot([low * 0.36, y + high * 0.66], low * 0.36, css(shade(second, -14)), 0.9, high * 0.42, 18),
        dot([low * 0.3, y + high * 0.62], low * 0.22, css(shade(second, -26)), 0.8, high * 0.32, 18),
      )
    }
    y += high
  }
  return parts.join('')
}
