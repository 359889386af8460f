import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { readModel } from '../../../electron/trainer/models/source.ts'
import { backboneOf } from '../../../electron/trainer/models/backbone.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { withContents } from '../../helpers/folders.ts'

const size = 15

/** As Teachable Machine builds its models: a network of many layers and a head, each a model inside a Sequential. */
function teachable(): layers.LayersModel {
  const l = layers.layers
  const input = layers.input({ shape: [size, size, 3] })
  const call = (
    layer: { apply(x: layers.SymbolicTensor | layers.SymbolicTensor[]): unknown },
    x: layers.SymbolicTensor | layers.SymbolicTensor[],
  ) => layer.apply(x) as layers.SymbolicTensor
  let x = call(
    l.zeroPadding2d({
      padding: [
        [0, 1],
        [0, 1],
      ],
      name: 'pad',
    }),
    input,
  )
  x = call(l.conv2d({ filters: 6, kernelSize: 3, strides: 2, useBias: false, name: 'stem' }), x)
  x = call(l.batchNormalization({ name: 'stem_bn' }), x)
  x = call(l.reLU({ maxValue: 6, name: 'stem_relu' }), x)
  let branch = call(l.depthwiseConv2d({ kernelSize: 3, padding: 'same', name: 'deep' }), x)
  branch = call(l.activation({ activation: 'elu', name: 'deep_elu' }), branch)
  branch = call(l.separableConv2d({ filters: 6, kernelSize: 3, padding: 'same', name: 'apart' }), branch)
  x = call(l.add({ name: 'sum' }), [x, branch])
  x = call(l.maxPooling2d({ poolSize: 2, name: 'max' }), x)
  x = call(l.globalAveragePooling2d({ name: 'mean' }), x)
  const base = layers.model({ inputs: input, outputs: x, name: 'base' })
  const head = layers.sequential({
    name: 'head',
    layers: [
      l.dense({ units: 5, activation: 'relu', inputShape: [6], name: 'hidden' }),
      l.dense({ units: 3, activation: 'softmax', useBias: false, name: 'scores' }),
    ],
  })
  const model = layers.sequential({ name: 'whole' })
  model.add(base)
  model.add(head)
  const random = createRandom(2)
  for (const weight of model.weights) {
    const count = weight.shape.reduce<number>((a, b) => a * (b ?? 1), 1)
    const values = Float32Array.from({ length: count }, () =>
      /variance|gamma/.test(weight.name) ? 0.5 + random.float() : random.normal(0, 0.4),
    )
    weight.write(tf.tensor(values, weight.shape as number[]))
  }
  return model
}

describe('TF.js layers models', () => {
  let folder: string
  let model: layers.LayersModel
  let artifacts: tf.io.ModelArtifacts

  beforeAll(async () => {
    await tf.setBackend('cpu')
    folder = mkdtempSync(join(tmpdir(), 'kestrel-tfjs-'))
    model = teachable()
    await model.save({
      save: (given) => {
        artifacts = given
        return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } })
      },
    })
  })
  afterAll(() => {
    model.dispose()
    rmSync(folder, withContents)
  })

  /** As `tensorflowjs_converter` and the browser's download write it, in two weight files. */
  function write(name: string, paths: string[] = ['a.bin', 'b.bin']): string {
    const data = Buffer.from(artifacts.weightData as ArrayBuffer)
    const half = Math.floor(data.length / 2) + 1
    writeFileSync(join(folder, 'a.bin'), data.subarray(0, half))
    writeFileSync(join(folder, 'b.bin'), data.subarray(half))
    const file = join(folder, name)
    const manifest = [{ paths, weights: artifacts.weightSpecs }]
    const json = { format: 'layers-model', modelTopology: artifacts.modelTopology, weightsManifest: manifest }
    writeFileSync(file, JSON.stringify(json))
    return file
  }

  test('answer as TensorFlow.js does', async () => {
    const { format, graph } = await readModel(write('model.json'))
    expect(format).toBe('tfjs-layers')
    const random = createRandom(8)
    const pixels = Float32Array.from({ length: size * size * 3 }, () => random.float())
    const answer = tf.tidy(() =>
      (model.predict(tf.tensor4d(pixels, [1, size, size, 3])) as tf.Tensor).dataSync(),
    )
    const planes = pixels.map(
      (_, index) => pixels[(index % (size * size)) * 3 + Math.floor(index / (size * size))]!,
    )
    const { data } = await runGraph(graph, planes, [1, 3, size, size])
    expect(largestDifference(data, answer)).toBeLessThan(1e-5)
  })

  test('are cut at their global pooling', async () => {
    const backbone = backboneOf(await readModel(write('model.json')))
    expect(backbone).toMatchObject({ featureLength: 6, input: { width: size, height: size } })
    expect(backbone.featureLayer).toContain('mean')
  })

  test('may not name weight files outside their folder', async () => {
    await expect(readModel(write('escape.json', ['../a.bin', 'b.bin']))).rejects.toMatchObject({
      code: 'backbone-damaged',
    })
  })

  test('with weights missing are refused', async () => {
    const file = write('short.json', ['a.bin'])
    await expect(readModel(file)).rejects.toMatchObject({ code: 'backbone-damaged' })
  })

  test('graph models are told apart in words', async () => {
    const file = join(folder, 'graph.json')
    writeFileSync(
      file,
      JSON.stringify({ format: 'graph-model', modelTopology: { node: [] }, weightsManifest: [] }),
    )
    await expect(readModel(file)).rejects.toThrow(/graph model, which keeps no layers/)
  })
})
