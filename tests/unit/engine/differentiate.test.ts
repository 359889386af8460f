import { describe, expect, it } from 'vitest'
import { differentiate } from '#trainer/autodiff/differentiate.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { prune } from '#trainer/graph/edit.ts'
import { inferShapes } from '#trainer/graph/infer/index.ts'
import { float32, int64s, scalar } from '#trainer/graph/tensor.ts'
import { int, ints, string } from '#trainer/graph/types.ts'
import type { Attributes, Graph, Tensor } from '#trainer/graph/types.ts'
import { validate } from '#trainer/graph/validate.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'

const sketch = (...shape: number[]) => {
  const g = new GraphBuilder('sketch')
  const x = g.input({ name: 'x', type: 'float32', shape })
  const total = (value: string): string => g.node('ReduceSum', [value], { keepdims: int(0) })
  return { g, x, total }
}

/** The graph that gives the gradients under the names `gradient 0`, `gradient 1` …, and nothing else. */
function finished(g: GraphBuilder, of: string, wrt: readonly string[]): Graph {
  const gradients = differentiate(g, { of, wrt })
  wrt.forEach((name, index) => {
    const value = g.node('Identity', [gradients.get(name)!])
    g.output(value, { name: `gradient ${index}`, type: 'float32', shape: null })
  })
  const graph = prune(g.build())
  validate(graph)
  return graph
}

async function computed(graph: Graph, feeds: Record<string, Tensor>): Promise<Record<string, number[]>> {
  const session = await referenceEngine.open(graph)
  const results = await session.run(feeds)
  await session.dispose()
  return Object.fromEntries(
    Object.entries(results).map(([name, value]) => [name, [...(value.data as Float64Array)]]),
  )
}

const operators = (graph: Graph): string[] => graph.nodes.map(({ op }) => op)

