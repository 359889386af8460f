import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { readKeras } from '../../../electron/trainer/graph/keras/index.ts'
import { parseModel } from '../../../electron/trainer/graph/keras/config.ts'
import { windowAlong } from '../../../electron/trainer/graph/keras/convolution.ts'
import { snakeCase } from '../../../electron/trainer/graph/keras/archive.ts'
import { optimiseForInference } from '../../../electron/trainer/graph/optimise.ts'
import type { Graph } from '../../../electron/trainer/graph/types.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'

const fixture = (name: string): string => join(import.meta.dirname, '../../fixtures/keras', name)

const goldenSchema = z.object({
  shape: z.array(z.int()),
  input: z.array(z.number()),
  output: z.array(z.number()),
})

/** What Keras answered, its input turned to [batch, 3, height, width]. */
function golden(name: string): { input: Float32Array; shape: number[]; output: number[] } {
  const { shape, input, output } = goldenSchema.parse(
    JSON.parse(readFileSync(fixture(`${name}.json`), 'utf8')),
  )
  const [batch, height, width, channels] = shape as [number, number, number, number]
  const turned = new Float32Array(input.length)
  let from = 0
  for (let row = 0; row < batch; row++) {
    for (let pixel = 0; pixel < height * width; pixel++) {
      for (let channel = 0; channel < channels; channel++) {
        turned[(row * channels + channel) * height * width + pixel] = input[from++]!
      }
    }
  }
  return { input: turned, shape: [batch, channels, height, width], output }
}

async function expectAnswers(graph: Graph, name: string): Promise<void> {
  const { input, shape, output } = golden(name)
  const plain = await runGraph(graph, input, shape)
  expect(largestDifference(plain.data, output)).toBeLessThan(1e-5)
  const optimised = await runGraph(optimiseForInference(graph), input, shape)
  expect(largestDifference(optimised.data, output)).toBeLessThan(1e-5)
}

describe('Keras files answer as Keras does', () => {
  test.each(['functional.h5', 'nested.h5', 'functional_keras2.h5', 'nested_keras2.h5'])(
    '%s',
    async (name) => {
      await expectAnswers(await readKeras('keras-h5', fixture(name)), name.replace('.h5', ''))
    },
  )

  test.each(['functional.keras', 'nested.keras'])('%s', async (name) => {
    await expectAnswers(await readKeras('keras-archive', fixture(name)), name.replace('.keras', ''))
  })

  test('pictures keep their channels first, without a transposition before the first dense layer', async () => {
    const graph = optimiseForInference(await readKeras('keras-h5', fixture('functional.h5')))
    const transposed = graph.nodes.filter((node) => node.op === 'Transpose').map((node) => node.name)
    // Two around the layer normalisation, one where Keras' order matters for Flatten.
    expect(transposed).toEqual(['layer_norm/Transpose', 'layer_norm/Transpose_2', 'flatten/Transpose'])
    // Zero padding went into the convolution, both normalisations too.
    expect(graph.nodes.some((node) => node.op === 'Pad' || node.op === 'BatchNormalization')).toBe(false)
  })
})

describe('TensorFlow’s padding', () => {
  test.each([
    { size: 224, kernel: 3, stride: 2, dilation: 1, out: 112, before: 0, after: 1 },
    { size: 225, kernel: 3, stride: 2, dilation: 1, out: 113, before: 1, after: 1 },
    { size: 7, kernel: 3, stride: 1, dilation: 2, out: 7, before: 2, after: 2 },
    { size: 5, kernel: 2, stride: 1, dilation: 1, out: 5, before: 0, after: 1 },
    { size: 5, kernel: 1, stride: 3, dilation: 1, out: 2, before: 0, after: 0 },
  ])('same: size $size, kernel $kernel, stride $stride, dilation $dilation', (given) => {
    const { out, before, after } = windowAlong(given.size, given.kernel, given.stride, given.dilation, 'same')
    expect({ out, before, after }).toEqual({ out: given.out, before: given.before, after: given.after })
  })
})

describe('what cannot be read is named', () => {
  const layer = (className: string, config: object = {}): object => ({
    class_name: className,
    config: { name: 'odd', ...config },
  })
  const sequential = (...layers: object[]): object => ({
    class_name: 'Sequential',
    config: { name: 'model', layers },
  })

  test('a damaged description', () => {
    expect(() => parseModel({ class_name: 'Sequential', config: { layers: 5 } })).toThrow(/damaged/)
    expect(() => parseModel(null)).toThrow(/damaged/)
    expect(() => parseModel(layer('MyModel'))).toThrow(/Functional and Sequential/)
  })

  test('models nested without end', () => {
    let model = sequential(layer('InputLayer', { batch_shape: [null, 4] }))
    for (let depth = 0; depth < 12; depth++) model = sequential({ ...model, name: 'inner' })
    expect(() => parseModel(model)).toThrow(/nested too deeply/)
  })

  test('names of classes as Keras writes them into archives', () => {
    expect(
      ['Conv2D', 'DepthwiseConv2D', 'ReLU', 'BatchNormalization', 'GlobalAveragePooling2D'].map(snakeCase),
    ).toEqual(['conv2d', 'depthwise_conv2d', 're_lu', 'batch_normalization', 'global_average_pooling2d'])
  })

  test('files that are something else', async () => {
    const other = fixture('functional.json')
    await expect(readKeras('keras-h5', other)).rejects.toMatchObject({ code: 'backbone-damaged' })
    await expect(readKeras('keras-archive', other)).rejects.toMatchObject({ code: 'backbone-damaged' })
    await expect(readKeras('keras-h5', fixture('none.h5'))).rejects.toMatchObject({
      code: 'backbone-damaged',
    })
  })
})
