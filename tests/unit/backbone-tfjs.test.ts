import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import * as layers from '@tensorflow/tfjs-layers'
import { expect, it } from 'vitest'
import { createRates } from '#studio/backbones/rates.ts'
import { createBackboneService } from '#studio/backbones/service.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createJobRunner } from '#studio/jobs/job-runner.ts'
import { prepareBackbone } from '../../electron/trainer/models/backbone.ts'
import { temporaryFolder } from '../helpers/folders.ts'

/** A small network of layers as its own files: model.json and two files of numbers. */
async function writeLayersModel(folder: string): Promise<void> {
  await tf.setBackend('cpu')
  const model = layers.sequential({
    layers: [
      layers.layers.conv2d({ filters: 8, kernelSize: 3, strides: 2, inputShape: [24, 24, 3] }),
      layers.layers.globalAveragePooling2d({}),
      layers.layers.dense({ units: 4, activation: 'softmax' }),
    ],
  })
  await model.save({
    async save({ modelTopology, weightSpecs, weightData }) {
      const numbers = Buffer.from(weightData as ArrayBuffer)
      await writeFile(join(folder, 'group1-shard1of2.bin'), numbers.subarray(0, 400))
      await writeFile(join(folder, 'group1-shard2of2.bin'), numbers.subarray(400))
      const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin']
      const manifest = [{ paths, weights: weightSpecs }]
      const json = { format: 'layers-model', modelTopology, weightsManifest: manifest }
      await writeFile(join(folder, 'model.json'), JSON.stringify(json))
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } }
    },
  })
  model.dispose()
}

it('takes a TF.js model with all its files, and can prepare it again when they are gone', async () => {
  const home = temporaryFolder()
  const folder = temporaryFolder()
  const bus = createEventBus(() => {})
  const service = createBackboneService({
    ...{ home, folder: null, builtIn: null, catalogue: [], bus },
    jobs: createJobRunner({ bus, reportError: () => {} }),
    log: { info() {}, warn() {}, error() {} },
    rates: createRates(join(home, 'rates.json')),
    prepare: prepareBackbone,
  })
  await writeLayersModel(folder)
  await rm(join(folder, 'group1-shard2of2.bin'))
  await expect(service.add([join(folder, 'model.json')])).rejects.toMatchObject({
    code: 'backbone-damaged',
    message: expect.stringContaining('group1-shard2of2.bin'),
  })
  await writeLayersModel(folder)
  const added = await service.add([folder])
  expect(added).toMatchObject({ featureLength: 8, inputSize: 24, source: 'added' })
  await rm(folder, { recursive: true })
  const { onnxPath, sha256 } = await service.ensure(added.id)
  await writeFile(onnxPath, 'garbage')
  expect(await service.ensure(added.id)).toMatchObject({ sha256 })
})

it('is offered where it lies in a folder named for more backbones', async () => {
  const home = temporaryFolder()
  const folder = temporaryFolder()
  await mkdir(join(folder, 'meadow'))
  await writeLayersModel(join(folder, 'meadow'))
  const bus = createEventBus(() => {})
  const service = createBackboneService({
    ...{ home, folder, builtIn: null, catalogue: [], bus },
    jobs: createJobRunner({ bus, reportError: () => {} }),
    log: { info() {}, warn() {}, error() {} },
    rates: createRates(join(home, 'rates.json')),
    prepare: prepareBackbone,
  })
  expect(await service.list()).toMatchObject([
    { id: 'own-meadow', state: 'ready', source: 'folder', featureLength: 8, inputSize: 24 },
  ])
  expect(await service.ensure('own-meadow')).toMatchObject({ featureLength: 8 })
})
