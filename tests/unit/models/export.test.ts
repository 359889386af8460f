import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, expect, test } from 'vitest'
import { templateIds, templateNetwork, type NetworkSpec } from '#shared/domain/network/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { optimiseForInference } from '#trainer/graph/optimise.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'
import { ScalingFit } from '#trainer/models/layers/preprocessing.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { everything } from '../../helpers/networks.ts'
import { answerOfTfjs } from '../../helpers/tfjs.ts'

beforeAll(async () => {
  await tf.setBackend('cpu')
})

test.each<[string, NetworkSpec]>([
  ['every layer', { ...everything, preprocessing: 'standardise' }],
  ...templateIds.map((id) => [id, templateNetwork(id, { size: 32, classes: 4 })] as [string, NetworkSpec]),
])('%s can leave for TF.js, and answers the same there', async (_name, spec) => {
  const { width, height } = spec.input
  const random = createRandom(6)
  const pixels = Float32Array.from({ length: width * height * 3 }, () => random.normal())
  const planes = pixels.map((_, index) => {
    const [channel, pixel] = [Math.floor(index / (width * height)), index % (width * height)]
    return pixels[pixel * 3 + channel]!
  })
  const fit = new ScalingFit(spec.preprocessing, [3, height, width])
  fit.add(planes)
  const graph = optimiseForInference(buildNetwork(spec, { seed: 1, scaling: fit.result() }).graph)
  const here = await runGraph(graph, planes, [1, 3, height, width])
  const there = await answerOfTfjs(
    graph,
    { mean: [0, 0, 0], divisor: [1, 1, 1], channelOrder: 'RGB' },
    pixels,
  )
  expect(there.shape).toEqual(here.shape)
  expect(largestDifference(here.data, there.data)).toBeLessThan(1e-4)
})
