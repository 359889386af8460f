import { describe, expect, it } from 'vitest'
import { differentiate } from '#trainer/autodiff/differentiate.ts'
import { lower } from '#trainer/autodiff/lowering/index.ts'
import { simplify } from '#trainer/autodiff/lowering/peepholes/index.ts'
import { shareCommon } from '#trainer/autodiff/lowering/share.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { float32, numbers, scalar } from '#trainer/graph/tensor.ts'
import { float, int, ints } from '#trainer/graph/types.ts'
import type { Attributes, Graph, Tensor } from '#trainer/graph/types.ts'
import { normals, run, wholes } from '../../helpers/engines.ts'
import { Bed, expectLowered } from '../../helpers/lowering.ts'

const pool: Attributes = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }
const overlapping: Attributes = {
  kernel_shape: ints([3, 3]),
  strides: ints([2, 2]),
  pads: ints([1, 1, 1, 1]),
}

const count = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length

/** Adds Σ y·weights as the loss and the gradients by some values: what `wrt` names, and the loss itself, come out. */
function trained(
  bed: Bed,
  y: string,
  weights: Tensor,
  wrt: readonly string[],
  ...more: readonly string[]
): Graph {
  const product = bed.op('Mul', [y, bed.feed('weights', weights)])
  const loss = bed.op('ReduceSum', [product], { keepdims: int(0) })
  const gradients = differentiate(bed.builder, { of: loss, wrt })
  return bed.graph(loss, ...wrt.map((name) => gradients.get(name)!), ...more)
}

/** Convolution, batch normalisation, rectifier, maximum: → loss, gradients, running statistics. */
function block({
  window = pool,
  gamma = normals([16], 3),
  bias = false,
  rectified = true,
  x = normals([2, 16, 8, 8], 1),
}: {
  window?: Attributes
  gamma?: Tensor
  bias?: boolean
  rectified?: boolean
  x?: Tensor
} = {}) {
  const bed = new Bed()
  const wrt = [
    bed.map('x', x),
    bed.feed('w', normals([16, 16, 3, 3], 2)),
    bed.feed('gamma', gamma),
    bed.feed('beta', normals([16], 4)),
  ]
  const [map, w, scale, shift] = wrt as [string, string, string, string]
  if (bias) wrt.push(bed.feed('b', normals([16], 5)))
  const conv = bed.op('Conv', [map, w, ...wrt.slice(4)], { pads: ints([1, 1, 1, 1]) })
  const [y, mean, variance] = bed.training(
    'BatchNormalizationTraining',
    [conv, scale, shift],
    { epsilon: float(1e-5) },
    3,
  )
  const pooled = bed.op('MaxPool', [rectified ? bed.op('Relu', [y!]) : y!], window)
  const graph = trained(bed, pooled, normals([2, 16, 4, 4], 6), wrt, mean!, variance!)
  return { bed, graph }
}

describe('a rectifier behind a maximum pooling', () => {
  const rectified = (x: Tensor, window: Attributes, read = false) => {
    const bed = new Bed()
    const map = bed.map('x', x)
    const relu = bed.op('Relu', [bed.op('Exp', [map])])
    const shifted = bed.op('Relu', [bed.op('Sub', [map, bed.builder.constant('one', scalar(1))])])
    const pooled = [relu, shifted].map((value) => bed.op('MaxPool', [value], window))
    const graph = trained(
      bed,
      bed.op('Add', pooled),
      normals([2, 16, 4, 4], 2),
      [map],
      ...(read ? [shifted] : []),
    )
    return { bed, graph }
  }

  it.each([
    ['tiles', pool],
    ['overlapping windows', overlapping],
  ])(
    'hands on what it did before, ties and windows without anything positive included: %s',
    async (_, window) => {
      const { bed, graph } = rectified(wholes([2, 16, 8, 8], 1, -2, 3), window)
      const before = simplify(graph).nodes.findIndex(({ op }) => op === 'MaxPool')
      expect(before).toBeLessThan(simplify(graph).nodes.findIndex(({ op }) => op === 'Relu'))
      await expectLowered(graph, bed.feeds)
    },
  )

  it('stays where it is when somebody else reads it', async () => {
    const { bed, graph } = rectified(wholes([2, 16, 8, 8], 1, -2, 3), pool, true)
    await expectLowered(graph, bed.feeds)
  })

  it('moves in a network that is not trained through, too', async () => {
    const bed = new Bed()
    const graph = bed.graph(
      bed.op('MaxPool', [bed.op('Relu', [bed.map('x', normals([2, 16, 8, 8], 1))])], pool),
    )
    expect(simplify(graph).nodes.map(({ op }) => op)).toEqual(['Conv', 'MaxPool', 'Relu', 'Dropout'])
    await expectLowered(graph, bed.feeds)
  })
})

