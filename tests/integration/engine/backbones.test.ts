import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { readOnnx } from '#trainer/graph/onnx/index.ts'
import { float32, numbers } from '#trainer/graph/tensor.ts'
import { prepareBackbone } from '#trainer/models/backbone.ts'
import { run } from '../../helpers/engines.ts'
import { largestDifference, referenceFeatures, referenceInputs } from '../../helpers/graphs.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'

const backbones = [
  { id: 'mobilenet_v1_0.25_128', size: 128 },
  { id: 'squeezenet_v1.1_227', size: 227 },
]

describeWithShared(
  'whole networks on every engine',
  backbones.map(({ id }) => `backbones/${id}/model.h5`),
  () => {
    test.each(backbones)('$id', async ({ id, size }) => {
      const folder = mkdtempSync(join(tmpdir(), 'kestrel-engines-'))
      try {
        const target = join(folder, 'network.onnx')
        const { preprocessing } = await prepareBackbone(sharedPath(`backbones/${id}/model.h5`), target)
        const pictures = await referenceInputs(preprocessing!)
        const graph = readOnnx(readFileSync(target))
        const [input] = graph.inputs
        const [output] = graph.outputs
        const one = { [input!.name]: float32([1, 3, size, size], pictures.subarray(0, 3 * size * size)) }
        const published = referenceFeatures(id)
        for (const engine of [referenceEngine, onnxEngine]) {
          const found = (await run(engine, graph, one))[output!.name]!
          const wanted = published.subarray(0, found.data.length)
          expect(largestDifference(numbers(found), wanted), engine.id).toBeLessThan(1e-3)
        }
      } finally {
        rmSync(folder, { recursive: true })
      }
    })
  },
)
