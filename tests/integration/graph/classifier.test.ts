import * as onnxruntime from 'onnxruntime-node'
import sharp from 'sharp'
import { expect, test } from 'vitest'
import { toNetworkInput } from '#shared/domain/preprocessing/index.ts'
import { createRandom } from '#shared/domain/random.ts'
import { readOnnx } from '../../../electron/trainer/graph/onnx/index.ts'
import { backboneOf } from '../../../electron/trainer/models/backbone.ts'
import { composeBatchClassifier, composeClassifier } from '../../../electron/trainer/models/classifier.ts'
import { metadataKeys } from '../../../electron/trainer/models/classifier-metadata.ts'
import { readModel } from '../../../electron/trainer/models/source.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'

const classes = ['daisy', 'dandelion', 'roses', 'sunflowers', 'tulips']

/** A head as it comes out of training on centred, scaled features, with made-up numbers of the usual size. */
function someHead(features: number, seed: number) {
  const random = createRandom(seed)
  const filled = (length: number, value: () => number): Float64Array => Float64Array.from({ length }, value)
  return {
    weights: filled(classes.length * features, () => (random.float() - 0.5) * 0.2),
    bias: filled(classes.length, () => random.float() - 0.5),
    featureMean: filled(features, () => random.float()),
    featureScale: filled(features, () => 0.5 + random.float()),
  }
}

describeWithShared(
  'composed classifiers',
  ['backbones/squeezenet_v1.1_227/model.h5', 'data/flowers5'],
  () => {
    test.each(['mobilenet_v1_0.25_128', 'squeezenet_v1.1_227'])(
      'on %s: resize, scaling and head inside the model answer like the parts outside it',
      async (id) => {
        const backbone = backboneOf(await readModel(sharedPath(`backbones/${id}/model.h5`)))
        const { preprocessing, graph: trunk } = backbone
        if (preprocessing === null) throw new Error('known architecture')
        const head = someHead(backbone.featureLength, 7)
        const whole = composeClassifier({
          trunk,
          head,
          preprocessing,
          classes,
          threshold: 0.5,
          kestrelVersion: '0',
        })
        const batch = composeBatchClassifier({ trunk, head, preprocessing, classes })
        const session = await onnxruntime.InferenceSession.create(whole)
        const { width, height } = preprocessing.size
        for (const name of ['daisy/107592979_aaa9cdfe78_m.jpg', 'tulips/11746367_d23a35b085_n.jpg']) {
          const file = sharp(sharedPath(`data/flowers5/${name}`)).removeAlpha()
          const { data, info } = await file.raw().toBuffer({ resolveWithObject: true })
          const picture = new onnxruntime.Tensor('uint8', data, [info.height, info.width, 3])
          const { probabilities } = await session.run({ image: picture })
          expect(probabilities!.dims).toEqual([classes.length])

          const input = toNetworkInput({ data, width: info.width, height: info.height }, preprocessing)
          const shape = [1, 3, height, width]
          const split = await runGraph(batch, input, shape)
          expect(split.shape).toEqual([1, classes.length])
          // The runtime's resize may differ from Pillow's by one grey level in a few places.
          expect(largestDifference(probabilities!.data as Float32Array, split.data)).toBeLessThan(5e-3)

          const features = (await runGraph(trunk, input, shape)).data
          const logits = classes.map((_, row) => {
            let sum = head.bias[row]!
            for (let column = 0; column < features.length; column++) {
              const scaled = (features[column]! - head.featureMean[column]!) / head.featureScale[column]!
              sum += head.weights[row * features.length + column]! * scaled
            }
            return sum
          })
          const largest = Math.max(...logits)
          const exponents = logits.map((value) => Math.exp(value - largest))
          const total = exponents.reduce((a, b) => a + b)
          const wanted = exponents.map((value) => value / total)
          expect(largestDifference(split.data, wanted)).toBeLessThan(1e-5)
        }
        await session.release()
      },
    )

    test('the file says its labels, its preprocessing and its threshold', async () => {
      const backbone = backboneOf(await readModel(sharedPath('backbones/mobilenet_v1_0.25_128/model.h5')))
      const { preprocessing, graph: trunk, featureLength } = backbone
      if (preprocessing === null) throw new Error('known architecture')
      const head = someHead(featureLength, 3)
      const { metadata, inputs, outputs } = readOnnx(
        composeClassifier({ trunk, head, preprocessing, classes, threshold: 0.62, kestrelVersion: '1.2.3' }),
      )
      expect(JSON.parse(metadata.get(metadataKeys.labels) ?? '')).toEqual(classes)
      expect(JSON.parse(metadata.get(metadataKeys.preprocessing) ?? '')).toEqual(preprocessing)
      expect(metadata.get(metadataKeys.threshold)).toBe('0.62')
      expect(metadata.get(metadataKeys.version)).toBe('1.2.3')
      expect(inputs).toEqual([{ name: 'image', type: 'uint8', shape: ['height', 'width', 3] }])
      expect(outputs).toEqual([{ name: 'probabilities', type: 'float32', shape: [5] }])
    })

    test('a head of another size than the classes is refused', async () => {
      const backbone = backboneOf(await readModel(sharedPath('backbones/mobilenet_v1_0.25_128/model.h5')))
      const { preprocessing, graph: trunk, featureLength } = backbone
      if (preprocessing === null) throw new Error('known architecture')
      const parts = { trunk, head: someHead(featureLength, 3), preprocessing, classes: ['one', 'two'] }
      expect(() => composeClassifier(parts)).toThrow(/5 answers for 2 classes/)
    })
  },
)
