import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { GraphBuilder } from '../../../electron/trainer/graph/builder.ts'
import { cutAt, prune, renameValues } from '../../../electron/trainer/graph/edit.ts'
import { inferShapes } from '../../../electron/trainer/graph/infer/index.ts'
import { writeOnnx } from '../../../electron/trainer/graph/onnx/index.ts'
import { optimiseForInference } from '../../../electron/trainer/graph/optimise.ts'
import { float32, int64s, scalar, tensor } from '../../../electron/trainer/graph/tensor.ts'
import { float, floats, int, ints, string, tensorAttribute } from '../../../electron/trainer/graph/types.ts'
import type { Attribute, Graph, Node } from '../../../electron/trainer/graph/types.ts'
import { newestOpset, upgradeOpset } from '../../../electron/trainer/graph/upgrade.ts'
import { largestDifference } from '../../helpers/graphs.ts'

const size = 8
const random = createRandom(12)
const weights = (shape: number[], offset = 0) =>
  float32(
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => offset + random.normal(0, 0.5)),
  )
const positive = (count: number) =>
  float32(
    [count],
    Float32Array.from({ length: count }, () => 0.5 + random.float()),
  )
const picture = Float32Array.from({ length: 3 * size * size }, () => random.normal())

async function run(graph: Graph, level: 'disabled' | 'all'): Promise<Float32Array> {
  const session = await InferenceSession.create(writeOnnx(graph), {
    graphOptimizationLevel: level,
    logSeverityLevel: 3,
  })
  const result = await session.run({ input: new Tensor('float32', picture, [1, 3, size, size]) })
  await session.release()
  return result['output']!.data as Float32Array
}

function sketch(draw: (builder: GraphBuilder, input: string) => string, opset = 18): Graph {
  const builder = new GraphBuilder('sketch', new Map([['', opset]]))
  const input = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, size, size] })
  builder.output(draw(builder, input), { name: 'output', type: 'float32', shape: null })
  return builder.build()
}

const operators = (graph: Graph): string[] => graph.nodes.map((node) => node.op)

function normalised(b: GraphBuilder, value: string, channels: number): string {
  const statistics = [positive(channels), weights([channels]), weights([channels]), positive(channels)]
  const names = statistics.map((statistic) => b.constant('statistic', statistic))
  return b.node('BatchNormalization', [value, ...names], { epsilon: float(1e-3) })
}

