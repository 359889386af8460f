import { expect, test } from 'vitest'
import { optimiseForInference } from '#trainer/graph/optimise.ts'
import { elementCount, float32, toFloat32 } from '#trainer/graph/tensor.ts'
import type { Graph } from '#trainer/graph/types.ts'
import { buildArchitecture, type ArchitectureId } from '#trainer/models/architectures/index.ts'
import { backboneOf, type Backbone } from '#trainer/models/backbone.ts'
import { findBlocks } from '#trainer/models/blocks.ts'
import { splitAt } from '#trainer/models/fine-tune.ts'
import { learnableOf } from '#trainer/models/learnable.ts'
import { readModel } from '#trainer/models/source.ts'
import { largestDifference, referenceFeatures, referenceInputs, runGraph } from '../../helpers/graphs.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'

interface Real {
  id: string
  architecture: ArchitectureId
  width: number
  size: number
  blocks: number
  /** What learns, normalisation folded into the convolutions. */
  learned: number
}

const real: Real[] = [
  {
    id: 'mobilenet_v1_0.25_128',
    architecture: 'mobilenet_v1',
    width: 0.25,
    size: 128,
    blocks: 13,
    learned: 210_336,
  },
  {
    id: 'mobilenet_v1_0.50_160',
    architecture: 'mobilenet_v1',
    width: 0.5,
    size: 160,
    blocks: 13,
    learned: 813_120,
  },
  {
    id: 'mobilenet_v2_1.0_224',
    architecture: 'mobilenet_v2',
    width: 1,
    size: 224,
    blocks: 17,
    learned: 2_206_816,
  },
  { id: 'squeezenet_v1.1_227', architecture: 'squeezenet', width: 1, size: 227, blocks: 8, learned: 722_496 },
]

/** The pictures that the references are made from, the first `count` of them. */
async function picturesFor(backbone: Backbone, count: number) {
  const { width, height } = backbone.input
  const all = await referenceInputs(backbone.preprocessing!)
  return { data: all.subarray(0, count * 3 * width * height), shape: [count, 3, height, width] }
}

/** Weights of one graph put into another whose layers come in the same order. */
function withWeightsOf(graph: Graph, from: Graph): Graph {
  const given = learnableOf(from).map(({ name }) => toFloat32(from.initialisers.get(name)!))
  const initialisers = new Map(graph.initialisers)
  learnableOf(graph).forEach(({ name, shape }, index) => {
    if (given[index]?.length !== elementCount(shape)) throw new Error(`${name} does not fit`)
    initialisers.set(name, float32(shape, given[index]))
  })
  return { ...graph, initialisers }
}

describeWithShared('real weights', ['backbones/mobilenet_v2_1.0_224/model.h5'], () => {
  test.each(real)('$id in our own architecture gives the published features', async (wanted) => {
    const backbone = backboneOf(await readModel(sharedPath(`backbones/${wanted.id}/model.h5`)))
    const { architecture, size, width } = wanted
    const built = buildArchitecture(architecture, { size, classes: 1000, seed: 1, width })
    // Both folded: a convolution and its normalisation are one weight and one bias.
    const own = optimiseForInference(backboneOf({ format: 'onnx', graph: built.graph }).graph)
    const pictures = await picturesFor(backbone, 4)
    const { data } = await runGraph(withWeightsOf(own, backbone.graph), pictures.data, pictures.shape)
    expect(largestDifference(data, referenceFeatures(wanted.id).subarray(0, data.length))).toBeLessThan(1e-3)
  })

  test.each(real)('$id is cut into its blocks, and gives the same features in two parts', async (wanted) => {
    const backbone = backboneOf(await readModel(sharedPath(`backbones/${wanted.id}/model.h5`)))
    expect(findBlocks(backbone.graph).length).toBe(wanted.blocks)
    const learned = learnableOf(backbone.graph)
    expect(learned.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(wanted.learned)
    const pictures = await picturesFor(backbone, 2)
    const whole = await runGraph(backbone.graph, pictures.data, pictures.shape)
    const scale = Math.max(...whole.data)
    for (const keepTop of [1, 2, 5]) {
      const { trunk, tail } = splitAt(backbone.graph, keepTop)
      const middle = await runGraph(trunk, pictures.data, pictures.shape)
      const { data } = await runGraph(tail.graph, middle.data, middle.shape)
      expect(largestDifference(data, whole.data) / scale).toBeLessThan(1e-5)
      expect(Math.min(...tail.parameters.map(({ block }) => block))).toBe(wanted.blocks - keepTop)
    }
  })
})
