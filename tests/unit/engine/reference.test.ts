import { describe, expect, it } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { elementCount, float32, int64s, numbers, scalar, tensor } from '#trainer/graph/tensor.ts'
import { trainingDomain } from '#trainer/graph/training-operators.ts'
import type { TrainingOperator } from '#trainer/graph/training-operators.ts'
import { float, int, ints } from '#trainer/graph/types.ts'
import type { Attributes, Graph, Tensor } from '#trainer/graph/types.ts'

const random = createRandom(7)
const drawn = (shape: readonly number[]): Tensor =>
  tensor(
    'float64',
    shape,
    Float64Array.from({ length: elementCount(shape) }, () => random.normal()),
  )

const real = (shape: readonly number[], data: readonly number[]): Tensor =>
  tensor('float64', shape, Float64Array.from(data))

async function run(graph: Graph, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await referenceEngine.open(graph)
  const results = await session.run(feeds)
  await session.dispose()
  return results
}

/** Runs one node on values; the outputs in their order. */
async function compute(
  op: string,
  inputs: readonly (Tensor | null)[],
  attributes: Attributes = {},
  { domain = '', outputs = 1 }: { domain?: string; outputs?: number } = {},
): Promise<Tensor[]> {
  const b = new GraphBuilder('one node')
  const names = inputs.map((value, index) =>
    value === null ? '' : b.input({ name: `input${index}`, type: value.type, shape: value.shape }),
  )
  const results = b.nodes(op, names, outputs, attributes, { domain })
  results.forEach((name) => b.output(name, { name, type: null, shape: null }))
  const feeds = Object.fromEntries(
    names.flatMap((name, index) => (name === '' ? [] : [[name, inputs[index]!]])),
  )
  const found = await run(b.build(), feeds)
  return results.map((name) => found[name]!)
}

const training = (
  op: TrainingOperator,
  inputs: readonly Tensor[],
  attributes: Attributes,
  outputs = 1,
): Promise<Tensor[]> => compute(op, inputs, attributes, { domain: trainingDomain, outputs })

/**
 * The gradient of Σ y · weights for one input by central differences, where y is the first output of `forward`: what
 * the gradient operators are held against.
 */
async function numericGradient(
  forward: (x: Tensor) => Promise<Tensor>,
  x: Tensor,
  dy: Tensor,
  step = 1e-5,
): Promise<number[]> {
  const values = numbers(x)
  const loss = async (changed: number[]): Promise<number> => {
    const y = numbers(await forward(real(x.shape, changed)))
    return y.reduce((sum, each, i) => sum + each * numbers(dy)[i]!, 0)
  }
  const gradient: number[] = []
  for (let i = 0; i < values.length; i++) {
    const up = await loss(values.with(i, values[i]! + step))
    const down = await loss(values.with(i, values[i]! - step))
    gradient.push((up - down) / (2 * step))
  }
  return gradient
}

function expectClose(found: Tensor, wanted: readonly number[], tolerance = 1e-8): void {
  const values = numbers(found)
  expect(values.length).toBe(wanted.length)
  const scale = Math.max(1, ...wanted.map(Math.abs))
  values.forEach((each, i) => expect(Math.abs(each - wanted[i]!) / scale).toBeLessThan(tolerance))
}