describe('rewriting for inference changes nothing', () => {
  async function expectSame(graph: Graph, wantedOperators: string[]): Promise<void> {
    const optimised = optimiseForInference(graph)
    expect(operators(optimised)).toEqual(wantedOperators)
    const plain = await run(graph, 'disabled')
    expect(largestDifference(await run(optimised, 'disabled'), plain)).toBeLessThan(1e-5)
    // The runtime's own optimiser must not undo that either.
    expect(largestDifference(await run(optimised, 'all'), plain)).toBeLessThan(1e-5)
    expect(optimiseForInference(optimised)).toEqual(optimised)
  }

  test('batch normalisation goes into the convolution before it', async () => {
    const graph = sketch((b, input) => {
      const conv = b.node('Conv', [
        input,
        b.constant('w', weights([4, 3, 3, 3])),
        b.constant('b', weights([4])),
      ])
      const depthwise = b.node('Conv', [normalised(b, conv, 4), b.constant('d', weights([4, 1, 3, 3]))], {
        group: int(4),
      })
      return b.node('Relu', [normalised(b, depthwise, 4)])
    })
    await expectSame(graph, ['Conv', 'Conv', 'Relu'])
  })

  test('but stays where the convolution is read by somebody else too', async () => {
    const graph = sketch((b, input) => {
      const conv = b.node('Conv', [input, b.constant('w', weights([4, 3, 3, 3]))])
      return b.node('Add', [normalised(b, conv, 4), conv])
    })
    await expectSame(graph, ['Conv', 'BatchNormalization', 'Add'])
  })

  test('padding with zeros goes into the convolution after it', async () => {
    const graph = sketch((b, input) => {
      const pads = b.constant('pads', int64s([0, 0, 0, 1, 0, 0, 2, 1]))
      const padded = b.node('Pad', [input, pads], { mode: string('constant') })
      return b.node('Conv', [padded, b.constant('w', weights([2, 3, 3, 3]))], {
        strides: ints([2, 2]),
        pads: ints([1, 0, 0, 0]),
      })
    })
    await expectSame(graph, ['Conv'])
    expect(optimiseForInference(graph).nodes[0]?.attributes['pads']).toEqual(ints([1, 1, 2, 1]))
  })

  test('padding with other numbers stays', async () => {
    const graph = sketch((b, input) => {
      const pads = b.constant('pads', int64s([0, 0, 1, 1, 0, 0, 1, 1]))
      const padded = b.node('Pad', [input, pads, b.constant('one', scalar(1))])
      return b.node('Conv', [padded, b.constant('w', weights([2, 3, 3, 3]))])
    })
    await expectSame(graph, ['Pad', 'Conv'])
  })

  test('zeros around a max pooling win over negative values, in the runtime too', async () => {
    const graph = sketch((b, input) => {
      const negative = b.node('Sub', [input, b.constant('ten', scalar(10))])
      const padded = b.node('Pad', [negative, b.constant('pads', int64s([0, 0, 1, 1, 0, 0, 1, 1]))])
      return b.node('MaxPool', [padded], { kernel_shape: ints([3, 3]), strides: ints([2, 2]) })
    })
    await expectSame(graph, ['Sub', 'Pad', 'MaxPool'])
  })

  test.each([
    ['a max pooling', 'MaxPool'],
    ['a convolution', 'Conv'],
  ])('amounts of padding that an exporter left to be worked out are known before %s', async (_name, op) => {
    const graph = sketch((b, input) => {
      const negative = b.node('Sub', [input, b.constant('ten', scalar(10))])
      // As PyTorch writes F.pad.
      const four = b.node('ConstantOfShape', [b.constant('four', int64s([4]))], {
        value: tensorAttribute(int64s([0])),
      })
      const pairs = b.node('Concat', [b.constant('pairs', int64s([1, 2, 1, 1])), four], { axis: int(0) })
      const table = b.node('Reshape', [pairs, b.constant('two', int64s([-1, 2]))])
      const bounds = [[-1], [-(2 ** 63)], [0], [-1]].map((each) => b.constant('bound', int64s(each)))
      const turned = b.node('Transpose', [b.node('Slice', [table, ...bounds])], { perm: ints([1, 0]) })
      const pads = b.node('Reshape', [turned, b.constant('flat', int64s([-1]))])
      const padded = b.node('Pad', [negative, b.node('Cast', [pads], { to: int(7) })])
      return op === 'Conv'
        ? b.node('Conv', [padded, b.constant('w', weights([2, 3, 3, 3]))])
        : b.node('MaxPool', [padded], { kernel_shape: ints([3, 3]), strides: ints([2, 2]) })
    })
    await expectSame(graph, op === 'Conv' ? ['Sub', 'Conv'] : ['Sub', 'Pad', 'MaxPool'])
  })

  test('constants, identities and dropout are no work', async () => {
    const graph = sketch((b, input) => {
      const two = b.node('Constant', [], { value: tensorAttribute(scalar(2)) })
      const same = b.node('Identity', [b.node('Dropout', [input])])
      return b.node('Mul', [same, two])
    })
    await expectSame(graph, ['Mul'])
  })
})

