import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../electron/trainer/graph/builder.ts'
import { writeOnnx } from '../../electron/trainer/graph/onnx/index.ts'
import { float32 } from '../../electron/trainer/graph/tensor.ts'
import { int, ints } from '../../electron/trainer/graph/types.ts'

export const tinyFeatureLength = 24

/**
 * A classifier of 32 × 32 pictures with random weights and 24 features, as an ONNX file.
 * @param blind all it sees is how light a picture is, 24 times over
 */
export function tinyNetwork(seed = 1, { blind = false } = {}): Uint8Array {
  const random = createRandom(seed)
  const weights = (shape: number[], scale: number) =>
    float32(
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal(0, scale)),
    )
  const builder = new GraphBuilder('tiny')
  const input = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, 32, 32] })
  const shape = [tinyFeatureLength, 3, 5, 5]
  const kernel = builder.constant(
    'kernel',
    blind ? float32(shape, new Array<number>(tinyFeatureLength * 75).fill(0.02)) : weights(shape, 0.2),
  )
  const convolved = builder.node('Conv', [input, kernel], { strides: ints([2, 2]), pads: ints([2, 2, 2, 2]) })
  const pooled = builder.node('GlobalAveragePool', [builder.node('Relu', [convolved])], {}, 'pool')
  const flat = builder.node('Flatten', [pooled], { axis: int(1) })
  const scores = builder.node('Gemm', [
    flat,
    builder.constant('dense', weights([tinyFeatureLength, 5], 0.2)),
    builder.constant('bias', weights([5], 0.1)),
  ])
  builder.output(builder.node('Softmax', [scores]), {
    name: 'scores',
    type: 'float32',
    shape: ['batch', 5],
  })
  return writeOnnx(builder.build())
}
