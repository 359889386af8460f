import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { OnnxSession } from '#trainer/engines/onnx/session.ts'
import { referenceLoss } from '#trainer/engines/reference/small-cnn.ts'
import { writeOnnx } from '#trainer/graph/onnx/index.ts'
import { float32 } from '#trainer/graph/tensor.ts'
import type { Tensor } from '#trainer/graph/types.ts'
import { Adam, cosineRate } from '#trainer/loop/adam.ts'
import {
  featuresGraph,
  headOf,
  initialParameters,
  initialStatistics,
  parameterLayout,
  trainingGraph,
  type CnnSpec,
} from '#trainer/loop/small-cnn.ts'

/** Both ways to the weight gradient are taken: few input channels (3) and many (16). */
const spec: CnnSpec = { size: 8, filters: [16, 5], classes: 3 }
const labels = [0, 2, 1, 2]

function problem() {
  const random = createRandom(11)
  const parameters = initialParameters(spec, 5)
  // Off the starting values, so that no gradient is zero by symmetry.
  parameters.forEach((value, index) => (parameters[index] = value + random.normal(0, 0.1)))
  const x = Float32Array.from({ length: labels.length * 3 * 64 }, () => random.normal())
  return { parameters, x }
}

async function step(parameters: Float32Array, x: Float32Array) {
  const session = await OnnxSession.open(writeOnnx(trainingGraph(spec)), {
    threads: 1,
    optimisation: 'extended',
  })
  const feeds: Record<string, Tensor> = {
    x: float32([labels.length, 3, spec.size, spec.size], x),
    y: float32(
      [labels.length, spec.classes],
      labels.flatMap((label) => Array.from({ length: spec.classes }, (_, k) => Number(k === label))),
    ),
  }
  const { infos } = parameterLayout(spec)
  for (const { name, shape, offset, length } of infos)
    feeds[name] = float32(shape, parameters.slice(offset, offset + length))
  const result = await session.run(feeds)
  await session.dispose()
  return { infos, result, numbers: (name: string) => result[name]!.data as Float32Array }
}

describe('the small network of the pixels recipe', () => {
  it('has the loss of the 64-bit reference', async () => {
    const { parameters, x } = problem()
    const { numbers } = await step(parameters, x)
    expect(numbers('loss')[0]).toBeCloseTo(referenceLoss(spec, parameters, x, labels), 5)
  })

  it('has gradients that central differences of the 64-bit reference give, for every kind of parameter', async () => {
    const { parameters, x } = problem()
    const { infos, numbers } = await step(parameters, x)
    const exact = Float64Array.from(parameters)
    const random = createRandom(2)
    for (const { name, offset, length } of infos) {
      const analytic = numbers(`d_${name}`)
      const largest = Math.max(...analytic.map(Math.abs))
      for (let count = 0; count < Math.min(12, length); count++) {
        const index = random.below(length)
        const moved = (by: number): number => {
          const other = exact.slice()
          other[offset + index]! += by
          return referenceLoss(spec, other, x, labels)
        }
        const numeric = (moved(1e-6) - moved(-1e-6)) / 2e-6
        expect(Math.abs(analytic[index]! - numeric), `${name}[${index}]`).toBeLessThan(
          2e-4 * Math.max(largest, 0.01),
        )
      }
    }
  })

  it('gives the same answer trained and as the constants of an exported graph', async () => {
    const { parameters, x } = problem()
    const { numbers } = await step(parameters, x)
    // With the batch's own statistics the exported network must repeat the training pass.
    const graph = featuresGraph(spec, parameters, numbers('statistics'))
    const session = await OnnxSession.open(writeOnnx(graph), { threads: 1 })
    const { features } = await session.run({ input: float32([labels.length, 3, 8, 8], x) })
    await session.dispose()
    const head = headOf(spec, parameters)
    const width = 5
    let loss = 0
    labels.forEach((label, row) => {
      const logits = [0, 1, 2].map((k) =>
        [...(features!.data as Float32Array).subarray(row * width, (row + 1) * width)].reduce(
          (sum, value, j) => sum + value * head[k * width + j]!,
          head[3 * width + k]!,
        ),
      )
      loss += Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[label]!
    })
    expect(loss / labels.length).toBeCloseTo(numbers('loss')[0]!, 4)
  })

  it('starts from the same weights for the same seed, and from others for another', () => {
    expect(initialParameters(spec, 3)).toEqual(initialParameters(spec, 3))
    expect(initialParameters(spec, 3)).not.toEqual(initialParameters(spec, 4))
    expect([...initialStatistics(spec)].slice(0, 32)).toEqual([...Array(16).fill(0), ...Array(16).fill(1)])
  })
})

describe('Adam', () => {
  it('makes the steps the paper gives', () => {
    // Worked by hand: with bias correction the first step is the learning rate times the sign of the gradient.
    const parameters = Float32Array.of(1, -2)
    const adam = new Adam(2)
    adam.step(parameters, Float32Array.of(0.5, -3), 0.1)
    expect(parameters[0]).toBeCloseTo(0.9, 6)
    expect(parameters[1]).toBeCloseTo(-1.9, 6)
    adam.step(parameters, Float32Array.of(-0.5, -3), 0.1)
    // first = 0.9·0.05 − 0.05 = −0.005 → / 0.19; second = 0.001999·0.25 … → √(second / 0.001999) = 0.5
    expect(parameters[0]).toBeCloseTo(0.9 + (0.1 * (0.005 / 0.19)) / 0.5, 5)
  })

  it('decays weights only', () => {
    const parameters = Float32Array.of(1, 1)
    new Adam(2, { weightDecay: 0.5 }).step(parameters, new Float32Array(2), 0.1, (index) => index === 0)
    expect([...parameters]).toEqual([Math.fround(0.95), 1])
  })

  it('warms up and ends at zero', () => {
    expect(cosineRate(0, 100, 1, 10)).toBeCloseTo(0.1)
    expect(cosineRate(10, 100, 1, 10)).toBe(1)
    expect(cosineRate(55, 100, 1, 10)).toBeCloseTo(0.5)
    expect(cosineRate(100, 100, 1, 10)).toBeCloseTo(0)
  })
})
