import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lower } from '#trainer/autodiff/lowering/index.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { float32, int64s, numbers } from '#trainer/graph/tensor.ts'
import { trainingDomain } from '#trainer/graph/training-operators.ts'
import { float, int, ints } from '#trainer/graph/types.ts'
import type { Tensor } from '#trainer/graph/types.ts'
import { anySeed, normals, run, wholes } from '../../helpers/engines.ts'
import { always, Bed, expectLowered, geometries, square, targets, windowOf } from '../../helpers/lowering.ts'
import type { Geometry } from '../../helpers/lowering.ts'

/** Channels per group that go in and come out; blocks are of 8 or 16 channels. */
interface Channels {
  group: number
  inputs: number
  outputs: number
}

const anyChannels = fc.oneof(
  fc.record({
    group: fc.integer({ min: 1, max: 3 }),
    inputs: fc.constantFrom(1, 2, 3, 17),
    outputs: fc.integer({ min: 1, max: 3 }),
  }),
  fc.constantFrom(
    { group: 1, inputs: 16, outputs: 32 },
    { group: 1, inputs: 3, outputs: 16 },
    { group: 1, inputs: 24, outputs: 16 },
    { group: 16, inputs: 1, outputs: 1 },
    { group: 32, inputs: 1, outputs: 1 },
    { group: 16, inputs: 1, outputs: 2 },
    { group: 2, inputs: 16, outputs: 16 },
  ),
)

interface Conv {
  geometry: Geometry
  channels: Channels
  seed: number
}

const convs = fc.record({ geometry: geometries(), channels: anyChannels, seed: anySeed })

/** The usual convolutions, each with a way of its own. */
const usual: [string, Geometry, Channels][] = [
  ['3 × 3', square(9, 3), { group: 1, inputs: 32, outputs: 16 }],
  ['3 × 3 over a large map', square(34, 3, 1, 1, 3), { group: 1, inputs: 16, outputs: 16 }],
  ['1 × 1', square(7, 1), { group: 1, inputs: 48, outputs: 32 }],
  ['1 × 1 with stride', square(8, 1, 2), { group: 1, inputs: 16, outputs: 32 }],
  ['1 × 1 with stride on an odd map', square(7, 1, 2), { group: 1, inputs: 16, outputs: 32 }],
  ['per channel', square(8, 3), { group: 32, inputs: 1, outputs: 1 }],
  ['per channel with stride', square(8, 3, 2), { group: 32, inputs: 1, outputs: 1 }],
  [
    'per channel with the padding of Keras',
    { ...square(8, 3, 2), pads: [0, 0, 1, 1], out: [4, 4] },
    { group: 16, inputs: 1, outputs: 1 },
  ],
  ['a stem', square(15, 3, 2), { group: 1, inputs: 3, outputs: 16 }],
  ['a stem over a large picture', square(70, 3, 2, 1, 2), { group: 1, inputs: 3, outputs: 16 }],
  ['a stem of 7 × 7', square(16, 7, 2), { group: 1, inputs: 3, outputs: 16 }],
  ['3 × 3 with stride', square(8, 3, 2), { group: 1, inputs: 16, outputs: 16 }],
  ['3 × 3 with stride on an odd map', square(9, 3, 2), { group: 1, inputs: 16, outputs: 16 }],
  ['a batch of one', square(8, 3, 1, 1, 1), { group: 1, inputs: 16, outputs: 16 }],
  ['a map of one place', square(1, 3), { group: 1, inputs: 16, outputs: 16 }],
  ['a stride larger than the kernel', square(9, 2, 4, 0), { group: 1, inputs: 16, outputs: 16 }],
  [
    'windows in the padding only',
    { ...square(1, 1, 2, 0), pads: [0, 3, 0, 0], out: [1, 2] },
    { group: 1, inputs: 16, outputs: 16 },
  ],
]

