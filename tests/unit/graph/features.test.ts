import { describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../../electron/trainer/graph/builder.ts'
import { requireOpenBatch } from '../../../electron/trainer/graph/open-batch.ts'
import { float32, int64s } from '../../../electron/trainer/graph/tensor.ts'
import { int, ints } from '../../../electron/trainer/graph/types.ts'
import type { DataType, Dimension, Graph } from '../../../electron/trainer/graph/types.ts'
import { knownScaling, recogniseArchitecture } from '../../../electron/trainer/models/architecture.ts'
import { backboneOf } from '../../../electron/trainer/models/backbone.ts'
import { cutToFeatures, findFeatures } from '../../../electron/trainer/models/features.ts'
import { fixInput } from '../../../electron/trainer/models/picture-input.ts'
import { sniffModel } from '../../../electron/trainer/models/source.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'

const size = 6
const random = createRandom(31)

class Net {
  readonly b: GraphBuilder
  readonly x: string
  constructor(shape: Dimension[] = ['n', 3, size, size], type: DataType = 'float32', opset = 18) {
    this.b = new GraphBuilder('net', new Map([['', opset]]))
    this.x = this.b.input({ name: 'features', type, shape })
  }
  w(...shape: number[]): string {
    const count = shape.reduce((a, b) => a * b, 1)
    return this.b.constant(
      'w',
      float32(
        shape,
        Float32Array.from({ length: count }, () => random.normal(0, 0.5)),
      ),
    )
  }
  conv(x: string, from: number, to: number, kernel = 1): string {
    const pad = (kernel - 1) / 2
    return this.b.node('Conv', [x, this.w(to, from, kernel, kernel)], { pads: ints([pad, pad, pad, pad]) })
  }
  op(op: string, inputs: string[], attributes = {}, name = op): string {
    return this.b.node(op, inputs, attributes, name)
  }
  list(...values: number[]): string {
    return this.b.constant('list', int64s(values))
  }
  done(value: string): Graph {
    this.b.output(value, { name: 'classes', type: 'float32', shape: null })
    return this.b.build()
  }
}

function cut(graph: Graph) {
  const input = fixInput(graph)
  const point = findFeatures(input.graph)
  return { ...cutToFeatures(input, point), point }
}

/** Mean over the picture of [1, channels, h, w]. */
const means = (map: Float32Array, channels: number): number[] =>
  Array.from({ length: channels }, (_, channel) => {
    const plane = map.length / channels
    const part = map.subarray(channel * plane, (channel + 1) * plane)
    return part.reduce((a, b) => a + b, 0) / plane
  })

const picture = Float32Array.from({ length: 3 * size * size }, () => random.normal())
const run = (graph: Graph) => runGraph(graph, picture, [1, 3, size, size])

describe('where features are taken', () => {
  test('the last global pooling, not one inside a squeeze-and-excite block', async () => {
    const net = new Net()
    const map = net.conv(net.x, 3, 4, 3)
    const pooled = net.op('GlobalAveragePool', [map], {}, 'squeeze')
    const gate = net.op('Sigmoid', [net.conv(pooled, 4, 4)])
    const excited = net.op('Mul', [map, gate])
    const last = net.op('GlobalAveragePool', [net.conv(excited, 4, 5)], {}, 'last')
    const flat = net.op('Flatten', [last], { axis: int(1) })
    const { graph, length, point } = cut(net.done(net.op('Gemm', [flat, net.w(5, 2)])))
    expect({ length, layer: point.layer }).toEqual({ length: 5, layer: 'last' })
    expect(graph.inputs).toEqual([{ name: 'input', type: 'float32', shape: ['batch', 3, size, size] }])
    expect(graph.outputs).toEqual([{ name: 'features', type: 'float32', shape: ['batch', 5] }])
    expect((await run(graph)).shape).toEqual([1, 5])
  })

  test('the map before the class scores, where those are what is pooled', async () => {
    const net = new Net()
    const map = net.op('Relu', [net.conv(net.x, 3, 4, 3)], {}, 'fire')
    const scores = net.op('Relu', [net.conv(map, 4, 7)])
    const pooled = net.op('Flatten', [net.op('GlobalAveragePool', [scores])], { axis: int(1) })
    const whole = net.done(net.op('Softmax', [pooled], { axis: int(1) }))
    const { graph, length } = cut(whole)
    expect(length).toBe(4)
    const mapGraph = { ...whole, outputs: [{ name: 'fire', type: 'float32' as const, shape: null }] }
    const wanted = means((await run(mapGraph)).data, 4)
    expect(largestDifference((await run(graph)).data, wanted)).toBeLessThan(1e-5)
  })

  test('a pooling that ends the network, when it was saved without its classifier', () => {
    const net = new Net()
    const pooled = net.op('GlobalAveragePool', [net.conv(net.x, 3, 9)])
    expect(cut(net.done(net.op('Flatten', [pooled], { axis: int(1) }))).length).toBe(9)
  })

  test('what goes into the last dense layer, where nothing is pooled', () => {
    const net = new Net()
    const flat = net.op('Flatten', [net.conv(net.x, 3, 2)], { axis: int(1) })
    const hidden = net.op('Relu', [net.op('Gemm', [flat, net.w(2 * size * size, 10)])])
    expect(cut(net.done(net.op('Gemm', [hidden, net.w(10, 3)]))).length).toBe(10)
  })

  test('the last map, pooled, where there is neither', async () => {
    const net = new Net()
    const whole = net.done(net.op('Relu', [net.conv(net.x, 3, 4, 3)]))
    const { graph, length } = cut(whole)
    expect(length).toBe(4)
    expect(largestDifference((await run(graph)).data, means((await run(whole)).data, 4))).toBeLessThan(1e-5)
  })

  test('a mean over both axes of the picture is a pooling, with channels last too', async () => {
    const net = new Net(['n', size, size, 3])
    const first = net.op('Transpose', [net.x], { perm: ints([0, 3, 1, 2]) })
    const last = net.op('Transpose', [net.conv(first, 3, 4)], { perm: ints([0, 2, 3, 1]) })
    const pooled = net.op('ReduceMean', [last, net.list(1, 2)], { keepdims: int(0) })
    const { graph, length } = cut(net.done(net.op('Gemm', [pooled, net.w(4, 2)])))
    expect(length).toBe(4)
    expect(graph.inputs[0]?.shape).toEqual(['batch', 3, size, size])
    expect((await run(graph)).shape).toEqual([1, 4])
  })

  test('bytes and a fixed batch of one are opened up', () => {
    const net = new Net([1, 3, size, size], 'uint8')
    const map = net.conv(net.op('Cast', [net.x], { to: int(1) }), 3, 4)
    const { graph } = cut(net.done(net.op('GlobalAveragePool', [map])))
    expect(graph.inputs[0]).toEqual({ name: 'input', type: 'float32', shape: ['batch', 3, size, size] })
    expect(graph.outputs[0]?.shape).toEqual(['batch', 4])
  })

  test.each<{ how: string; targets: number[][] }>([
    { how: 'as a number', targets: [[1, 24]] },
    { how: 'as a number beside a size that is worked out', targets: [[1, -1]] },
    {
      how: 'twice, one behind the other',
      targets: [
        [1, 6, 4],
        [1, 24],
      ],
    },
  ])('a batch of one that reshapes say $how is opened up, too', async ({ targets }) => {
    const net = new Net([1, 3, size, size])
    const pooled = net.op('GlobalAveragePool', [net.conv(net.x, 3, 24)])
    const flat = targets.reduce(
      (x, target) => net.op('Reshape', [x, net.list(...target)], {}, 'flat'),
      pooled,
    )
    const dense = net.op('Relu', [net.op('Gemm', [flat, net.w(24, 8)])])
    const graph = net.done(net.op('Gemm', [dense, net.w(8, 5)]))
    const open = fixInput(graph).graph
    expect(() => requireOpenBatch(open)).not.toThrow()
    const pixels = 3 * size ** 2
    const pictures = Float32Array.from({ length: 3 * pixels }, () => random.normal(0, 1))
    const together = await runGraph(open, pictures, [3, 3, size, size])
    for (const at of [0, 1, 2]) {
      const picture = pictures.slice(at * pixels, (at + 1) * pixels)
      const alone = await runGraph(graph, picture, [1, 3, size, size])
      expect(largestDifference(together.data.slice(at * 5, at * 5 + 5), alone.data)).toBeLessThan(1e-5)
    }
  })

  test('a reshape that cannot be opened is named before a training', () => {
    const net = new Net([1, 3, size, size])
    const turned = net.op('Transpose', [net.conv(net.x, 3, 8)], { perm: ints([1, 0, 2, 3]) })
    const graph = net.done(net.op('Reshape', [turned, net.list(1, 8 * size ** 2)], {}, 'scrambles'))
    expect(() => requireOpenBatch(fixInput(graph).graph)).toThrow(/fixed number of pictures.*scrambles/)
  })

  test('files of an older operator set come out in the current one', () => {
    const net = new Net(['n', 3, size, size], 'float32', 9)
    const pooled = net.op('ReduceMean', [net.conv(net.x, 3, 4)], { axes: ints([2, 3]), keepdims: int(0) })
    const { graph, featureLength } = backboneOf({
      format: 'onnx',
      graph: net.done(net.op('Gemm', [pooled, net.w(4, 2), net.w(2)])),
    })
    expect(featureLength).toBe(4)
    expect(graph.opsets.get('')).toBe(18)
  })

  test('networks that do not take a colour picture are refused in words', () => {
    expect(() => fixInput(new Net(['n', 1, 28, 28]).done('features'))).toThrow(/three colour channels/)
    expect(() => fixInput(new Net(['n', 10]).done('features'))).toThrow(/not a picture/)
    expect(() => fixInput(new Net(['n', 3, 4, 4], 'int64').done('features'))).toThrow(/number type/)
  })
})

describe('what a file is', () => {
  test('is told by its first bytes', () => {
    const bytes = (...values: number[]) => Uint8Array.from([...values, ...new Array<number>(16).fill(0)])
    expect(sniffModel(bytes(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a))).toBe('keras-h5')
    expect(sniffModel(bytes(0x50, 0x4b, 0x03, 0x04))).toBe('keras-archive')
    expect(sniffModel(new TextEncoder().encode('\n { "modelTopology": {} }'))).toBe('tfjs-layers')
    expect(sniffModel(bytes(0x08, 0x08))).toBe('onnx')
    expect(sniffModel(bytes(0xff, 0xd8, 0xff))).toBeUndefined()
  })

  test('an unknown network has no architecture, and nothing is guessed about its scaling', () => {
    const net = new Net()
    const graph = net.done(net.op('GlobalAveragePool', [net.conv(net.x, 3, 4)]))
    expect(recogniseArchitecture(graph)).toBeNull()
    expect(knownScaling(graph, null, 'onnx', 'pytorch')).toBeNull()
    expect(knownScaling(graph, 'mobilenet_v2', 'onnx', 'somebody')).toBeNull()
    expect(knownScaling(graph, 'mobilenet_v2', 'onnx', 'pytorch')?.mean[0]).toBeCloseTo(123.675)
    expect(knownScaling(graph, 'mobilenet_v2', 'keras-h5', '')?.mean).toEqual([127.5, 127.5, 127.5])
  })

  test('a network that scales its input itself takes 0 to 255 as they are', () => {
    const net = new Net()
    const factor = net.b.constant('factor', float32([], [1 / 255]))
    const graph = net.done(net.op('GlobalAveragePool', [net.conv(net.op('Mul', [net.x, factor]), 3, 4)]))
    expect(knownScaling(graph, 'mobilenet_v2', 'keras-h5', '')).toMatchObject({
      mean: [0, 0, 0],
      divisor: [1, 1, 1],
    })
  })
})