describe('differentiate', () => {
  it('gives the gradient of values in the middle and of the loss itself', async () => {
    const { g, x, total } = sketch(3)
    const square = g.node('Mul', [x, x])
    const loss = total(g.node('Exp', [square]))
    const graph = finished(g, loss, [x, square, loss])
    const found = await computed(graph, { x: float32([3], [1, -1, 0]) })
    const e = Math.exp(1)
    expect(found['gradient 0']).toEqual([2 * e, -2 * e, 0])
    expect(found['gradient 1']).toEqual([e, e, 1])
    expect(found['gradient 2']).toEqual([1])
  })

  it('gives zeros of the right shape where the loss does not depend on a value', async () => {
    const { g, x, total } = sketch(2)
    const other = g.input({ name: 'other', type: 'float32', shape: [1, 3] })
    const graph = finished(g, total(x), [other, x])
    const found = await computed(graph, { x: float32([2], [1, 2]), other: float32([1, 3], [1, 2, 3]) })
    expect(found).toEqual({ 'gradient 0': [0, 0, 0], 'gradient 1': [1, 1] })
  })

  it('sums what several readers hand back, the same reader twice among them', async () => {
    const { g, x, total } = sketch(2)
    const loss = total(g.node('Sum', [x, x, g.node('Neg', [x]), g.node('Mul', [x, x])]))
    const found = await computed(finished(g, loss, [x]), { x: float32([2], [3, -4]) })
    expect(found['gradient 0']).toEqual([1 + 6, 1 - 8])
  })

  it('stops where a value is compared, counted or rounded', async () => {
    const { g, x, total } = sketch(2, 2)
    const top = g.node('ArgMax', [x], { axis: int(1), keepdims: int(0) })
    const whole = g.node('Cast', [top], { to: int(1) })
    const above = g.node('Cast', [g.node('Greater', [x, g.constant('zero', scalar(0))])], { to: int(1) })
    const loss = total(g.node('Add', [g.node('Mul', [x, above]), whole]))
    const found = await computed(finished(g, loss, [x]), { x: float32([2, 2], [1, -1, 2, 3]) })
    expect(found['gradient 0']).toEqual([1, 0, 1, 1])
  })

  it('leaves the forward graph as it is, and adds gradients of the shape of their values', () => {
    const { g, x, total } = sketch(2, 3, 4, 4)
    const w = g.constant('w', float32([5, 3, 3, 3], new Array<number>(135).fill(0.1)))
    const conv = g.node('Conv', [x, w], { pads: ints([1, 1, 1, 1]) })
    const loss = total(g.node('GlobalAveragePool', [g.node('Relu', [conv])]))
    const before = g.build().nodes.map((node) => ({ ...node }))
    const gradients = differentiate(g, { of: loss, wrt: [x, w, conv] })
    expect(g.build().nodes.slice(0, before.length)).toEqual(before)
    const shapes = inferShapes(g.build())
    for (const [value, gradient] of gradients)
      expect(shapes.get(gradient)?.shape).toEqual(shapes.get(value)?.shape)
  })

  it('does no work for values that nobody asks about', () => {
    const { g, x, total } = sketch(2, 3, 4, 4)
    const w = g.constant('w', float32([5, 3, 3, 3], new Array<number>(135).fill(0.1)))
    const other = g.constant('other', float32([5, 5, 1, 1], new Array<number>(25).fill(0.1)))
    const loss = total(g.node('Conv', [g.node('Conv', [x, w]), other]))
    const graph = finished(g, loss, [other])
    expect(operators(graph)).toContain('ConvWeightGradient')
    expect(operators(graph)).not.toContain('ConvInputGradient')
    expect(operators(graph).filter((op) => op === 'ConvWeightGradient')).toHaveLength(1)
  })

  it('spreads the gradient of a mean out only where nothing else does', async () => {
    const feeds = { x: float32([1, 1, 1, 3], [1, -2, 3]) }
    const pooled = (relu: boolean): Graph => {
      const { g, x, total } = sketch(1, 1, 1, 3)
      return finished(g, total(g.node('GlobalAveragePool', [relu ? g.node('Relu', [x]) : x])), [x])
    }
    const [masked, plain] = [pooled(true), pooled(false)]
    expect(operators(masked)).not.toContain('Expand')
    expect(operators(plain).filter((op) => op === 'Expand')).toHaveLength(1)
    const third = expect.closeTo(1 / 3, 12) as number
    expect((await computed(masked, feeds))['gradient 0']).toEqual([third, 0, third])
    expect((await computed(plain, feeds))['gradient 0']).toEqual([third, third, third])
  })

  it('spreads narrow gradients out for every kind of reader', async () => {
    // Means of x reach a reshape, a sum with a full gradient, a sum with a narrow one, and a broadcast.
    const { g, x, total } = sketch(2, 3)
    const axes = g.constant('axes', int64s([1]))
    const mean = (value: string): string => g.node('ReduceMean', [value, axes])
    const flat = g.node('Reshape', [x, g.constant('flat', int64s([3, 2]))])
    const shifted = g.node('Add', [x, g.input({ name: 'shift', type: 'float32', shape: [3] })])
    const parts = [mean(flat), mean(x), mean(shifted), mean(g.node('Mul', [x, x]))]
    const loss = g.node('Sum', parts.map(total))
    const graph = finished(g, loss, [x, 'shift'])
    const found = await computed(graph, {
      x: float32([2, 3], [1, 2, 3, 4, 5, 6]),
      shift: float32([3], [0, 0, 0]),
    })
    const expected = [1, 2, 3, 4, 5, 6].map((value) => 1 / 2 + 1 / 3 + 1 / 3 + (2 * value) / 3)
    expected.forEach((value, index) => expect(found['gradient 0']![index]).toBeCloseTo(value, 12))
    found['gradient 1']!.forEach((value) => expect(value).toBeCloseTo(2 / 3, 12))
  })

  it('can be asked twice in one graph', async () => {
    const { g, x, total } = sketch(2)
    const [first, second] = [total(g.node('Exp', [x])), total(g.node('Mul', [x, x]))]
    const one = differentiate(g, { of: first, wrt: [x] }).get(x)!
    const two = differentiate(g, { of: second, wrt: [x] }).get(x)!
    g.output(g.node('Sub', [one, two]), { name: 'out', type: 'float32', shape: [2] })
    expect((await computed(g.build(), { x: float32([2], [0, 1]) }))['out']).toEqual([1, Math.exp(1) - 2])
  })

  it('differentiates gradients that are made of plain operators: second derivatives', async () => {
    const { g, x, total } = sketch(2)
    const first = differentiate(g, { of: total(g.node('Tanh', [x])), wrt: [x] }).get(x)!
    const graph = finished(g, total(first), [x])
    const [at] = (await computed(graph, { x: float32([2], [0.5, 0]) }))['gradient 0']!
    expect(at).toBeCloseTo(-2 * Math.tanh(0.5) * (1 - Math.tanh(0.5) ** 2), 12)
  })
})