describe('a batch normalisation behind a maximum pooling', () => {
  it.each([
    ['tiles', {}],
    ['overlapping windows', { window: overlapping }],
    ['a bias', { bias: true }],
    ['no rectifier', { rectified: false }],
    ['a mean far from 0', { x: normals([2, 16, 8, 8], 1, 30) }],
    // Whole numbers times whole numbers: convolutions tie as well.
    ['ties', { x: wholes([2, 16, 8, 8], 1, 0, 1) }],
  ])('gives the same outputs and gradients, with scales of either sign: %s', async (_, changes) => {
    const { bed, graph } = block(changes)
    const simple = simplify(graph)
    expect(count(simple, 'PooledNormalizationGradient')).toBe(1)
    expect(count(simple, 'BatchNormalizationTraining')).toBe(0)
    await expectLowered(graph, bed.feeds, 5e-5)
  })

  it('is left alone where its map is read by somebody else', () => {
    const { graph } = block()
    const map = graph.nodes.find(({ op }) => op === 'BatchNormalizationTraining')!.outputs[0]!
    const read = {
      ...graph,
      outputs: [...graph.outputs, { name: map, type: 'float32' as const, shape: [2, 16, 8, 8] }],
    }
    expect(count(simplify(read), 'PooledNormalizationGradient')).toBe(0)
  })

  it('hands a gradient of 0 on where the scale is 0', async () => {
    const { bed, graph } = block({ gamma: float32([16], new Float32Array(16)) })
    const [loss, dx, dw] = graph.outputs.map(({ name }) => name) as [string, string, string]
    const wanted = await run(referenceEngine, graph, bed.feeds)
    const found = await run(onnxEngine, lower(graph), bed.feeds)
    expect(numbers(found[loss]!)[0]).toBeCloseTo(numbers(wanted[loss]!)[0]!, 4)
    for (const name of [dx, dw]) expect(numbers(found[name]!).every((value) => value === 0)).toBe(true)
  })
})

describe('masks of a clip', () => {
  const clipped = (low: number | null, high: number | null) => {
    const bed = new Bed()
    const x = bed.map('x', wholes([2, 16, 4, 4], 1, -3, 9))
    const bounds = [low, high].map((value) =>
      value === null ? '' : bed.builder.constant('bound', scalar(value)),
    )
    const y = bed.op('Clip', [x, ...bounds])
    return { bed, x, graph: trained(bed, y, normals([2, 16, 4, 4], 2), [x]) }
  }

  it.each([
    [0, 6],
    [0, null],
    [null, 6],
    [-1, 1],
  ])('ask what came out, at the bounds as well: %s to %s', async (low, high) => {
    const { bed, x, graph } = clipped(low, high)
    await expectLowered(graph, bed.feeds)
    const asking = simplify(graph).nodes.filter(({ op }) => op === 'Greater' || op === 'Less')
    expect(asking.length).toBeGreaterThan(0)
    expect(asking.some(({ inputs }) => inputs[0] === x)).toBe(false)
  })

  it('ask what went in where the bounds cross', async () => {
    const { bed, x, graph } = clipped(4, 1)
    const asking = simplify(graph).nodes.filter(({ op }) => op === 'Greater' || op === 'Less')
    expect(asking.every(({ inputs }) => inputs[0] === x)).toBe(true)
    await expectLowered(graph, bed.feeds)
  })
})