const xShape = ({ geometry, channels }: Omit<Conv, 'seed'>): number[] => [
  geometry.batch,
  channels.group * channels.inputs,
  ...geometry.size,
]
const wShape = ({ geometry, channels: { group, inputs, outputs } }: Omit<Conv, 'seed'>): number[] => [
  group * outputs,
  inputs,
  ...geometry.kernel,
]
const yShape = ({ geometry, channels: { group, outputs } }: Omit<Conv, 'seed'>): number[] => [
  geometry.batch,
  group * outputs,
  ...geometry.out,
]

function inputGradient(conv: Conv) {
  const bed = new Bed()
  const [dy, w] = [
    bed.map('dy', normals(yShape(conv), conv.seed)),
    bed.feed('w', normals(wShape(conv), conv.seed + 1)),
  ]
  const [dx] = bed.training('ConvInputGradient', [dy, w], {
    ...windowOf(conv.geometry),
    group: int(conv.channels.group),
    input_shape: ints(xShape(conv)),
  })
  return expectLowered(bed.graph(dx!), bed.feeds)
}

function weightGradient(conv: Conv) {
  const bed = new Bed()
  const [x, dy] = [
    bed.map('x', normals(xShape(conv), conv.seed)),
    bed.map('dy', normals(yShape(conv), conv.seed + 1)),
  ]
  const [dw] = bed.training('ConvWeightGradient', [x, dy], {
    ...windowOf(conv.geometry),
    group: int(conv.channels.group),
    weight_shape: ints(wShape(conv)),
  })
  return expectLowered(bed.graph(dw!), bed.feeds)
}

/** The convolution itself, which the blocked layout takes over as well. */
function forward(conv: Conv) {
  const bed = new Bed()
  const inputs = [
    bed.map('x', normals(xShape(conv), conv.seed)),
    bed.feed('w', normals(wShape(conv), conv.seed + 1)),
    bed.feed('b', normals([wShape(conv)[0]!], conv.seed + 2)),
  ]
  const y = bed.op('Conv', inputs, { ...windowOf(conv.geometry), group: int(conv.channels.group) })
  return expectLowered(bed.graph(y), bed.feeds)
}

describe('lowered convolutions', () => {
  it.each(usual)('agree with the definition: %s', async (_, geometry, channels) => {
    const conv = { geometry, channels, seed: 1 }
    await forward(conv)
    await inputGradient(conv)
    await weightGradient(conv)
  })

  it('agree for any window, any groups: what comes out', () => always(convs, forward, 40))
  it('agree for any window, any groups: the gradient of the input', () => always(convs, inputGradient, 60))
  it('agree for any window, any groups: the gradient of the weights', () => always(convs, weightGradient, 60))

  it('refuse windows that are not over height and width', () => {
    const bed = new Bed()
    const [dy, w] = [bed.feed('dy', normals([1, 2, 5], 1)), bed.feed('w', normals([2, 2, 3], 2))]
    const [dx] = bed.training('ConvInputGradient', [dy, w], {
      kernel_shape: ints([3]),
      pads: ints([1, 1]),
      input_shape: ints([1, 2, 5]),
    })
    expect(() => lower(bed.graph(dx!))).toThrow(/height and width/)
  })
})

