import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { toNetworkInput } from '#shared/domain/preprocessing/index.ts'
import type { Preprocessing } from '#shared/domain/preprocessing/index.ts'
import { asTheyAre, preprocessingOf, symmetric } from '#shared/domain/preprocessing/scaling.ts'
import type { Scaling } from '#shared/domain/preprocessing/scaling.ts'
import { pixelPreprocessing } from '#shared/domain/preprocessing/pixels.ts'
import { templateIds, templateNetwork } from '#shared/domain/network/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { readOnnx, writeOnnx } from '#trainer/graph/onnx/index.ts'
import { float32, int64s } from '#trainer/graph/tensor.ts'
import { int, ints, string } from '#trainer/graph/types.ts'
import type { Graph, Tensor } from '#trainer/graph/types.ts'
import { buildArchitecture } from '#trainer/models/architectures/index.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import type { Backbone } from '#trainer/models/backbone.ts'
import { classifierGraph, composeBatchClassifier, withPreprocessing } from '#trainer/models/classifier.ts'
import { takingColour } from '#trainer/models/colour-input.ts'
import { attachHead, splitAt } from '#trainer/models/fine-tune.ts'
import { buildNetwork } from '#trainer/models/layers/build.ts'
import { ScalingFit } from '#trainer/models/layers/preprocessing.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { tinyFeatureLength, tinyNetwork } from '../../helpers/tiny-backbone.ts'

const vitFile = join(import.meta.dirname, '../../fixtures/architectures/exported-vit.onnx')
const classes = ['berry', 'box', 'lemon']
const size = { width: 32, height: 32 }
const random = createRandom(8)

/** A picture of another size than any network's. */
const photograph = {
  width: 45,
  height: 37,
  data: Uint8Array.from({ length: 45 * 37 * 3 }, () => Math.floor(random.float() * 256)),
}

const scalings: Record<string, Scaling> = {
  'to −1 … 1': symmetric,
  'as they are': asTheyAre,
  'as BGR without a mean colour': {
    channelOrder: 'BGR',
    mean: [123.68, 116.779, 103.939],
    divisor: [1, 1, 1],
  },
  'by mean and deviation': {
    channelOrder: 'RGB',
    mean: [123.675, 116.28, 103.53],
    divisor: [58.395, 57.12, 57.375],
  },
}

const headOf = (features: number) => ({
  weights: Float64Array.from({ length: classes.length * features }, () => random.normal()),
  bias: Float64Array.from(classes, () => random.normal()),
  featureMean: Float64Array.from({ length: features }, () => random.float()),
  featureScale: Float64Array.from({ length: features }, () => 0.5 + random.float()),
})

const added = (graph: Graph): Backbone => backboneOf({ format: 'onnx', graph: readOnnx(writeOnnx(graph)) })

/** What a network gives for the photograph as the app shows it to it. */
async function answer(graph: Graph | Uint8Array, preprocessing: Preprocessing | null): Promise<Float32Array> {
  if (preprocessing === null) throw new Error('its preprocessing is not known')
  const { width, height } = preprocessing.size
  return (await runGraph(graph, toNetworkInput(photograph, preprocessing), [1, 3, height, width])).data
}

const trunk = added(readOnnx(tinyNetwork())).graph

test.each(Object.entries(scalings))(
  'an export whose pictures are taken %s gives the features of the run it is from',
  async (_name, scaling) => {
    const preprocessing = preprocessingOf(size, scaling)
    const exported = classifierGraph({ trunk, head: headOf(tinyFeatureLength), preprocessing, classes })
    const backbone = added(exported)
    expect(backbone).toMatchObject({
      input: size,
      featureLength: tinyFeatureLength,
      labels: classes,
      preprocessing,
    })
    const wanted = await answer(trunk, preprocessing)
    expect(largestDifference(await answer(backbone.graph, preprocessing), wanted)).toBeLessThan(1e-6)
    // Only the trunk is left: neither the reading nor the head.
    expect(backbone.graph.nodes.map(({ op }) => op)).toEqual(trunk.nodes.map(({ op }) => op))
  },
)