describe('common parts', () => {
  it('are computed once, and outputs keep their names', () => {
    const builder = new GraphBuilder('twice')
    const x = builder.input({ name: 'x', type: 'float32', shape: [2] })
    const [a, b] = [builder.node('Exp', [x]), builder.node('Exp', [x])]
    const sums = [builder.node('Neg', [a]), builder.node('Neg', [b])]
    for (const [index, name] of [a, ...sums].entries())
      builder.output(name, { name: `y${index}`, type: 'float32', shape: [2] })
    const shared = shareCommon(builder.build())
    expect(shared.outputs.map(({ name }) => name)).toEqual(['y0', 'y1', 'y2'])
    expect(count(shared, 'Exp')).toBe(1)
    expect(count(shared, 'Neg')).toBe(2)
  })

  it('differ where their attributes do, in the sign of 0 as well', () => {
    const builder = new GraphBuilder('alike')
    const x = builder.input({ name: 'x', type: 'float32', shape: [2] })
    for (const alpha of [0, -0, 0.1, 0.1])
      builder.output(builder.node('LeakyRelu', [x], { alpha: float(alpha) }), {
        name: builder.unique('y'),
        type: 'float32',
        shape: [2],
      })
    const sum = builder.node('Add', [builder.node('Neg', [x]), builder.node('Neg', [x])])
    builder.output(sum, { name: 'sum', type: 'float32', shape: [2] })
    const shared = shareCommon(builder.build())
    // Outputs are kept apart even where they are equal.
    expect(count(shared, 'LeakyRelu')).toBe(4)
    expect(count(shared, 'Neg')).toBe(1)
  })
})

describe('a whole training graph', () => {
  it('of a network with everything in it gives the gradients of the reference', async () => {
    const bed = new Bed()
    const wrt: string[] = []
    const weight = (shape: number[], seed: number): string => {
      const value = normals(shape, seed)
      const fan = Math.sqrt(
        2 /
          Math.max(
            1,
            shape.slice(1).reduce((a, b) => a * b, 1),
          ),
      )
      const name = bed.feed(
        `w${seed}`,
        float32(
          shape,
          numbers(value).map((each) => each * fan),
        ),
      )
      wrt.push(name)
      return name
    }
    const conv = (x: string, shape: number[], seed: number, stride = 1, group = 1): string => {
      const pad = (shape[2]! - 1) / 2
      const attributes = {
        pads: ints([pad, pad, pad, pad]),
        strides: ints([stride, stride]),
        group: int(group),
      }
      return bed.op('Conv', [x, weight(shape, seed), weight([shape[0]!], seed + 100)], attributes)
    }
    const normalised = (x: string, channels: number, seed: number): string =>
      bed.training(
        'BatchNormalizationTraining',
        [x, weight([channels], seed), weight([channels], seed + 1)],
        { epsilon: float(1e-3) },
        3,
      )[0]!
    const relu6 = (x: string): string =>
      bed.op('Clip', [x, bed.builder.constant('low', scalar(0)), bed.builder.constant('high', scalar(6))])
    const stem = bed.op('Relu', [
      normalised(conv(bed.feed('x', normals([2, 3, 16, 16], 1)), [16, 3, 3, 3], 10, 2), 16, 20),
    ])
    const wide = relu6(normalised(conv(stem, [32, 16, 1, 1], 11), 32, 22))
    const deep = relu6(conv(wide, [32, 1, 3, 3], 12, 1, 32))
    const gate = bed.op('Sigmoid', [
      conv(
        bed.op('ReduceMean', [
          deep,
          bed.builder.constant('axes', { type: 'int64', shape: [2], data: BigInt64Array.of(2n, 3n) }),
        ]),
        [32, 32, 1, 1],
        13,
      ),
    ])
    const residual = bed.op('Add', [stem, conv(bed.op('Mul', [deep, gate]), [16, 32, 1, 1], 14)])
    const pooled = bed.op(
      'MaxPool',
      [bed.op('Relu', [normalised(conv(residual, [32, 16, 3, 3], 15), 32, 24)])],
      pool,
    )
    const logits = bed.op('Gemm', [
      bed.op('Flatten', [bed.op('GlobalAveragePool', [conv(pooled, [48, 32, 3, 3], 16, 2)])]),
      weight([48, 5], 17),
    ])
    const graph = trained(bed, bed.op('LogSoftmax', [logits], { axis: int(1) }), normals([2, 5], 3), wrt)
    await expectLowered(graph, bed.feeds, 3e-5)
  })
})
