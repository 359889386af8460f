import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  augmentationPresets,
  augmentationSchema,
  drawAugmentation,
  isIdentity,
  isOff,
  noAugmentation,
  noGeometry,
  pictureRandom,
  presetAugmentation,
  samplingMatrix,
  type Augmentation,
  type Geometry,
} from '#shared/domain/augmentation/index.ts'

const nothing = augmentationSchema.parse({ version: 1 })
const draws = (augmentation: Augmentation, count = 400) =>
  Array.from({ length: count }, (_, position) =>
    drawAugmentation(pictureRandom(7, 2, position), augmentation),
  )
const degrees = (radians: number): number => (radians * 180) / Math.PI

describe('the definition', () => {
  it('repeats the border and cuts out in grey unless told otherwise', () => {
    expect(nothing).toEqual({ version: 1, border: 'repeat', fill: [128, 128, 128] })
  })

  it.each([
    ['a range that runs backwards', { rotate: { probability: 1, degrees: [10, -10] } }],
    ['more than a full turn', { rotate: { probability: 1, degrees: [0, 200] } }],
    ['a probability above 1', { flipHorizontal: { probability: 1.5 } }],
    ['an unknown operation', { perspective: { probability: 1 } }],
    ['an unknown number', { zoom: { probability: 1, factor: [1, 2], speed: 3 } }],
    ['a zoom to nothing', { zoom: { probability: 1, factor: [0, 1] } }],
  ])('refuses %s', (_words, operation) => {
    expect(augmentationSchema.safeParse({ version: 1, ...operation }).success).toBe(false)
  })

  it('has presets that are valid, get stronger, and never mirror', () => {
    for (const name of augmentationPresets) {
      const preset = presetAugmentation(name)
      expect(augmentationSchema.parse(preset)).toEqual(preset)
      expect(preset.flipHorizontal ?? preset.flipVertical).toBeUndefined()
    }
    const turns = augmentationPresets.map((name) => presetAugmentation(name).rotate?.degrees[1] ?? 0)
    expect(turns).toEqual(turns.toSorted((a, b) => a - b))
    expect(augmentationPresets.map((name) => isOff(presetAugmentation(name)))).toEqual([
      true,
      false,
      false,
      false,
    ])
    expect(isOff({ ...nothing, grey: { probability: 0 } })).toBe(true)
  })
})

describe('a draw', () => {
  it('is the same for the same seed, epoch and position, and another for any other', () => {
    const strong = presetAugmentation('strong')
    const at = (seed: number, epoch: number, position: number) =>
      drawAugmentation(pictureRandom(seed, epoch, position), strong)
    expect(at(1, 2, 3)).toEqual(at(1, 2, 3))
    for (const other of [at(2, 2, 3), at(1, 3, 3), at(1, 2, 4)]) expect(other).not.toEqual(at(1, 2, 3))
  })

  it('changes nothing when every operation is off', () => {
    for (const { noise, ...rest } of draws(nothing, 20)) {
      expect(rest).toEqual({ ...noAugmentation, noise: undefined, fill: nothing.fill, border: 'repeat' })
      expect(noise.deviation).toBe(0)
    }
  })

  it('stays within its ranges, and reaches both halves of each', () => {
    const all = draws({
      ...nothing,
      rotate: { probability: 1, degrees: [-30, 10] },
      zoom: { probability: 1, factor: [0.5, 2] },
      shift: { probability: 1, x: [-0.1, 0.2], y: [0, 0.3] },
      shear: { probability: 1, xDegrees: [-5, 5], yDegrees: [5, 15] },
      brightness: { probability: 1, amount: [-0.2, 0.1] },
      contrast: { probability: 1, factor: [0.5, 1.5] },
      saturation: { probability: 1, factor: [0, 2] },
      hue: { probability: 1, degrees: [-20, 40] },
      gamma: { probability: 1, exponent: [0.5, 2] },
      blur: { probability: 1, sigma: [0.01, 0.02] },
      noise: { probability: 1, deviation: [0.1, 0.2] },
      cutout: { probability: 1, area: [0.1, 0.2], aspect: [0.5, 2] },
    })
    const covers = (values: number[], from: number, to: number): void => {
      const middle = (from + to) / 2
      expect(Math.min(...values)).toBeGreaterThanOrEqual(from - 1e-9)
      expect(Math.max(...values)).toBeLessThanOrEqual(to + 1e-9)
      expect(values.some((value) => value < middle) && values.some((value) => value > middle)).toBe(true)
    }
    covers(
      all.map(({ geometry }) => degrees(geometry.angle)),
      -30,
      10,
    )
    covers(
      all.map(({ geometry }) => Math.log(geometry.zoom)),
      Math.log(0.5),
      Math.log(2),
    )
    covers(
      all.map(({ geometry }) => geometry.shiftX),
      -0.1,
      0.2,
    )
    covers(
      all.map(({ geometry }) => geometry.shiftY),
      0,
      0.3,
    )
    covers(
      all.map(({ geometry }) => degrees(Math.atan(geometry.shearX))),
      -5,
      5,
    )
    covers(
      all.map(({ geometry }) => degrees(Math.atan(geometry.shearY))),
      5,
      15,
    )
    covers(
      all.map(({ colour }) => colour.brightness),
      -51,
      25.5,
    )
    covers(
      all.map(({ colour }) => colour.contrast),
      0.5,
      1.5,
    )
    covers(
      all.map(({ colour }) => colour.saturation),
      0,
      2,
    )
    covers(
      all.map(({ colour }) => degrees(colour.hue)),
      -20,
      40,
    )
    covers(
      all.map(({ colour }) => Math.log(colour.gamma)),
      Math.log(0.5),
      Math.log(2),
    )
    covers(
      all.map(({ blur }) => blur),
      0.01,
      0.02,
    )
    covers(
      all.map(({ noise }) => noise.deviation),
      25.5,
      51,
    )
    covers(
      all.map(({ cutout }) => cutout!.width * cutout!.height),
      0.1,
      0.2,
    )
    covers(
      all.map(({ cutout }) => Math.log(cutout!.height / cutout!.width)),
      Math.log(0.5),
      Math.log(2),
    )
    for (const { cutout } of all) {
      expect(Math.min(cutout!.x, cutout!.y)).toBeGreaterThanOrEqual(0)
      expect(Math.max(cutout!.x + cutout!.width, cutout!.y + cutout!.height)).toBeLessThanOrEqual(1 + 1e-9)
    }
  })

  it('happens about as often as its probability says', () => {
    const all = draws({ ...nothing, flipHorizontal: { probability: 0.3 }, grey: { probability: 0.1 } }, 2000)
    const share = (of: (draw: (typeof all)[number]) => boolean): number => all.filter(of).length / all.length
    expect(share(({ geometry }) => geometry.flipHorizontal)).toBeCloseTo(0.3, 1)
    expect(share(({ colour }) => colour.saturation === 0)).toBeCloseTo(0.1, 1)
    expect(share(({ geometry }) => geometry.flipVertical)).toBe(0)
  })

  it('of one operation does not depend on the others', () => {
    const alone = draws({ ...nothing, gamma: { probability: 0.5, exponent: [0.5, 2] } }, 50)
    const together = draws(
      { ...presetAugmentation('strong'), gamma: { probability: 0.5, exponent: [0.5, 2] } },
      50,
    )
    expect(together.map(({ colour }) => colour.gamma)).toEqual(alone.map(({ colour }) => colour.gamma))
  })
})

