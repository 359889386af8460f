import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { inferShapes } from '#trainer/graph/infer/index.ts'
import { optimiseForInference } from '#trainer/graph/optimise.ts'
import { elementCount } from '#trainer/graph/tensor.ts'
import { validate } from '#trainer/graph/validate.ts'
import {
  architectureIds,
  buildArchitecture,
  type ArchitectureId,
} from '#trainer/models/architectures/index.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import type { Network } from '#trainer/models/network.ts'
import { runGraph } from '../../helpers/graphs.ts'
import { filledWithNoise, noise } from '../../helpers/noise.ts'

/** Made by `tests/fixtures/architectures/make.py`. */
const golden = z
  .object({
    size: z.number(),
    classes: z.number(),
    /** Trainable numbers of Keras' own networks, by name and width. */
    counts: z.record(z.string(), z.number()),
    /** The first logits of Keras or PyTorch for one picture. */
    answers: z.record(z.string(), z.array(z.number())),
  })
  .parse(
    JSON.parse(
      readFileSync(resolve(import.meta.dirname, '../../fixtures/architectures/golden.json'), 'utf8'),
    ),
  )

/**
 * As published, 1000 classes. From pytorch.org/vision/stable/models (`num_params` of its weights); the last from
 * huggingface.co/timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k (5.7 M; summed up from its layers).
 */
const published: Partial<Record<ArchitectureId, number>> = {
  mobilenet_v2: 3_504_872,
  mobilenet_v3_small: 2_542_856,
  mobilenet_v3_large: 5_483_032,
  efficientnet_b0: 5_288_548,
  resnet18: 11_689_512,
  resnet50: 25_557_032,
  squeezenet: 1_235_496,
  convnext_tiny: 28_589_128,
  vit_tiny: 5_717_416,
}

const features: Record<ArchitectureId, number> = {
  mobilenet_v1: 1024,
  mobilenet_v2: 1280,
  mobilenet_v3_small: 576,
  mobilenet_v3_large: 960,
  efficientnet_b0: 1280,
  efficientnet_v2_b0: 1280,
  resnet18: 512,
  resnet50: 2048,
  squeezenet: 512,
  convnext_tiny: 768,
  vit_tiny: 192,
}

/** What `recogniseArchitecture` calls them, where it is not the same. */
const recognised: Partial<Record<ArchitectureId, string>> = {
  convnext_tiny: 'convnext',
  vit_tiny: 'vision_transformer',
}

const learned = ({ parameters }: Network): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0)

describe('published architectures', () => {
  test.each(architectureIds)(
    '%s has its size, is recognised, and gives what its publication gives',
    async (id) => {
      const { size, classes } = golden
      const network = buildArchitecture(id, { size, classes, seed: 1 })
      validate(network.graph)
      // A smaller picture has fewer places to learn a vector for.
      const places = id === 'vit_tiny' ? (14 ** 2 - (size / 16) ** 2) * 192 : 0
      for (const count of [published[id], golden.counts[`${id} 1.0`]])
        if (count !== undefined) expect(learned(network)).toBe(count - places)
      expect(published[id] ?? golden.counts[`${id} 1.0`]).toBeDefined()
      expect(inferShapes(network.graph).get('logits')?.shape).toEqual(['batch', classes])

      const backbone = backboneOf({ format: 'onnx', graph: network.graph })
      expect(backbone.featureLength).toBe(features[id])
      expect(backbone.architecture).toBe(recognised[id] ?? id)

      const filled = optimiseForInference(filledWithNoise(network))
      const { data } = await runGraph(filled, noise(3 * size * size, 0), [1, 3, size, size])
      expect(data.length).toBe(classes)
      // SqueezeNet's reference are real weights (tests/integration/graph/architectures.test.ts).
      const wanted = golden.answers[id] ?? []
      expect(wanted.length).toBe(id === 'squeezenet' ? 0 : 5)
      const largest = Math.max(...wanted.map(Math.abs))
      wanted.forEach((value, index) => expect(Math.abs(data[index]! - value) / largest).toBeLessThan(1e-4))
    },
  )

  test.each(Object.keys(golden.counts).filter((key) => !key.endsWith(' 1.0')))(
    '%s times the width learns as many numbers as Keras has it',
    (key) => {
      const [id, width] = key.split(' ') as [ArchitectureId, string]
      const network = buildArchitecture(id, { size: 96, classes: 1000, seed: 1, width: Number(width) })
      expect(learned(network)).toBe(golden.counts[key])
    },
  )

  test('a width or size that there is not is refused in words', () => {
    const options = { size: 64, classes: 2, seed: 1 }
    expect(() => buildArchitecture('mobilenet_v1', { ...options, width: 0.4 })).toThrow(/0.4 times the width/)
    expect(() => buildArchitecture('resnet18', { ...options, width: 0.5 })).toThrow(/0.5 times the width/)
    expect(() => buildArchitecture('vit_tiny', { ...options, size: 100 })).toThrow(/multiples of 16/)
  })
})
