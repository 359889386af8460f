import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { drawBeta, logGamma } from '#shared/domain/training/beta.ts'
import { applyMixing, drawMixing } from '#shared/domain/training/mixing.ts'
import type { MixingBatch, MixingDraw } from '#shared/domain/training/mixing.ts'

type Shape = MixingBatch['shape']
const runs = { numRuns: 150, seed: 9 }
const classes = 3

/** Pixel values tell row, channel and place; labels go round. */
function batchOf(shape: Shape): MixingBatch {
  const [rows, channels, height, width] = shape
  const targets = new Float32Array(rows * classes)
  for (let row = 0; row < rows; row++) targets[row * classes + (row % classes)] = 1
  return { shape, x: Float32Array.from({ length: rows * channels * height * width }, (_, i) => i), targets }
}

const anyShape = fc.tuple(
  fc.integer({ min: 1, max: 6 }),
  fc.integer({ min: 1, max: 3 }),
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 9 }),
)
const strength = fc.oneof(fc.constant(0), fc.double({ min: 0.01, max: 4, noNaN: true }))

/** Mean and variance of many draws. */
function moments(draw: () => number, count = 40_000): { mean: number; variance: number } {
  const drawn = Array.from({ length: count }, draw)
  const mean = drawn.reduce((a, b) => a + b) / count
  return { mean, variance: drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / count }
}

describe('gamma and beta numbers', () => {
  it.each([0.2, 0.7, 1, 2.5, 9])('have the mean and the variance of Gamma(%d)', (shape) => {
    const random = createRandom(4)
    const { mean, variance } = moments(() => Math.exp(logGamma(random, shape)))
    // Five standard errors; the fourth central moment of a gamma number is 3·shape² + 6·shape.
    expect(Math.abs(mean - shape)).toBeLessThan(5 * Math.sqrt(shape / 40_000))
    expect(Math.abs(variance - shape)).toBeLessThan(5 * Math.sqrt((2 * shape ** 2 + 6 * shape) / 40_000))
  })

  it.each([
    [0.2, 0.2],
    [1, 1],
    [2, 5],
  ])('have the mean and the variance of Beta(%d, %d)', (a, b) => {
    const random = createRandom(8)
    const { mean, variance } = moments(() => drawBeta(random, a, b))
    expect(mean).toBeCloseTo(a / (a + b), 2)
    expect(variance).toBeCloseTo((a * b) / ((a + b) ** 2 * (a + b + 1)), 2)
  })

  it('are even between 0 and 1 for Beta(1, 1)', () => {
    const random = createRandom(2)
    const counts = new Array<number>(10).fill(0)
    for (let i = 0; i < 20_000; i++) counts[Math.min(9, Math.floor(10 * drawBeta(random, 1, 1)))]! += 1
    // Chi-square with 9 degrees of freedom: 27.9 is exceeded once in a thousand.
    expect(counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(27.9)
  })

  it('are numbers in [0, 1] for every shape, however small', () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 1e-4, max: 1e4, noNaN: true }), (seed, shape) => {
        const drawn = drawBeta(createRandom(seed), shape, shape)
        expect(drawn).toBeGreaterThanOrEqual(0)
        expect(drawn).toBeLessThanOrEqual(1)
      }),
      runs,
    )
    for (const shape of [0, -1, Number.NaN, Infinity])
      expect(() => drawBeta(createRandom(1), shape, 1)).toThrow(RangeError)
  })
})

