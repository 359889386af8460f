import { describe, expect, test } from 'vitest'
import { toNetworkInput } from '#shared/domain/preprocessing/index.ts'
import { asTheyAre, preprocessingOf, symmetric, toOne } from '#shared/domain/preprocessing/scaling.ts'
import type { Scaling } from '#shared/domain/preprocessing/scaling.ts'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { readOnnx, writeOnnx } from '#trainer/graph/onnx/index.ts'
import { requireOpenBatch } from '#trainer/graph/open-batch.ts'
import { float32, int64s } from '#trainer/graph/tensor.ts'
import { int, ints, string } from '#trainer/graph/types.ts'
import type { Attributes, DataType, Dimension, Graph } from '#trainer/graph/types.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import { splitAt } from '#trainer/models/fine-tune.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'

const size = { width: 20, height: 24 }
const features = 6
const random = createRandom(5)
const drawn = (count: number): number[] => Array.from({ length: count }, () => random.normal(0, 0.4))
const kernel = drawn(features * 3 * 9)
const dense = drawn(features * 4)

const photograph = {
  width: 33,
  height: 29,
  data: Uint8Array.from({ length: 33 * 29 * 3 }, () => Math.floor(random.float() * 256)),
}

/** Writes a network down in the form in which somebody saved it. */
class Sketch {
  readonly builder = new GraphBuilder('sketch')
  readonly x: string

  constructor(type: DataType, shape: Dimension[]) {
    this.x = this.builder.input({ name: 'serving_default_input:0', type, shape })
  }

  op(op: string, inputs: string[], attributes: Attributes = {}): string {
    return this.builder.node(op, inputs, attributes)
  }

  numbers(values: number[], shape: number[] = values.length === 1 ? [] : [values.length]): string {
    return this.builder.constant('numbers', float32(shape, values))
  }

  list(...values: number[]): string {
    return this.builder.constant('list', int64s(values))
  }

  turned(x: string, ...order: number[]): string {
    return this.op('Transpose', [x], { perm: ints(order) })
  }

  real(x: string): string {
    return this.op('Cast', [x], { to: int(1) })
  }

  /** One convolution and its pooling, [batch, 3, height, width] → [batch, features]. */
  body(x: string): string {
    const map = this.op('Relu', [this.op('Conv', [x, this.numbers(kernel, [features, 3, 3, 3])])])
    return this.op('Flatten', [this.op('GlobalAveragePool', [map])], { axis: int(1) })
  }

  classes(value: string): string {
    return this.op('Gemm', [value, this.numbers(dense, [features, 4])])
  }

  done(...outputs: string[]): Graph {
    outputs.forEach((value, index) =>
      this.builder.output(value, { name: `answer_${index}`, type: 'float32', shape: null }),
    )
    return this.builder.build()
  }
}

const added = (graph: Graph) => backboneOf({ format: 'onnx', graph: readOnnx(writeOnnx(graph)) })

/** Features of the photograph by the bare body, whose pictures are scaled like this. */
async function wantedFeatures(scaling: Scaling): Promise<Float32Array> {
  const sketch = new Sketch('float32', ['batch', 3, size.height, size.width])
  const graph = sketch.done(sketch.body(sketch.x))
  const picture = toNetworkInput(photograph, preprocessingOf(size, scaling))
  return (await runGraph(graph, picture, [1, 3, size.height, size.width])).data
}

const { height, width } = size
const imagenet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] }
const imagenetScaling: Scaling = {
  channelOrder: 'RGB',
  mean: [0.485 * 255, 0.456 * 255, 0.406 * 255],
  divisor: [0.229 * 255, 0.224 * 255, 0.225 * 255],
}

interface Form {
  type: DataType
  shape: Dimension[]
  /** From the input to what the body takes. */
  front: (s: Sketch) => string
  /** What that does in all to the bytes of a picture. */
  scaling: Scaling
  /** How the app has to scale them beforehand. */
  before: Scaling
  size?: { width: number; height: number }
}

