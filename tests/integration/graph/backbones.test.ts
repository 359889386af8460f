import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readOnnx, writeOnnx } from '../../../electron/trainer/graph/onnx/index.ts'
import { prepareBackbone } from '../../../electron/trainer/models/backbone.ts'
import { largestDifference, referenceFeatures, referenceInputs, runGraph } from '../../helpers/graphs.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'
import { withContents } from '../../helpers/folders.ts'

const expected = [
  {
    id: 'mobilenet_v1_0.25_128',
    architecture: 'mobilenet_v1',
    size: 128,
    features: 256,
    parameters: 218_544,
  },
  {
    id: 'mobilenet_v1_0.50_160',
    architecture: 'mobilenet_v1',
    size: 160,
    features: 512,
    parameters: 829_536,
  },
  {
    id: 'mobilenet_v2_1.0_224',
    architecture: 'mobilenet_v2',
    size: 224,
    features: 1280,
    parameters: 2_257_984,
  },
  { id: 'squeezenet_v1.1_227', architecture: 'squeezenet', size: 227, features: 512, parameters: 722_496 },
]

describeWithShared('real backbones', ['backbones/mobilenet_v2_1.0_224/model.h5'], () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kestrel-backbones-'))
  })
  afterAll(() => rmSync(folder, withContents))

  test.each(expected)('$id gives the features of the framework it comes from', async (wanted) => {
    const target = join(folder, `${wanted.id}.onnx`)
    const result = await prepareBackbone(sharedPath(`backbones/${wanted.id}/model.h5`), target)
    expect(result).toMatchObject({
      kind: 'prepare-backbone',
      architecture: wanted.architecture,
      input: { width: wanted.size, height: wanted.size },
      featureLength: wanted.features,
      parameters: wanted.parameters,
    })
    const { preprocessing } = result
    if (preprocessing === null) throw new Error('the preprocessing of a known architecture is known')
    const inputs = await referenceInputs(preprocessing)
    const shape = [16, 3, wanted.size, wanted.size]
    const bytes = readFileSync(target)
    const { data } = await runGraph(bytes, inputs, shape)
    expect(largestDifference(data, referenceFeatures(wanted.id))).toBeLessThan(1e-3)

    // What is written is read back as the same graph, which gives the same features.
    const graph = readOnnx(bytes)
    const again = writeOnnx(graph)
    expect(readOnnx(again)).toEqual({ ...graph, producer: 'kestrel-studio' })
    expect((await runGraph(again, inputs, shape)).data).toEqual(data)
  })
})
