import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { createRandom, type Random } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../../electron/trainer/graph/builder.ts'
import { inferShapes } from '../../../electron/trainer/graph/infer/index.ts'
import { float32, int64s, scalar } from '../../../electron/trainer/graph/tensor.ts'
import { writeTfjsModel } from '../../../electron/trainer/graph/tfjs/index.ts'
import { float, int, ints, string } from '../../../electron/trainer/graph/types.ts'
import type { Attributes, Graph } from '../../../electron/trainer/graph/types.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'
import { answerOfTfjs } from '../../helpers/tfjs.ts'

const [height, width] = [9, 7]

/** A network being written down, with random weights. */
class Sketch {
  readonly builder = new GraphBuilder('sketch')
  readonly input = this.builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, height, width] })
  private readonly random: Random

  constructor(seed: number) {
    this.random = createRandom(seed)
  }

  weights(shape: number[], offset = 0): string {
    const count = shape.reduce((a, b) => a * b, 1)
    const data = Float32Array.from({ length: count }, () => offset + this.random.normal(0, 0.4))
    return this.builder.constant('weights', float32(shape, data))
  }

  op(op: string, inputs: string[], attributes: Attributes = {}): string {
    return this.builder.node(op, inputs, attributes)
  }

  list(...values: number[]): string {
    return this.builder.constant('list', int64s(values))
  }

  number(value: number): string {
    return this.builder.constant('number', scalar(value))
  }

  build(value: string): Graph {
    this.builder.output(value, { name: 'result', type: 'float32', shape: null })
    return this.builder.build()
  }
}

const identity = { mean: [0, 0, 0], divisor: [1, 1, 1], channelOrder: 'RGB' } as const

/** Both answers for the same picture; they also show that the inferred shape is the real one. */
async function expectSame(graph: Graph, tolerance = 1e-5): Promise<void> {
  const random = createRandom(1)
  const pixels = Float32Array.from({ length: height * width * 3 }, () => random.normal())
  const plane = height * width
  const planes = pixels.map((_, index) => pixels[(index % plane) * 3 + Math.floor(index / plane)]!)
  const wanted = await runGraph(graph, planes, [1, 3, height, width])
  const inferred = inferShapes(graph)
    .get('result')
    ?.shape?.map((size) => (size === 'batch' ? 1 : size))
  expect(inferred).toEqual(wanted.shape)
  const got = await answerOfTfjs(graph, identity, pixels)
  expect(got.shape).toEqual(wanted.shape)
  expect(largestDifference(got.data, wanted.data)).toBeLessThan(tolerance)
}

/** Ends in [batch, n], so that the order of values shows. */
const flat = (sketch: Sketch, value: string): Graph =>
  sketch.build(sketch.op('Flatten', [value], { axis: int(1) }))

type Draw = (sketch: Sketch) => string