describe('lowered poolings', () => {
  const pools = (dilated: boolean) =>
    fc.record({
      geometry: fc.oneof(
        geometries({ inside: true, dilated }),
        fc.constantFrom(square(8, 2, 2, 0), square(6, 3, 3, 0), square(7, 2, 2, 0), square(9, 3, 2)),
      ),
      channels: fc.constantFrom(1, 3, 16, 32),
      seed: anySeed,
    })

  /** Whole numbers, so that ties are common. */
  const maxPool = ({ geometry, channels, seed }: { geometry: Geometry; channels: number; seed: number }) => {
    const bed = new Bed()
    const x = bed.map('x', wholes([geometry.batch, channels, ...geometry.size], seed, -2, 2))
    const y = bed.op('MaxPool', [x], windowOf(geometry))
    const dy = bed.map('dy', normals([geometry.batch, channels, ...geometry.out], seed + 1))
    const [dx] = bed.training('MaxPoolGradient', [x, y, dy], windowOf(geometry))
    return expectLowered(bed.graph(y, dx!), bed.feeds)
  }

  it('give a maximum its gradient, ties in equal parts, for any window', () => {
    // ONNX leaves open what the largest of no value is.
    const seen = ({ geometry: { size, kernel, strides, dilations, pads, out } }: { geometry: Geometry }) =>
      [0, 1].every((axis) =>
        Array.from({ length: out[axis]! }, (_, at) => at * strides[axis]! - pads[axis]!).every((from) =>
          Array.from({ length: kernel[axis]! }, (_, tap) => from + tap * dilations[axis]!).some(
            (read) => read >= 0 && read < size[axis]!,
          ),
        ),
      )
    return always(pools(true).filter(seen), maxPool, 60)
  })

  it('of averages give every value its part, for any window', () =>
    always(
      fc.tuple(pools(false), fc.boolean()),
      async ([{ geometry, channels, seed }, counted]) => {
        const bed = new Bed()
        const { dilations: _, ...window } = windowOf(geometry)
        const attributes = { ...window, count_include_pad: int(counted ? 1 : 0) }
        const shape = [geometry.batch, channels, ...geometry.size]
        const y = bed.op('AveragePool', [bed.map('x', normals(shape, seed))], attributes)
        const dy = bed.map('dy', normals([geometry.batch, channels, ...geometry.out], seed + 1))
        const [dx] = bed.training('AveragePoolGradient', [dy], { ...attributes, input_shape: ints(shape) })
        await expectLowered(bed.graph(y, dx!), bed.feeds)
      },
      60,
    ))

  it('know the window that hangs over where sizes are rounded up', async () => {
    const bed = new Bed()
    const window = {
      kernel_shape: ints([3, 3]),
      strides: ints([2, 2]),
      pads: ints([0, 0, 0, 0]),
      ceil_mode: int(1),
    }
    const x = bed.map('x', wholes([2, 16, 6, 8], 3, 0, 3))
    const y = bed.op('MaxPool', [x], window)
    const mean = bed.op('AveragePool', [x], window)
    const dy = bed.map('dy', normals([2, 16, 3, 4], 4))
    const [largest] = bed.training('MaxPoolGradient', [x, y, dy], window)
    const [average] = bed.training('AveragePoolGradient', [dy], {
      ...window,
      input_shape: ints([2, 16, 6, 8]),
    })
    await expectLowered(bed.graph(y, mean, largest!, average!), bed.feeds)
  })
})

describe('lowered batch normalisation', () => {
  /** → y, mean, variance, dx, dgamma, dbeta. */
  function normalisation(x: Tensor, seed: number, epsilon = 1e-5) {
    const bed = new Bed()
    const channels = x.shape[1]!
    const map = x.shape.length === 4 ? bed.map('x', x) : bed.feed('x', x)
    const gamma = bed.feed('gamma', normals([channels], seed + 1))
    const beta = bed.feed('beta', normals([channels], seed + 2))
    const attributes = { epsilon: float(epsilon) }
    const forward = bed.training('BatchNormalizationTraining', [map, gamma, beta], attributes, 3)
    const dy = bed.feed('dy', normals(x.shape, seed + 3))
    const back = bed.training(
      'BatchNormalizationGradient',
      [map, gamma, forward[1]!, forward[2]!, dy],
      attributes,
      3,
    )
    return { bed, graph: bed.graph(...forward, ...back) }
  }

  it.each([
    [[4, 16, 5, 7]],
    [[2, 32, 33, 40]],
    [[3, 5, 6, 4]],
    [[1, 16, 2, 2]],
    [[5, 16, 1, 1]],
    [[6, 9]],
    [[3, 4, 8]],
  ])('agrees with the definition on %j', async (shape) => {
    const { bed, graph } = normalisation(normals(shape, 5, 0.4), 6)
    await expectLowered(graph, bed.feeds)
  })

  it('keeps its digits where the mean is far from 0', async () => {
    // In 32 bits the square of 300 leaves 2^-7 of a variance of 1.
    const { bed, graph } = normalisation(normals([4, 16, 9, 8], 7, 300), 8)
    await expectLowered(graph, bed.feeds, 2e-4)
  })

  it('gives a channel that is the same everywhere no negative variance', async () => {
    const shape = [2, 16, 6, 6]
    const { bed, graph } = normalisation(float32(shape, new Float32Array(2 * 16 * 36).fill(3.3)), 9)
    const [y, , variance] = graph.outputs
    for (const target of await targets()) {
      const found = await run(onnxEngine, lower({ ...graph, outputs: [y!, variance!] }, target), bed.feeds)
      for (const value of numbers(found[variance!.name]!)) {
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThan(1e-9)
      }
      // What is left of x − μ is rounding, and 1/√ε makes it 316 times as large.
      const offsets = numbers(bed.feeds['beta']!)
      numbers(found[y!.name]!).forEach((value, at) =>
        expect(Math.abs(value - offsets[Math.floor(at / 36) % 16]!)).toBeLessThan(1e-3),
      )
    }
  })

  it('computes no gradient that nobody reads', async () => {
    const { graph } = normalisation(normals([2, 16, 4, 4], 1), 2)
    const whole = lower(graph)
    const parameters = lower({ ...graph, outputs: graph.outputs.filter((_, index) => index !== 3) })
    expect(parameters.nodes.length).toBeLessThan(whole.nodes.length)
  })
})