test.each(Object.entries(scalings))(
  'without what it says of itself an export is told by its operators (%s)',
  async (_name, scaling) => {
    const preprocessing = preprocessingOf(size, scaling)
    const exported = classifierGraph({ trunk, head: headOf(tinyFeatureLength), preprocessing, classes })
    const backbone = added({ ...exported, metadata: new Map() })
    expect(backbone.labels).toBeUndefined()
    expect(backbone.preprocessing?.channelOrder).toBe(scaling.channelOrder)
    const found = await answer(backbone.graph, backbone.preprocessing)
    expect(largestDifference(found, await answer(trunk, preprocessing))).toBeLessThan(1e-5)
  },
)

test('an export that was changed is believed by what it does, not by what it says', async () => {
  const exported = classifierGraph({
    ...{ trunk, head: headOf(tinyFeatureLength), classes },
    preprocessing: preprocessingOf(size, symmetric),
  })
  const said = { 'kestrel.preprocessing': JSON.stringify(preprocessingOf(size, asTheyAre)) }
  for (const metadata of [said, { 'kestrel.preprocessing': '{' }]) {
    const { preprocessing, graph } = added({ ...exported, metadata: new Map(Object.entries(metadata)) })
    const wanted = await answer(trunk, preprocessingOf(size, symmetric))
    expect(largestDifference(await answer(graph, preprocessing), wanted)).toBeLessThan(1e-5)
  }
})

/** As exports began before they carried a resize of their own. */
function earlyExport(batch: Graph): Graph {
  const builder = new GraphBuilder('classifier')
  const image = builder.input({ name: 'image', type: 'uint8', shape: ['height', 'width', 3] })
  const planes = builder.node('Transpose', [image], { perm: ints([2, 0, 1]) })
  const one = builder.node('Unsqueeze', [planes, builder.constant('axes', int64s([0]))])
  const sizes = builder.constant('sizes', int64s([1, 3, size.height, size.width]))
  const linear = { mode: string('linear'), antialias: int(1), exclude_outside: int(1) }
  const real = builder.node('Cast', [builder.node('Resize', [one, '', '', sizes], linear)], { to: int(1) })
  const middle = builder.constant('mean', float32([1, 3, 1, 1], [127.5, 127.5, 127.5]))
  const scaled = builder.node('Div', [builder.node('Sub', [real, middle]), middle])
  const inside = builder.embed(batch, new Map([[batch.inputs[0]!.name, scaled]]), 'network/')
  const answers = builder.node('Reshape', [
    inside(batch.outputs[0]!.name),
    builder.constant('all', int64s([-1])),
  ])
  builder.output(answers, { name: 'probabilities', type: 'float32', shape: [classes.length] })
  return builder.build()
}

test('an export of the first kind, with the Resize of ONNX, is taken too', async () => {
  const preprocessing = preprocessingOf(size, symmetric)
  const batch = readOnnx(
    composeBatchClassifier({ trunk, head: headOf(tinyFeatureLength), preprocessing, classes }),
  )
  const backbone = added(earlyExport(batch))
  expect(backbone.preprocessing).toEqual(preprocessing)
  expect(await answer(backbone.graph, preprocessing)).toEqual(await answer(trunk, preprocessing))
})

test('what a run keeps for itself is taken with its preprocessing', async () => {
  const preprocessing = preprocessingOf(size, scalings['by mean and deviation']!)
  const kept = composeBatchClassifier({ trunk, head: headOf(tinyFeatureLength), preprocessing, classes })
  const backbone = added(readOnnx(kept))
  expect(backbone).toMatchObject({ preprocessing, labels: classes })
  expect(await answer(backbone.graph, preprocessing)).toEqual(await answer(trunk, preprocessing))
})