const pictures: Record<string, Draw> = {
  'convolution, valid': (s) => s.op('Conv', [s.input, s.weights([4, 3, 3, 3]), s.weights([4])]),
  'convolution, uneven padding and stride': (s) =>
    s.op('Conv', [s.input, s.weights([4, 3, 3, 2])], { strides: ints([2, 2]), pads: ints([0, 1, 1, 0]) }),
  'convolution, dilated': (s) =>
    s.op('Conv', [s.input, s.weights([4, 3, 3, 3])], { dilations: ints([2, 2]), pads: ints([2, 2, 2, 2]) }),
  'convolution, SAME_UPPER': (s) =>
    s.op('Conv', [s.input, s.weights([4, 3, 3, 3])], {
      auto_pad: string('SAME_UPPER'),
      strides: ints([2, 2]),
    }),
  'convolution, depthwise with a multiplier': (s) =>
    s.op('Conv', [s.input, s.weights([6, 1, 3, 3]), s.weights([6])], {
      group: int(3),
      pads: ints([1, 1, 1, 1]),
    }),
  'convolution, grouped': (s) => {
    const wide = s.op('Conv', [s.input, s.weights([4, 3, 1, 1])])
    return s.op('Conv', [wide, s.weights([6, 2, 3, 3]), s.weights([6])], { group: int(2) })
  },
  'convolution with relu': (s) => s.op('Relu', [s.op('Conv', [s.input, s.weights([4, 3, 1, 1])])]),
  'convolution with relu6': (s) =>
    s.op('Clip', [s.op('Conv', [s.input, s.weights([4, 3, 1, 1])]), s.number(0), s.number(6)]),
  'relu of a convolution that is read twice': (s) => {
    const conv = s.op('Conv', [s.input, s.weights([4, 3, 1, 1])])
    return s.op('Add', [s.op('Relu', [conv]), conv])
  },
  'max pooling': (s) => s.op('MaxPool', [s.input], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  'max pooling, padded': (s) =>
    s.op('MaxPool', [s.input], {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
    }),
  'max pooling, ceil': (s) =>
    s.op('MaxPool', [s.input], { kernel_shape: ints([2, 2]), strides: ints([2, 2]), ceil_mode: int(1) }),
  'mean pooling, padding left out': (s) =>
    s.op('AveragePool', [s.input], {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
    }),
  'mean pooling, padding counted': (s) =>
    s.op('AveragePool', [s.input], {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([1, 1, 1, 1]),
      count_include_pad: int(1),
    }),
  'global pooling': (s) =>
    s.op('Add', [s.op('GlobalAveragePool', [s.input]), s.op('GlobalMaxPool', [s.input])]),
  'squeeze and excite': (s) => {
    const pooled = s.op('GlobalAveragePool', [s.input])
    const gate = s.op('HardSigmoid', [s.op('Conv', [pooled, s.weights([3, 3, 1, 1])])])
    return s.op('Mul', [s.input, gate])
  },
  'batch normalisation alone': (s) =>
    s.op('BatchNormalization', [
      s.input,
      s.weights([3], 1),
      s.weights([3]),
      s.weights([3]),
      s.builder.constant('v', float32([3], [0.5, 1, 2])),
    ]),
  'operands per channel': (s) =>
    s.op('Mul', [s.op('Add', [s.input, s.weights([1, 3, 1, 1])]), s.weights([3, 1, 1])]),
  'operand on the left': (s) => s.op('Sub', [s.number(2), s.input]),
  'concatenation of channels': (s) => s.op('Concat', [s.input, s.op('Neg', [s.input])], { axis: int(1) }),
  'softmax over channels': (s) => s.op('Softmax', [s.input], { axis: int(1) }),
  'slice of channels': (s) => s.op('Slice', [s.input, s.list(1), s.list(3), s.list(1)]),
  padding: (s) => s.op('Pad', [s.input, s.list(0, 0, 1, 2, 0, 0, 0, 1), s.number(0.5)]),
  'order of channels': (s) => s.op('Gather', [s.input, s.list(2, 0, 1)], { axis: int(1) }),
  'mean over the picture, kept': (s) => s.op('ReduceMean', [s.input, s.list(2, 3)], { keepdims: int(1) }),
  'mean over channels': (s) => s.op('ReduceMean', [s.input, s.list(1)], { keepdims: int(1) }),
  'transposed to channels last': (s) => s.op('Transpose', [s.input], { perm: ints([0, 2, 3, 1]) }),
  'parametric relu': (s) => s.op('PRelu', [s.input, s.weights([3, 1, 1])]),
}

const unary = [
  'Relu',
  'Sigmoid',
  'Tanh',
  'Softplus',
  'Selu',
  'Elu',
  'Exp',
  'Abs',
  'Neg',
  'Erf',
  'HardSwish',
  'HardSigmoid',
  'LeakyRelu',
  'Identity',
]

describe('networks written for TF.js answer as in ONNX Runtime', () => {
  beforeAll(async () => {
    await tf.setBackend('cpu')
  })

  test.each(Object.entries(pictures))('%s', async (_, draw) => {
    const sketch = new Sketch(3)
    await expectSame(flat(sketch, draw(sketch)))
  })

  test.each(unary)('%s', async (op) => {
    const sketch = new Sketch(4)
    await expectSame(flat(sketch, sketch.op(op, [sketch.input])), op === 'Erf' ? 1e-4 : 1e-5)
  })

  test('a split along channels', async () => {
    const sketch = new Sketch(5)
    const { builder, input } = sketch
    const parts = {
      name: 'split',
      op: 'Split',
      domain: '',
      inputs: [input, sketch.list(1, 2)],
      outputs: ['one', 'two'],
      attributes: { axis: int(1) },
    }
    const graph: Graph = {
      ...builder.build(),
      nodes: [
        parts,
        {
          name: 'joined',
          op: 'Concat',
          domain: '',
          inputs: ['two', 'one'],
          outputs: ['joined'],
          attributes: { axis: int(1) },
        },
        {
          name: 'flat',
          op: 'Flatten',
          domain: '',
          inputs: ['joined'],
          outputs: ['result'],
          attributes: { axis: int(1) },
        },
      ],
      outputs: [{ name: 'result', type: 'float32', shape: null }],
    }
    await expectSame(graph)
  })

  test('a shuffle of channels through five dimensions', async () => {
    const sketch = new Sketch(6)
    const wide = sketch.op('Conv', [sketch.input, sketch.weights([6, 3, 1, 1])])
    const grouped = sketch.op('Reshape', [wide, sketch.list(-1, 2, 3, height, width)])
    const swapped = sketch.op('Transpose', [grouped], { perm: ints([0, 2, 1, 3, 4]) })
    const back = sketch.op('Reshape', [swapped, sketch.list(-1, 6, height, width)])
    await expectSame(flat(sketch, sketch.op('Conv', [back, sketch.weights([2, 6, 1, 1])])))
  })

  test('a head: pooling, dense layers, normalisation over features, softmax', async () => {
    const s = new Sketch(7)
    const pooled = s.op('ReduceMean', [s.input, s.list(2, 3)], { keepdims: int(0) })
    const hidden = s.op('Gemm', [pooled, s.weights([3, 5]), s.weights([5])])
    const normal = s.op('LayerNormalization', [hidden, s.weights([5], 1), s.weights([5])], {
      axis: int(-1),
      epsilon: float(1e-5),
    })
    const more = s.op('Add', [s.op('MatMul', [normal, s.weights([5, 4])]), s.weights([4])])
    const scores = s.op('Gemm', [more, s.weights([3, 4]), s.weights([3])], { transB: int(1) })
    await expectSame(s.build(s.op('Softmax', [scores], { axis: int(1) })))
  })

  test('shapes that the network computes itself are written as they are', async () => {
    const s = new Sketch(8)
    const batch = s.op('Gather', [s.op('Shape', [s.input]), s.list(0)], { axis: int(0) })
    const target = s.op('Concat', [batch, s.list(-1)], { axis: int(0) })
    await expectSame(s.build(s.op('Reshape', [s.input, target])))
  })

  test('scaling and channel order are part of the model', async () => {
    const sketch = new Sketch(9)
    const graph = flat(
      sketch,
      sketch.op('Relu', [sketch.op('Conv', [sketch.input, sketch.weights([2, 3, 3, 3])])]),
    )
    const scaling = { mean: [120, 110, 100], divisor: [60, 50, 40], channelOrder: 'BGR' } as const
    const random = createRandom(2)
    const pixels = Float32Array.from({ length: height * width * 3 }, () => random.below(256))
    const plane = height * width
    const planes = new Float32Array(pixels.length)
    for (let pixel = 0; pixel < plane; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        const value = (pixels[pixel * 3 + channel]! - scaling.mean[channel]!) / scaling.divisor[channel]!
        planes[(2 - channel) * plane + pixel] = value
      }
    }
    const wanted = await runGraph(graph, planes, [1, 3, height, width])
    const got = await answerOfTfjs(graph, scaling, pixels)
    expect(largestDifference(got.data, wanted.data)).toBeLessThan(1e-5)
  })

  test('an operator that TF.js lacks is named', () => {
    const sketch = new Sketch(10)
    const graph = flat(sketch, sketch.op('Mish', [sketch.input]))
    expect(() => writeTfjsModel(graph, identity, {})).toThrow(/Mish/)
  })
})