describe('mixup and cutmix', () => {
  it('hand the batch on as it is when they are off, or when there is nothing to mix with', () => {
    const batch = batchOf([3, 1, 2, 2])
    const off = drawMixing(createRandom(1), { mixup: 0, cutmix: 0 }, batch.shape)
    expect(applyMixing(off, batch)).toBe(batch)
    expect(drawMixing(createRandom(1), { mixup: 1, cutmix: 1 }, [1, 3, 4, 4])).toEqual({ kind: 'none' })
  })

  it('give every row targets that sum to 1, pixels from the batch, and leave the batch itself alone', () => {
    fc.assert(
      fc.property(fc.integer(), anyShape, strength, strength, (seed, shape, mixup, cutmix) => {
        const batch = batchOf(shape)
        const before = { x: batch.x.slice(), targets: batch.targets.slice() }
        const draw = drawMixing(createRandom(seed), { mixup, cutmix }, shape)
        const mixed = applyMixing(draw, batch)
        expect(batch.x).toEqual(before.x)
        expect(batch.targets).toEqual(before.targets)
        for (let row = 0; row < shape[0]; row++) {
          const of = mixed.targets.subarray(row * classes, (row + 1) * classes)
          expect(of.reduce((a, b) => a + b)).toBeCloseTo(1, 5)
          expect(of.every((target) => target >= 0 && target <= 1)).toBe(true)
        }
        const largest = batch.x.length - 1
        expect(mixed.x.every((value) => value >= 0 && value <= largest + 1e-3)).toBe(true)
        if (draw.kind !== 'none')
          expect([...draw.partners].sort((a, b) => a - b)).toEqual([...draw.partners.keys()])
      }),
      runs,
    )
  })

  it('draw the same from the same seed, and something else from another', () => {
    const draw = (seed: number) => drawMixing(createRandom(seed), { mixup: 0.4, cutmix: 1 }, [8, 3, 32, 32])
    expect(draw(5)).toEqual(draw(5))
    expect(draw(5)).not.toEqual(draw(6))
  })

  it('take turns evenly when both are on', () => {
    const random = createRandom(3)
    const kinds = Array.from(
      { length: 1000 },
      () => drawMixing(random, { mixup: 0.2, cutmix: 1 }, [4, 1, 8, 8]).kind,
    )
    // Four standard deviations around a half.
    expect(Math.abs(kinds.filter((kind) => kind === 'mixup').length - 500)).toBeLessThan(64)
    expect(kinds).not.toContain('none')
  })

  it('blend pictures and labels in the same shares', () => {
    const batch = batchOf([2, 1, 1, 2])
    const mixed = applyMixing({ kind: 'mixup', keep: 0.75, partners: [1, 0] }, batch)
    expect([...mixed.x]).toEqual([0.5, 1.5, 1.5, 2.5])
    expect([...mixed.targets]).toEqual([0.75, 0.25, 0, 0.25, 0.75, 0])
    const whole = applyMixing({ kind: 'mixup', keep: 1, partners: [1, 0] }, batch)
    expect(whole.x).toEqual(batch.x)
    expect(whole.targets).toEqual(batch.targets)
  })

  it('paste the box of the partner, channel by channel, and nothing else', () => {
    const batch = batchOf([2, 2, 2, 3])
    const box = { left: 1, top: 0, right: 3, bottom: 1 }
    const mixed = applyMixing({ kind: 'cutmix', keep: 2 / 3, box, partners: [1, 0] }, batch)
    expect([...mixed.x.subarray(0, 12)]).toEqual([0, 13, 14, 3, 4, 5, 6, 19, 20, 9, 10, 11])
    expect([...mixed.x.subarray(12)]).toEqual([12, 1, 2, 15, 16, 17, 18, 7, 8, 21, 22, 23])
    expect(mixed.targets[0]).toBeCloseTo(2 / 3, 6)
    expect(mixed.targets[1]).toBeCloseTo(1 / 3, 6)
  })

  it('count the share of each label by the pixels that are there', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        anyShape,
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        (seed, shape, cutmix) => {
          const draw = drawMixing(createRandom(seed), { mixup: 0, cutmix }, shape)
          if (draw.kind !== 'cutmix') return
          const [rows, channels, height, width] = shape
          // Each row's pixels say whose they are.
          const x = Float32Array.from({ length: rows * channels * height * width }, (_, i) =>
            Math.floor(i / (channels * height * width)),
          )
          const mixed = applyMixing(draw, { ...batchOf(shape), x })
          const own = mixed.x.subarray(0, height * width).filter((value) => value === 0).length
          if (draw.partners[0] !== 0) expect(own / (height * width)).toBeCloseTo(draw.keep, 10)
        },
      ),
      runs,
    )
  })

  it('cut boxes of the share that was drawn, wherever they fit in whole', () => {
    const random = createRandom(12)
    const size = 64
    for (let i = 0; i < 300; i++) {
      const draw = drawMixing(random, { mixup: 0, cutmix: 1 }, [2, 1, size, size]) as Extract<
        MixingDraw,
        { kind: 'cutmix' }
      >
      const { left, top, right, bottom } = draw.box
      expect(right - left).toBeLessThanOrEqual(size)
      if (left > 0 && top > 0 && right < size && bottom < size) expect(right - left).toBe(bottom - top)
      expect(draw.keep).toBeCloseTo(1 - ((right - left) * (bottom - top)) / size ** 2, 12)
    }
  })

  it('refuse a draw that was made for another batch', () => {
    const batch = batchOf([3, 1, 2, 2])
    expect(() => applyMixing({ kind: 'mixup', keep: 0.5, partners: [1, 0] }, batch)).toThrow(RangeError)
    const box = { left: 0, top: 0, right: 3, bottom: 1 }
    expect(() => applyMixing({ kind: 'cutmix', keep: 0.5, box, partners: [1, 0, 2] }, batch)).toThrow(
      RangeError,
    )
  })
})