describe('lowered gathering', () => {
  it.each([
    ['rows read more than once', [5, 3], 0, [3], [1, 4, 1]],
    ['counted from the end', [5, 3], 0, [2, 2], [-1, 0, -5, 4]],
    ['along the last axis', [2, 3, 4], -1, [3], [3, 3, 0]],
    ['in the middle', [2, 4, 3], 1, [2], [2, 2]],
    ['a single index', [4, 3], 0, [], [2]],
  ])('sums: %s', async (_, shape, axis, indexShape, indices) => {
    const bed = new Bed()
    const at = axis < 0 ? axis + shape.length : axis
    const dy = bed.feed('dy', normals([...shape.slice(0, at), ...indexShape, ...shape.slice(at + 1)], 3))
    const places = bed.feed('indices', { ...int64s(indices), shape: indexShape } as Tensor)
    const [dx] = bed.training('GatherGradient', [places, dy], { axis: int(axis), input_shape: ints(shape) })
    await expectLowered(bed.graph(dx!), bed.feeds)
  })
})

describe('lower', () => {
  it('leaves a graph without training operators as it is', async () => {
    const builder = new GraphBuilder('plain')
    const x = builder.input({ name: 'x', type: 'float32', shape: [1, 16, 4, 4] })
    builder.output(builder.node('Relu', [x]), { name: 'y', type: 'float32', shape: [1, 16, 4, 4] })
    const graph = builder.build()
    for (const target of await targets()) expect(lower(graph, target)).toBe(graph)
  })

  it('keeps the names and order of inputs and outputs, and leaves no training operator behind', async () => {
    const bed = new Bed()
    const x = bed.map('x', normals([2, 16, 4, 4], 1))
    const [dropped] = bed.training('Dropout', [x], { ratio: float(0.5) })
    const graph = bed.graph(x, dropped!, bed.op('Relu', [dropped!]))
    for (const target of await targets()) {
      const lowered = lower(graph, target)
      expect(lowered.inputs).toEqual(graph.inputs)
      expect(lowered.outputs).toEqual(graph.outputs)
      expect(lowered.nodes.filter(({ domain }) => domain === trainingDomain)).toEqual([])
    }
    await expectLowered(graph, bed.feeds)
  })

  it('needs to know all sizes', () => {
    const builder = new GraphBuilder('free')
    const x = builder.input({ name: 'x', type: 'float32', shape: ['batch', 3, 4, 4] })
    const dy = builder.input({ name: 'dy', type: 'float32', shape: ['batch', 3, 2, 2] })
    const [dx] = builder.nodes(
      'MaxPoolGradient',
      [x, dy, dy],
      1,
      { kernel_shape: ints([2, 2]) },
      { domain: trainingDomain },
    )
    builder.output(dx!, { name: 'dx', type: 'float32', shape: null })
    expect(() => lower(builder.build())).toThrow(/not known/)
  })
})