const forms: Record<string, Form> = {
  'bytes with the channels last, made floats first': {
    type: 'uint8',
    shape: [null, height, width, 3],
    front: (s) => s.op('Div', [s.turned(s.real(s.x), 0, 3, 1, 2), s.numbers([255])]),
    ...{ scaling: toOne, before: asTheyAre },
  },
  'bytes that are turned before they are made floats': {
    type: 'uint8',
    shape: [1, height, width, 3],
    front: (s) => s.real(s.turned(s.x, 0, 3, 1, 2)),
    ...{ scaling: asTheyAre, before: asTheyAre },
  },
  'bytes that are computed with': {
    type: 'uint8',
    shape: ['n', 3, height, width],
    front: (s) => s.real(s.op('Max', [s.x, s.op('Cast', [s.numbers([0])], { to: int(2) })])),
    ...{ scaling: asTheyAre, before: asTheyAre },
  },
  'floats with the channels last, −1 … 1 made of 0 … 255': {
    type: 'float32',
    shape: ['unk__1', height, width, 3],
    front: (s) =>
      s.turned(s.op('Sub', [s.op('Mul', [s.x, s.numbers([1 / 127.5])]), s.numbers([1])]), 0, 3, 1, 2),
    ...{ scaling: symmetric, before: asTheyAre },
  },
  'mean and deviation inside, for 0 … 1': {
    type: 'float32',
    shape: ['batch', 3, height, width],
    front: (s) => {
      const centred = s.op('Sub', [s.x, s.numbers(imagenet.mean, [1, 3, 1, 1])])
      return s.op('Div', [centred, s.numbers(imagenet.deviation, [3, 1, 1])])
    },
    ...{ scaling: imagenetScaling, before: toOne },
  },
  'mean and deviation inside, channels last, for 0 … 255': {
    type: 'float32',
    shape: ['batch', height, width, 3],
    front: (s) => {
      const small = s.op('Div', [s.x, s.numbers([255])])
      const centred = s.op('Add', [small, s.numbers(imagenet.mean.map((number) => -number))])
      const scaled = s.op('Mul', [centred, s.numbers(imagenet.deviation.map((number) => 1 / number))])
      return s.turned(scaled, 0, 3, 1, 2)
    },
    ...{ scaling: imagenetScaling, before: asTheyAre },
  },
  'a mean colour taken off and red swapped with blue': {
    type: 'float32',
    shape: ['batch', 3, height, width],
    front: (s) =>
      s.op('Sub', [
        s.op('Gather', [s.x, s.list(2, 1, 0)], { axis: int(1) }),
        s.numbers([103.939, 116.779, 123.68], [1, 3, 1, 1]),
      ]),
    scaling: { channelOrder: 'BGR', mean: [123.68, 116.779, 103.939], divisor: [1, 1, 1] },
    before: asTheyAre,
  },
  '0 … 255 made of −1 … 1': {
    type: 'float32',
    shape: ['batch', 3, height, width],
    front: (s) => s.op('Mul', [s.op('Add', [s.x, s.numbers([1])]), s.numbers([127.5])]),
    ...{ scaling: asTheyAre, before: symmetric },
  },
  'pictures of any size, resized inside, one at a time': {
    type: 'uint8',
    shape: ['h', 'w', 3],
    front: (s) => {
      const one = s.op('Unsqueeze', [s.turned(s.real(s.x), 2, 0, 1), s.list(0)])
      const resized = s.op('Resize', [one, '', '', s.list(1, 3, height, width)], { mode: string('linear') })
      return s.op('Div', [resized, s.numbers([255])])
    },
    ...{ scaling: toOne, before: asTheyAre },
  },
  'pictures of any size, resized inside to a size that is put together from their shape': {
    type: 'float32',
    shape: ['batch', 3, 'h', 'w'],
    front: (s) => {
      const counts = s.op('Slice', [s.op('Shape', [s.x]), s.list(0), s.list(2), s.list(0)])
      const sizes = s.op('Concat', [counts, s.list(height, width)], { axis: int(0) })
      const resized = s.op('Resize', [s.x, '', '', sizes], { mode: string('linear') })
      return s.op('Div', [resized, s.numbers([127.5])])
    },
    scaling: { channelOrder: 'RGB', mean: [0, 0, 0], divisor: [127.5, 127.5, 127.5] },
    before: asTheyAre,
  },
  'a single picture without an axis for several': {
    type: 'uint8',
    shape: [height, width, 3],
    front: (s) => {
      const small = s.op('Div', [s.real(s.x), s.numbers([255])])
      const centred = s.op('Sub', [small, s.numbers(imagenet.mean, [1, 1, 3])])
      const scaled = s.op('Div', [centred, s.numbers(imagenet.deviation)])
      return s.op('Unsqueeze', [s.turned(scaled, 2, 0, 1), s.list(0)])
    },
    ...{ scaling: imagenetScaling, before: asTheyAre },
  },
}

describe.each(Object.entries(forms))('a classifier that takes %s', (_name, form) => {
  const written = (): Graph => {
    const sketch = new Sketch(form.type, form.shape)
    return sketch.done(sketch.op('Softmax', [sketch.classes(sketch.body(form.front(sketch)))]))
  }

  test('gives the features of its body, and its pictures are scaled as it wants', async () => {
    const { graph, preprocessing, input, featureLength } = added(written())
    expect({ input, featureLength }).toEqual({ input: size, featureLength: features })
    expect(preprocessing).toEqual(preprocessingOf(size, form.before))
    const picture = toNetworkInput(photograph, preprocessing!)
    const found = (await runGraph(graph, picture, [1, 3, height, width])).data
    const wanted = await wantedFeatures(form.scaling)
    const largest = Math.max(...wanted.map(Math.abs))
    expect(largestDifference(found, wanted) / largest).toBeLessThan(1e-5)
  })

  test('can learn: it takes several pictures at a time, and has a block', () => {
    const { graph } = added(written())
    expect(() => requireOpenBatch(graph)).not.toThrow()
    const { tail, boundary } = splitAt(graph, 1)
    expect(boundary).toEqual([3, height, width])
    expect(tail.parameters.map(({ role }) => role)).toEqual(['weight'])
  })
})