type Matrix = readonly [number, number, number, number, number, number]
/** [xx, xy, x0, yx, yy, y0] of first `b`, then `a`. */
const after = (a: Matrix, b: Matrix): Matrix => [
  a[0] * b[0] + a[1] * b[3],
  a[0] * b[1] + a[1] * b[4],
  a[0] * b[2] + a[1] * b[5] + a[2],
  a[3] * b[0] + a[4] * b[3],
  a[3] * b[1] + a[4] * b[4],
  a[3] * b[2] + a[4] * b[5] + a[5],
]

describe('the matrix of a geometry', () => {
  const geometries = fc.record<Geometry>({
    flipHorizontal: fc.boolean(),
    flipVertical: fc.boolean(),
    zoom: fc.double({ min: 0.3, max: 3, noNaN: true }),
    shearX: fc.double({ min: -1, max: 1, noNaN: true }),
    shearY: fc.double({ min: -1, max: 1, noNaN: true }),
    angle: fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
    shiftX: fc.double({ min: -1, max: 1, noNaN: true }),
    shiftY: fc.double({ min: -1, max: 1, noNaN: true }),
  })
  const size = { width: 40, height: 24 }

  it('undoes the operations done one after the other, in the order they are described in', () => {
    fc.assert(
      fc.property(geometries, (geometry) => {
        const g = geometry
        const [cos, sin] = [Math.cos(g.angle), Math.sin(g.angle)]
        const steps: Matrix[] = [
          [1, 0, -(size.width - 1) / 2, 0, 1, -(size.height - 1) / 2],
          [g.flipHorizontal ? -1 : 1, 0, 0, 0, g.flipVertical ? -1 : 1, 0],
          [g.zoom, 0, 0, 0, g.zoom, 0],
          [1, g.shearX, 0, 0, 1, 0],
          [1, 0, 0, g.shearY, 1, 0],
          [cos, sin, 0, -sin, cos, 0],
          [1, 0, g.shiftX * size.width, 0, 1, g.shiftY * size.height],
          [1, 0, (size.width - 1) / 2, 0, 1, (size.height - 1) / 2],
        ]
        const forwards = steps.reduce((done, step) => after(step, done))
        const { xx, xy, x0, yx, yy, y0 } = samplingMatrix(geometry, size)
        const both = after([xx, xy, x0, yx, yy, y0], forwards)
        const identity = [1, 0, 0, 0, 1, 0]
        both.forEach((value, i) => expect(Math.abs(value - identity[i]!)).toBeLessThan(1e-9))
      }),
      { numRuns: 200, seed: 11 },
    )
  })

  it('is the identity exactly when nothing moves', () => {
    expect(isIdentity(samplingMatrix(noGeometry, size))).toBe(true)
    expect(isIdentity(samplingMatrix({ ...noGeometry, flipVertical: true }, size))).toBe(false)
  })

  it('stretches a source of another size over the result', () => {
    const { xx, x0, yy, y0 } = samplingMatrix(noGeometry, size, { width: 80, height: 12 })
    // Outer edges meet: -0.5 on both sides, and the far ends.
    expect(xx * -0.5 + x0).toBeCloseTo(-0.5, 12)
    expect(xx * 39.5 + x0).toBeCloseTo(79.5, 12)
    expect(yy * -0.5 + y0).toBeCloseTo(-0.5, 12)
    expect(yy * 23.5 + y0).toBeCloseTo(11.5, 12)
  })
})