describe('what has no gradient is named', () => {
  const refusal = (op: string, attributes: Attributes = {}, shape = [2, 4, 4, 4], domain = ''): unknown => {
    const { g, x, total } = sketch(...shape)
    const [y] = g.nodes(op, [x], 1, attributes, { domain, wanted: 'the node' })
    try {
      differentiate(g, { of: total(y!), wrt: [x] })
    } catch (error) {
      return error
    }
    return null
  }

  it('an operator without a rule', () => {
    expect(refusal('Einsum', { equation: string('ijkl->ij') })).toMatchObject({
      code: 'operator-unsupported',
      message: 'This network uses "Einsum", which Kestrel cannot train through.',
    })
    expect(refusal('Relu', {}, [2], 'com.example')).toMatchObject({ code: 'operator-unsupported' })
  })

  it('all of them at once', () => {
    const { g, x, total } = sketch(2, 2)
    const y = g.node('Einsum', [g.node('Exp', [g.node('Det', [g.node('Einsum', [x])])])])
    expect(() => differentiate(g, { of: total(y), wrt: [x] })).toThrow('uses "Det", "Einsum", which')
  })

  it('unless it is not on the way', () => {
    const { g, x, total } = sketch(2)
    const w = g.constant('w', float32([2], [1, 2]))
    const frozen = g.node('Reshape', [g.node('Einsum', [x]), g.constant('shape', int64s([2]))])
    const loss = total(g.node('Mul', [w, frozen]))
    expect(() => differentiate(g, { of: loss, wrt: [w] })).not.toThrow()
    expect(() => differentiate(g, { of: loss, wrt: [x, w] })).toThrow('Einsum')
  })

  it('a form of an operator', () => {
    const { g, x, total } = sketch(1, 2, 2, 2)
    const factors = g.constant('factors', float32([4], [1, 1, 2, 2]))
    const y = g.node('Resize', [x, '', factors], { mode: string('linear') }, 'grow')
    expect(() => differentiate(g, { of: total(y), wrt: [x] })).toThrow(
      'This network uses "Resize" ("grow") in a form that Kestrel cannot train through: it resizes in another way',
    )
  })

  it('an input that has no gradient', () => {
    const { g, x, total } = sketch(2, 3)
    const factors = g.input({ name: 'factors', type: 'float32', shape: [2] })
    const y = g.node('Resize', [x, '', factors], {}, 'grow')
    const sized = g.node('Reshape', [y, g.constant('shape', int64s([6]))])
    expect(() => differentiate(g, { of: total(sized), wrt: [factors] })).toThrow(/Resize|shape/)
  })

  it('batch normalisation with statistics of the batch in ONNX’s own form', () => {
    const { g, x, total } = sketch(2, 3)
    const per = ['a', 'b', 'c', 'd'].map((name) => g.constant(name, float32([3], [1, 1, 1])))
    const [y] = g.nodes('BatchNormalization', [x, ...per], 3, { training_mode: int(1) })
    expect(() => differentiate(g, { of: total(y!), wrt: [x] })).toThrow('statistics of the batch')
  })

  it('a dropout that drops by itself', () => {
    const { g, x, total } = sketch(2)
    const ratio = g.constant('ratio', scalar(0.5))
    const training = g.constant('training', { type: 'bool', shape: [], data: Uint8Array.of(1) })
    const y = g.node('Dropout', [x, ratio, training])
    expect(() => differentiate(g, { of: total(y), wrt: [x] })).toThrow('drops values by itself')
  })

  it('a loss of several numbers, a value of unknown size, a graph from before operator set 13', () => {
    const { g, x } = sketch(2)
    expect(() => differentiate(g, { of: x, wrt: [x] })).toThrow('holds several')
    const open = new GraphBuilder('open')
    const input = open.input({ name: 'x', type: 'float32', shape: ['batch', 2] })
    const loss = open.node('ReduceSum', [open.node('Exp', [input])], { keepdims: int(0) })
    expect(() => differentiate(open, { of: loss, wrt: [input] })).toThrow('not known')
    const old = new GraphBuilder('old', new Map([['', 12]]))
    expect(() => differentiate(old, { of: 'x', wrt: ['x'] })).toThrow('operator set 13')
  })
})
