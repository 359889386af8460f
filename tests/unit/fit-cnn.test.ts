import { describe, expect, it } from 'vitest'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { createRandom } from '#shared/domain/random.ts'
import { applyAugmentation, drawAugmentation, identityAugmentation } from '#trainer/loop/augment.ts'
import { epochsFor, fitCnn, predictCnn } from '#trainer/loop/fit-cnn.ts'
import type { CnnSpec } from '#trainer/loop/small-cnn.ts'

const spec: CnnSpec = { size: 16, filters: [8, 16], classes: 3 }
const length = 3 * spec.size * spec.size

/** Pictures of one strong colour per class, with noise. */
function colours(count: number) {
  const random = createRandom(4)
  const labels = Int32Array.from({ length: count }, (_, row) => row % 3)
  const pixels = new Uint8Array(count * length)
  for (let at = 0; at < pixels.length; at++) {
    const row = Math.floor(at / length)
    const channel = Math.floor((at % length) / (spec.size * spec.size))
    const base = channel === labels[row] ? 160 : 90
    pixels[at] = Math.max(0, Math.min(255, base + random.normal(0, 30)))
  }
  const rows = [...labels.keys()]
  return { pixels, labels, train: rows.slice(0, count - 30), val: rows.slice(count - 30) }
}

const fit = (changes: Partial<Parameters<typeof fitCnn>[0]> = {}) => {
  const metrics: TrainMetric[] = []
  const shown: number[] = []
  const data = colours(120)
  const input = {
    spec,
    ...data,
    seed: 1,
    epochs: 6,
    shouldStop: () => false,
    onEpoch: (metric: TrainMetric) => void metrics.push(metric),
    onBatch: (done: number) => void shown.push(done),
    ...changes,
  }
  return { metrics, shown, data, result: fitCnn(input) }
}

describe('fitCnn', () => {
  it('learns, and keeps the epoch with the best validation loss', async () => {
    const { metrics, shown, data, result } = fit()
    const done = await result
    expect(done).toMatchObject({ epochs: 6, stopped: null })
    expect(metrics.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6])
    expect(metrics.at(-1)!.trainLoss).toBeLessThan(metrics[0]!.trainLoss)
    expect(shown.at(-1)).toBeLessThanOrEqual(6 * data.train.length)
    const probabilities = await predictCnn({ spec, pixels: data.pixels }, done, data.val)
    const loss =
      data.val.reduce((sum, row, i) => sum - Math.log(probabilities[i * 3 + data.labels[row]!]!), 0) / 30
    expect(loss).toBeCloseTo(Math.min(...metrics.map(({ valLoss }) => valLoss!)), 4)
    expect(metrics.at(-1)!.valAccuracy).toBeGreaterThan(0.9)
  })

  it('gives the same weights for the same seed, and others for another', async () => {
    const [one, same, other] = await Promise.all([
      fit({ epochs: 2 }).result,
      fit({ epochs: 2 }).result,
      fit({ epochs: 2, seed: 2 }).result,
    ])
    expect(same.parameters).toEqual(one.parameters)
    expect(other.parameters).not.toEqual(one.parameters)
  })

  it('keeps the last epoch where there is no validation', async () => {
    const { metrics, result } = fit({ val: [], epochs: 2 })
    await result
    expect(metrics.map(({ valLoss }) => valLoss)).toEqual([null, null])
  })

  it('stops between batches with the best epoch so far; before the first there is nothing to keep', async () => {
    let batches = 0
    const counting = { onBatch: () => void batches++, shouldStop: () => batches >= 5 }
    expect(await fit(counting).result).toMatchObject({ stopped: 'asked', epochs: 1 })
    await expect(fit({ shouldStop: () => true }).result).rejects.toMatchObject({ code: 'stopped' })
  })

  it('says so when the numbers break down before anything was learned', async () => {
    await expect(fit({ peakRate: 1e38 }).result).rejects.toMatchObject({ code: 'training-diverged' })
  })

  it('shows few pictures more often than many', () => {
    expect(epochsFor(50)).toBe(60)
    expect(epochsFor(3000)).toBe(20)
    expect(epochsFor(1_000_000)).toBe(15)
  })
})

describe('augmentation', () => {
  const size = 8
  const source = (value: (x: number, y: number, channel: number) => number): Uint8Array =>
    Uint8Array.from({ length: 3 * size * size }, (_, at) =>
      value(at % size, Math.floor(at / size) % size, Math.floor(at / (size * size))),
    )
  const applied = (pixels: Uint8Array, changes: Partial<typeof identityAugmentation>): Float32Array => {
    const target = new Float32Array(3 * size * size)
    applyAugmentation(pixels, 0, size, { ...identityAugmentation, ...changes }, target, 0)
    return target
  }
  const level = (value: number): number => (value - 127.5) / 127.5

  it('changes nothing but the scale when nothing was drawn', () => {
    const pixels = source((x, y, channel) => 10 * x + y + 50 * channel)
    applied(pixels, {}).forEach((value, at) => expect(value).toBeCloseTo(level(pixels[at]!), 5))
  })

  it('moves the picture by parts of its size and repeats the border', () => {
    const moved = applied(
      source((x) => 20 * x),
      { shiftX: 2 / size },
    )
    const row = [...moved.subarray(0, size)]
    ;[40, 60, 80, 100, 120, 140, 140, 140].forEach((value, x) => expect(row[x]).toBeCloseTo(level(value), 5))
  })

  it('turns counter-clockwise', () => {
    // Bright at the right; after a quarter turn it is at the top.
    const turned = applied(
      source((x) => (x === size - 1 ? 255 : 0)),
      { angle: Math.PI / 2 },
    )
    expect(turned[3]).toBeCloseTo(1, 4)
    expect(turned[7 * size + 3]).toBeCloseTo(-1, 4)
  })

  it('brightens, and flattens around the middle grey', () => {
    expect(
      applied(
        source(() => 100),
        { brightness: 20 },
      )[0],
    ).toBeCloseTo(level(120), 5)
    expect(
      applied(
        source(() => 227),
        { contrast: 0.5 },
      )[0],
    ).toBeCloseTo(0.5 * level(227), 5)
  })

  it('draws within its limits, the same for the same seed', () => {
    const random = createRandom(1)
    for (let i = 0; i < 200; i++) {
      const drawn = drawAugmentation(random)
      expect(Math.abs(drawn.angle)).toBeLessThanOrEqual(Math.PI / 18)
      expect(Math.abs(drawn.zoom - 1)).toBeLessThanOrEqual(0.12)
      expect(Math.abs(drawn.shiftX)).toBeLessThanOrEqual(0.08)
    }
    expect(drawAugmentation(createRandom(3))).toEqual(drawAugmentation(createRandom(3)))
  })
})