describe('the reference engine', () => {
  const affine = (): Graph => {
    const b = new GraphBuilder('affine')
    const x = b.input({ name: 'x', type: 'float32', shape: ['batch', 2] })
    const w = b.constant('w', float32([2, 1], [2, 3]))
    const product = b.node('MatMul', [x, w], {}, 'product')
    b.output(product, { name: 'product', type: 'float32', shape: ['batch', 1] })
    b.output(b.node('Add', [product, b.constant('one', scalar(1))]), {
      name: 'y',
      type: 'float32',
      shape: ['batch', 1],
    })
    return b.build()
  }

  it('computes in 64 bits, whatever the graph calls its numbers', async () => {
    const session = await referenceEngine.open(affine())
    const third = 1 / 3
    const { y, product } = await session.run({ x: real([1, 2], [third, third]) })
    expect(y).toEqual({ type: 'float64', shape: [1, 1], data: Float64Array.of(2 * third + 3 * third + 1) })
    expect(product!.data[0]).toBe(2 * third + 3 * third)
    // 32-bit values are taken as they are.
    const narrow = await session.run({ x: float32([2, 2], [1, 2, 3, 4]) })
    expect([...narrow['y']!.data]).toEqual([9, 19])
  })

  it('computes only what is wanted, into arrays that are given', async () => {
    const session = await referenceEngine.open(affine())
    const mine = new Float64Array(1)
    const found = await session.run(
      { x: real([1, 2], [1, 1]) },
      { y: { type: 'float64', shape: [1, 1], data: mine } },
    )
    expect(Object.keys(found)).toEqual(['y'])
    expect(mine[0]).toBe(6)
    await expect(session.run({ x: real([1, 2], [1, 1]) }, { y: float32([1, 1], [0]) })).rejects.toThrow(
      /float64/,
    )
  })

  it('hands out copies: what is written to a result changes no later run', async () => {
    const b = new GraphBuilder('same')
    const x = b.input({ name: 'x', type: 'float64', shape: [1] })
    b.output(b.node('Identity', [x]), { name: 'y', type: null, shape: null })
    b.output(b.constant('c', real([1], [5])), { name: 'z', type: null, shape: null })
    const session = await referenceEngine.open(b.build())
    const feed = real([1], [1])
    const first = await session.run({ x: feed })
    first['y']!.data[0] = 9
    first['z']!.data[0] = 9
    expect(feed.data[0]).toBe(1)
    expect((await session.run({ x: feed }))['z']!.data[0]).toBe(5)
  })

  it('names what it lacks, and what it was not given', async () => {
    const b = new GraphBuilder('odd')
    const x = b.input({ name: 'x', type: 'float32', shape: [1] })
    const odd = b.nodes('Odd', [b.node('StringNormalizer', [x])], 1, {}, { domain: 'com.example' })
    b.output(odd[0]!, { name: 'y', type: null, shape: null })
    await expect(referenceEngine.open(b.build())).rejects.toMatchObject({
      code: 'operator-unsupported',
      message: expect.stringContaining('StringNormalizer, com.example::Odd'),
    })
    const session = await referenceEngine.open(affine())
    await expect(session.run({})).rejects.toThrow(/"x" was not given/)
    await expect(session.run({ x: real([1, 3], [1, 2, 3]) })).rejects.toThrow(/\[batch, 2\] and got \[1, 3\]/)
    await expect(session.run({ x: int64s([1, 2]) })).rejects.toThrow(/"x"/)
    await session.dispose()
    await session.dispose()
    await expect(session.run({ x: real([1, 2], [1, 1]) })).rejects.toMatchObject({ code: 'internal' })
  })
})

describe('convolution worked out by hand', () => {
  const x = real([1, 1, 3, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9])
  const w = real([1, 1, 2, 2], [1, 0, 0, -1])

  it('slides the filter over the picture', async () => {
    const [y] = await compute('Conv', [x, w, real([1], [10])])
    expect(y).toMatchObject({ shape: [1, 1, 2, 2] })
    expect([...y!.data]).toEqual([6, 6, 6, 6])
  })

  it('pads, strides and dilates', async () => {
    const [padded] = await compute('Conv', [x, w], { pads: ints([1, 1, 0, 0]), strides: ints([2, 2]) })
    expect([...padded!.data]).toEqual([-1, -3, -7, -4])
    const [dilated] = await compute('Conv', [x, w], { dilations: ints([2, 2]) })
    expect([...dilated!.data]).toEqual([-8])
  })
})