const enlarged = (value: Tensor): Tensor =>
  value.type === 'float32'
    ? float32(
        value.shape,
        value.data.map((number) => number * 1.5),
      )
    : value

test('an adapted network gives the features that it has learned', async () => {
  const preprocessing = preprocessingOf(size, symmetric)
  const parts = splitAt(trunk, 1)
  const network = attachHead(parts, { classes: classes.length, seed: 3 })
  // As after training: other numbers in the layers that learn.
  const learned = new Map([...network.graph.initialisers].map(([name, value]) => [name, enlarged(value)]))
  const tuned = { ...network.graph, initialisers: learned }
  const exported = classifierGraph({ trunk: parts.trunk, head: tuned, preprocessing, classes })
  const backbone = added(exported)
  expect(backbone.featureLength).toBe(tinyFeatureLength)
  const [before, found] = [await answer(trunk, preprocessing), await answer(backbone.graph, preprocessing)]
  expect(
    largestDifference(
      found,
      before.map((number) => number * 1.5),
    ),
  ).toBeLessThan(1e-4)
})

test.each([
  [
    'class scores that are pooled',
    () => buildArchitecture('squeezenet', { size: 64, classes: 1000, seed: 1 }).graph,
    512,
  ],
  ['a transformer', () => readOnnx(readFileSync(vitFile)), 16],
] as const)(
  'the features of a network with %s are the same after its export',
  async (_name, open, length) => {
    const original = added(open())
    const preprocessing = preprocessingOf(original.input, symmetric)
    const exported = classifierGraph({ trunk: original.graph, head: headOf(length), preprocessing, classes })
    const backbone = added(exported)
    expect([original.featureLength, backbone.featureLength]).toEqual([length, length])
    const wanted = await answer(original.graph, preprocessing)
    expect(largestDifference(await answer(backbone.graph, preprocessing), wanted)).toBeLessThan(1e-5)
  },
)

test.each(
  templateIds.flatMap((id) => [
    [id, 3, 'standardise'],
    [id, id === 'lenet-5' ? 1 : 3, 'mean-image'],
  ]) as [(typeof templateIds)[number], 1 | 3, 'standardise' | 'mean-image'][],
)('%s that learned from scratch (%i channels, %s) gives features', async (id, channels, scaling) => {
  const spec = {
    ...templateNetwork(id, { size: 32, classes: classes.length, channels }),
    preprocessing: scaling,
  }
  const preprocessing = pixelPreprocessing(spec.input)
  const fit = new ScalingFit(scaling, [channels, 32, 32])
  fit.add(Float32Array.from({ length: channels * 32 * 32 }, () => random.normal()))
  const network = takingColour(buildNetwork(spec, { seed: 2, scaling: fit.result() })).graph
  const parts = { trunk: network, head: null, preprocessing, classes }
  const [inRun, exported] = [added(readOnnx(composeBatchClassifier(parts))), added(classifierGraph(parts))]
  expect(exported.preprocessing).toEqual(preprocessing)
  expect(exported.featureLength).toBe(inRun.featureLength)
  expect(exported.featureLength).toBeGreaterThan(classes.length)
  const wanted = await answer(inRun.graph, preprocessing)
  expect(largestDifference(await answer(exported.graph, preprocessing), wanted)).toBeLessThan(1e-5)
})

test('an export of what was made of an export is one again', async () => {
  const preprocessing = preprocessingOf(size, scalings['as BGR without a mean colour']!)
  let backbone: Graph = trunk
  for (let generation = 0; generation < 3; generation++) {
    const parts = { trunk: backbone, head: headOf(tinyFeatureLength), preprocessing, classes }
    backbone = added(withPreprocessing(readOnnx(composeBatchClassifier(parts)), parts)).graph
  }
  expect(backbone.nodes.map(({ op }) => op)).toEqual(trunk.nodes.map(({ op }) => op))
  expect(await answer(backbone, preprocessing)).toEqual(await answer(trunk, preprocessing))
})