describe('where there are several answers', () => {
  const open = (): Sketch => new Sketch('float32', ['batch', 3, height, width])

  test.each([
    ['after the scores', [1, 0]],
    ['before them', [0, 1]],
  ])('the features may be one of them, %s', (_place, order) => {
    const sketch = open()
    const value = sketch.body(sketch.x)
    const outputs = [value, sketch.classes(value)]
    expect(added(sketch.done(...order.map((at) => outputs[at]!))).featureLength).toBe(features)
  })

  test('a side branch from the middle is left alone', () => {
    const sketch = open()
    const first = sketch.op('Conv', [sketch.x, sketch.numbers(drawn(81), [3, 3, 3, 3])])
    const side = sketch.op('GlobalAveragePool', [first])
    const { featureLength, graph } = added(sketch.done(side, sketch.classes(sketch.body(first))))
    expect(featureLength).toBe(features)
    expect(graph.nodes.filter(({ op }) => op === 'GlobalAveragePool')).toHaveLength(1)
  })

  test('a label and a table of probabilities, in operators of their own, do not matter', () => {
    const sketch = open()
    const scores = sketch.op('Softmax', [sketch.classes(sketch.body(sketch.x))])
    const [table] = sketch.builder.nodes('ZipMap', [scores], 1, {}, { domain: 'ai.onnx.ml' })
    const best = sketch.op('ArgMax', [scores], { axis: int(1) })
    const graph = sketch.done(best, table!)
    const domains = new Map([...graph.opsets, ['ai.onnx.ml', 3]])
    expect(added({ ...graph, opsets: domains }).graph.nodes.map(({ op }) => op)).toEqual([
      ...['Conv', 'Relu', 'GlobalAveragePool', 'Flatten'],
    ])
  })
})

test('where any size is said to do, one that fits the layers is taken', () => {
  const sketch = new Sketch('float32', ['batch', 3, 'h', 'w'])
  const small = sketch.op('MaxPool', [sketch.x], { kernel_shape: ints([16, 16]), strides: ints([16, 16]) })
  const flat = sketch.op('Flatten', [small], { axis: int(1) })
  const hidden = sketch.op('Relu', [
    sketch.op('Gemm', [flat, sketch.numbers(drawn(3 * 36 * 5), [3 * 36, 5])]),
  ])
  const { input, featureLength } = added(
    sketch.done(sketch.op('Gemm', [hidden, sketch.numbers(drawn(10), [5, 2])])),
  )
  expect({ input, featureLength }).toEqual({ input: { width: 96, height: 96 }, featureLength: 5 })
})

describe('what cannot be taken is refused with the reason and what to do', () => {
  const refusal = (type: DataType, shape: Dimension[], front: (s: Sketch) => string) => {
    const sketch = new Sketch(type, shape)
    const graph = sketch.done(front(sketch))
    try {
      added(graph)
    } catch (error) {
      return error
    }
    throw new Error('it was taken')
  }

  test.each<
    [what: string, type: DataType, shape: Dimension[], (s: Sketch) => string, reason: RegExp, remedy: RegExp]
  >([
    [
      'grey pictures',
      'float32',
      ['n', 1, 28, 28],
      (s) => s.op('Relu', [s.x]),
      /three colour/,
      /three channels/,
    ],
    ['words', 'int64', ['n', 128], (s) => s.op('Relu', [s.x]), /not a picture/, /colour pictures/],
    ['whole numbers', 'int32', ['n', 3, 8, 8], (s) => s.real(s.x), /int32/, /float32 or uint8/],
    [
      'a picture and something else',
      'float32',
      ['n', 3, 8, 8],
      (s) => s.op('Add', [s.x, s.builder.input({ name: 'more', type: 'float32', shape: ['n', 3, 8, 8] })]),
      /exactly one input/,
      /nothing else/,
    ],
    [
      'one picture and computes with it before it makes a batch of it',
      'float32',
      ['h', 'w', 3],
      (s) => s.op('Softmax', [s.x]),
      /single picture.*Softmax/,
      /several pictures/,
    ],
    [
      'a size that cannot be found out',
      'float32',
      ['n', 3, 'h', 'w'],
      (s) => s.op('Gemm', [s.op('Flatten', [s.x]), s.numbers(drawn(3 * 49), [3 * 49, 1])]),
      /picture sizes/,
      /height and width/,
    ],
  ])('%s', (_what, type, shape, front, reason, remedy) => {
    expect(refusal(type, shape, front)).toMatchObject({
      code: 'backbone-unsupported',
      message: expect.stringMatching(reason),
      remedy: expect.stringMatching(remedy),
    })
  })
})