describe('files of older operator sets', () => {
  const old: [string, number, (b: GraphBuilder, input: string) => string][] = [
    [
      'axes and bounds as attributes',
      9,
      (b, x) => {
        const clipped = b.node('Clip', [x], { min: float(-0.5), max: float(0.5) })
        const mean = b.node('ReduceMean', [clipped], { axes: ints([2, 3]), keepdims: int(1) })
        const flat = b.node('Squeeze', [mean], { axes: ints([2, 3]) })
        return b.node('Softmax', [b.node('Unsqueeze', [flat], { axes: ints([2, 3]) })], { axis: int(1) })
      },
    ],
    [
      'slices and padding as attributes',
      9,
      (b, x) => {
        const part = b.node('Slice', [x], { starts: ints([1, 0]), ends: ints([3, -2]), axes: ints([1, 2]) })
        return b.node('Pad', [part], { pads: ints([0, 0, 1, 0, 0, 0, 0, 1]), value: float(0.25) })
      },
    ],
    [
      'sums and clips of one side',
      11,
      (b, x) => {
        const sum = b.node('ReduceSum', [x], { axes: ints([1]), keepdims: int(0) })
        return b.node('Clip', [sum, '', b.constant('top', scalar(1))])
      },
    ],
    [
      'batch normalisation and dropout with attributes of their time',
      9,
      (b, x) => {
        const names = [positive(3), weights([3]), weights([3]), positive(3)].map((value) =>
          b.constant('s', value),
        )
        const normal = b.node('BatchNormalization', [x, ...names], {
          epsilon: float(1e-3),
          momentum: float(0.9),
        })
        return b.node('Dropout', [normal], { ratio: float(0.5) })
      },
    ],
    [
      'softmax over channels of a pooled map',
      11,
      (b, x) => b.node('Softmax', [b.node('GlobalAveragePool', [x])], { axis: int(1) }),
    ],
    ['softmax over several axes at once', 11, (b, x) => b.node('Softmax', [x], { axis: int(1) })],
    [
      'log softmax over several axes, counted from the end',
      12,
      (b, x) => b.node('LogSoftmax', [x], { axis: int(-2) }),
    ],
    ['the largest of several axes', 9, (b, x) => b.node('Hardmax', [x], { axis: int(2) })],
    [
      'enlarging by Upsample with an attribute',
      8,
      (b, x) => b.node('Upsample', [x], { mode: string('nearest'), scales: floats([1, 1, 2, 3]) }),
    ],
    [
      'enlarging by Upsample with an input',
      9,
      (b, x) =>
        b.node('Upsample', [x, b.constant('s', float32([4], [1, 1, 2, 1.5]))], { mode: string('linear') }),
    ],
    [
      'resizing as set 10 did',
      10,
      (b, x) =>
        b.node('Resize', [x, b.constant('s', float32([4], [1, 1, 0.5, 1.75]))], { mode: string('nearest') }),
    ],
    [
      'scattering by its old name',
      10,
      (b, x) => {
        const indices = b.constant('i', tensor('int64', [1, 1, 1, 2], BigInt64Array.of(2n, 0n)))
        return b.node('Scatter', [x, indices, b.constant('u', float32([1, 1, 1, 2], [7, 8]))], {
          axis: int(1),
        })
      },
    ],
    [
      'the largest ones, their number an attribute',
      9,
      (b, x) => b.nodes('TopK', [x], 2, { k: int(3), axis: int(3) })[0]!,
    ],
    [
      'what stands inside of a branch',
      13,
      (b, x) => {
        const branch = (axis: number): Attribute => ({
          kind: 'graph',
          value: {
            name: `over ${axis}`,
            inputs: [],
            outputs: [{ name: `mean${axis}`, type: 'float32', shape: null }],
            initialisers: new Map(),
            nodes: [
              {
                name: '',
                op: 'ReduceMean',
                domain: '',
                inputs: [x],
                outputs: [`mean${axis}`],
                attributes: { axes: ints([axis]) },
              },
            ],
            opsets: new Map(),
            metadata: new Map(),
            producer: '',
          },
        })
        const condition = b.node('Greater', [
          b.node('ReduceMax', [x], { keepdims: int(0) }),
          b.constant('zero', scalar(0)),
        ])
        return b.node('If', [condition], { then_branch: branch(1), else_branch: branch(2) })
      },
    ],
  ]

  test.each(old)('%s (set %i)', async (_, opset, draw) => {
    const graph = sketch(draw, opset)
    const upgraded = upgradeOpset(graph)
    expect(upgraded.opsets.get('')).toBe(18)
    expect(largestDifference(await run(upgraded, 'disabled'), await run(graph, 'disabled'))).toBe(0)
    expect(upgradeOpset(upgraded)).toBe(upgraded)
  })

  test('split without sizes', async () => {
    const split: Node = {
      name: 's',
      op: 'Split',
      domain: '',
      inputs: ['input'],
      outputs: ['a', 'b'],
      attributes: { axis: int(2) },
    }
    const join: Node = {
      name: 'j',
      op: 'Sub',
      domain: '',
      inputs: ['b', 'a'],
      outputs: ['output'],
      attributes: {},
    }
    const graph: Graph = {
      ...sketch((b, x) => b.node('Relu', [x]), 11),
      nodes: [split, join],
    }
    expect(await run(upgradeOpset(graph), 'disabled')).toEqual(await run(graph, 'disabled'))
  })

  test('sets before 7 and after 28, and operators that mean something else today, are refused by name', () => {
    const plain = (opset: number): Graph => sketch((b, x) => b.node('Relu', [x]), opset)
    expect(() => upgradeOpset(plain(6))).toThrow(/before 2018/)
    expect(() => upgradeOpset(plain(29))).toThrow(/newer than this Kestrel \(set 29\)/)
    expect(() => upgradeOpset(sketch((b, x) => b.node('Loop', [x]), 9))).toThrow(/Loop/)
  })
})