describe('training operators against differences', () => {
  it('convolution', async () => {
    const attributes: Attributes = {
      group: int(2),
      strides: ints([2, 1]),
      pads: ints([1, 0, 2, 1]),
      dilations: ints([1, 2]),
    }
    const [x, w] = [drawn([2, 4, 5, 6]), drawn([6, 2, 3, 2])]
    const conv = async (a: Tensor, b: Tensor): Promise<Tensor> =>
      (await compute('Conv', [a, b], attributes))[0]!
    const dy = drawn((await conv(x, w)).shape)
    const [dx] = await training('ConvInputGradient', [dy, w], { ...attributes, input_shape: ints(x.shape) })
    const [dw] = await training('ConvWeightGradient', [x, dy], { ...attributes, weight_shape: ints(w.shape) })
    expectClose(dx!, await numericGradient((each) => conv(each, w), x, dy))
    expectClose(dw!, await numericGradient((each) => conv(x, each), w, dy))
  })

  it('pooling', async () => {
    const attributes: Attributes = {
      kernel_shape: ints([3, 2]),
      strides: ints([2, 2]),
      pads: ints([1, 0, 1, 1]),
    }
    const x = drawn([2, 3, 5, 5])
    const pool = async (op: string, value: Tensor, more: Attributes = {}): Promise<Tensor> =>
      (await compute(op, [value], { ...attributes, ...more }))[0]!
    const y = await pool('MaxPool', x)
    const dy = drawn(y.shape)
    const [dx] = await training('MaxPoolGradient', [x, y, dy], attributes)
    expectClose(dx!, await numericGradient((each) => pool('MaxPool', each), x, dy))
    for (const all of [0, 1]) {
      const more = { count_include_pad: int(all) }
      const [mean] = await training('AveragePoolGradient', [dy], {
        ...attributes,
        ...more,
        input_shape: ints(x.shape),
      })
      expectClose(mean!, await numericGradient((each) => pool('AveragePool', each, more), x, dy))
    }
  })

  it('ties of a maximum share its gradient equally', async () => {
    const x = real([1, 1, 2, 2], [3, 1, 3, 3])
    const [dx] = await training('MaxPoolGradient', [x, real([1, 1, 1, 1], [3]), real([1, 1, 1, 1], [6])], {
      kernel_shape: ints([2, 2]),
    })
    expect([...dx!.data]).toEqual([2, 0, 2, 2])
  })

  it('batch normalisation', async () => {
    const attributes = { epsilon: float(1e-3) }
    const [x, gamma, beta] = [drawn([3, 2, 2, 2]), drawn([2]), drawn([2])]
    const forward = (a: Tensor, b: Tensor, c: Tensor): Promise<Tensor[]> =>
      training('BatchNormalizationTraining', [a, b, c], attributes, 3)
    const [y, mean, variance] = await forward(x, gamma, beta)
    const dy = drawn(y!.shape)
    const [dx, dgamma, dbeta] = await training(
      'BatchNormalizationGradient',
      [x, gamma, mean!, variance!, dy],
      attributes,
      3,
    )
    expectClose(dx!, await numericGradient(async (each) => (await forward(each, gamma, beta))[0]!, x, dy))
    expectClose(dgamma!, await numericGradient(async (each) => (await forward(x, each, beta))[0]!, gamma, dy))
    expectClose(dbeta!, await numericGradient(async (each) => (await forward(x, gamma, each))[0]!, beta, dy))
    // Inference with these very statistics gives the same.
    const [same] = await compute('BatchNormalization', [x, gamma, beta, mean!, variance!], attributes)
    expectClose(same!, numbers(y!), 1e-15)
  })

  it('rows read more than once get the sum', async () => {
    const indices = int64s([2, 0, 2])
    const dy = real([2, 3], [1, 2, 4, 10, 20, 40])
    const [dx] = await training('GatherGradient', [indices, dy], { axis: int(1), input_shape: ints([2, 4]) })
    expect([...dx!.data]).toEqual([2, 0, 5, 0, 20, 0, 50, 0])
  })

  it('dropout gives what it gets', async () => {
    const x = drawn([2, 3])
    const [y] = await training('Dropout', [x], { ratio: float(0.5), channels: int(0) })
    expect([...y!.data]).toEqual(numbers(x))
  })
})