describe('files of newer operator sets', () => {
  test('sets that the runtime reads stay as they are', async () => {
    for (const opset of [18, 21, newestOpset]) {
      const graph = sketch((b, x) => b.node('Relu', [x]), opset)
      expect(upgradeOpset(graph)).toBe(graph)
      await run(graph, 'disabled')
    }
  })

  test('newer ones are written in the newest that it reads', async () => {
    const graph = sketch((b, x) => b.node('Relu', [x]), 28)
    const upgraded = upgradeOpset(graph)
    expect(upgraded.opsets.get('')).toBe(newestOpset)
    expect(await run(upgraded, 'disabled')).toEqual(picture.map((value) => Math.max(0, value)))
  })

  test('the other order of SpaceToDepth becomes an order of channels', async () => {
    const crd = sketch((b, x) => b.node('SpaceToDepth', [x], { blocksize: int(2), mode: string('CRD') }), 28)
    // Channel c, row y and column x of a block give channel 4 c + 2 y + x.
    const half = size / 2
    const wanted = new Float32Array(picture.length)
    picture.forEach((value, at) => {
      const [c, y, x] = [Math.floor(at / size ** 2), Math.floor(at / size) % size, at % size]
      const channel = 4 * c + 2 * (y % 2) + (x % 2)
      wanted[channel * half ** 2 + Math.floor(y / 2) * half + Math.floor(x / 2)] = value
    })
    expect(await run(upgradeOpset(crd), 'disabled')).toEqual(wanted)
  })

  test('Swish, which the runtime lacks, is spelt out', async () => {
    for (const alpha of [1, 1.5]) {
      const graph = sketch((b, x) => b.node('Swish', [x], { alpha: float(alpha) }), 24)
      const wanted = picture.map((value) => value / (1 + Math.exp(-alpha * value)))
      expect(largestDifference(await run(upgradeOpset(graph), 'disabled'), wanted)).toBeLessThan(1e-6)
    }
  })
})

describe('shapes', () => {
  test('sizes that contradict each other are named', () => {
    const graph = sketch((b, x) => b.node('Conv', [x, b.constant('w', weights([4, 5, 1, 1]))]))
    expect(() => inferShapes(graph)).toThrow(/takes 5 channels and gets 3/)
    const large = sketch((b, x) => b.node('MaxPool', [x], { kernel_shape: ints([9, 9]) }))
    expect(() => inferShapes(large)).toThrow(/larger than its input/)
  })

  test('an open batch stays open through a reshape that the network computes', () => {
    const graph = sketch((b, x) => {
      const pooled = b.node('GlobalAveragePool', [x])
      const batch = b.node('Gather', [b.node('Shape', [pooled]), b.constant('zero', int64s([0]))], {
        axis: int(0),
      })
      return b.node('Reshape', [
        pooled,
        b.node('Concat', [batch, b.constant('rest', int64s([-1]))], { axis: int(0) }),
      ])
    })
    expect(inferShapes(graph).get('output')?.shape).toEqual(['batch', 3])
    const folded = sketch((b, x) =>
      b.node('Reshape', [b.node('GlobalAveragePool', [x]), b.constant('s', int64s([-1, 3]))]),
    )
    expect(inferShapes(folded).get('output')?.shape).toEqual(['batch', 3])
  })

  test('an operator nobody knows leaves the rest known', () => {
    const graph = sketch((b, x) => b.node('Relu', [x]))
    const odd: Node = {
      name: 'odd',
      op: 'Odd',
      domain: 'com.example',
      inputs: ['input'],
      outputs: ['odd'],
      attributes: {},
    }
    const shapes = inferShapes({ ...graph, nodes: [odd, ...graph.nodes] })
    expect(shapes.get('odd')?.shape).toBeNull()
    expect(shapes.get('output')?.shape).toEqual(['batch', 3, size, size])
  })
})

describe('cutting and naming', () => {
  const graph = sketch((b, x) => {
    const first = b.node('Mul', [x, b.constant('two', scalar(2))], {}, 'first')
    return b.node('Add', [first, b.constant('three', scalar(3))], {}, 'second')
  })

  test('a cut keeps only what its value needs', () => {
    const cut = cutAt(graph, { name: 'first', type: 'float32', shape: null })
    expect(operators(cut)).toEqual(['Mul'])
    expect([...cut.initialisers.keys()]).toEqual(['two'])
    expect(prune(graph)).toEqual(graph)
  })

  test('renaming changes names and nothing else', async () => {
    const renamed = renameValues(
      graph,
      new Map([
        ['first', 'once'],
        ['two', 'factor'],
      ]),
    )
    expect(renamed.nodes[0]?.outputs).toEqual(['once'])
    expect(await run(renamed, 'disabled')).toEqual(await run(graph, 'disabled'))
    expect(() => renameValues(graph, new Map([['first', 'two']]))).toThrow(/is taken/)
  })

  test('an embedded graph answers as it does alone, however its values are called', async () => {
    const builder = new GraphBuilder('outer')
    const input = builder.input({ name: 'input', type: 'float32', shape: ['batch', 3, size, size] })
    const negative = builder.node('Neg', [input], {}, 'two')
    const inside = builder.embed(graph, new Map([['input', negative]]))
    builder.output(builder.node('Neg', [inside('output')], {}, 'first'), {
      name: 'output',
      type: 'float32',
      shape: null,
    })
    const wanted = picture.map((value) => -(-value * 2 + 3))
    expect(largestDifference(await run(builder.build(), 'disabled'), wanted)).toBeLessThan(1e-5)
  })
})
