import { describe, expect, test } from 'vitest'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { dividedBy, times } from '#trainer/graph/infer/dimensions.ts'
import { constantValue, inferShapes, inferValues } from '#trainer/graph/infer/index.ts'
import { settleShapes } from '#trainer/graph/settle-shapes.ts'
import { float32, int64s, numbers, tensor, toInt64 } from '#trainer/graph/tensor.ts'
import { int, ints, tensorAttribute } from '#trainer/graph/types.ts'
import type { Graph, Tensor } from '#trainer/graph/types.ts'
import { upgradeOpset } from '#trainer/graph/upgrade.ts'

const [largest, smallest] = [2n ** 63n - 1n, -(2n ** 63n)]

/** No two numbers of it are the same. */
const feed = tensor(
  'float64',
  [2, 4, 5, 6],
  Float64Array.from({ length: 240 }, (_, index) => index + 1),
)

function sketch(draw: (b: GraphBuilder, x: string) => string, opset = 17): Graph {
  const b = new GraphBuilder('sketch', new Map([['', opset]]))
  const x = b.input({ name: 'input', type: 'float32', shape: ['batch', 4, 5, 6] })
  b.output(draw(b, x), { name: 'output', type: 'float32', shape: null })
  return b.build()
}

/** A list as exporters write it that fold nothing. */
const list = (b: GraphBuilder, ...values: bigint[]): string =>
  b.node('Constant', [], {
    value: tensorAttribute(tensor('int64', [values.length], BigInt64Array.from(values))),
  })

async function answer(graph: Graph): Promise<Tensor> {
  const session = await referenceEngine.open(graph)
  const { output } = await session.run({ input: feed })
  await session.dispose()
  return output!
}

describe('sizes beyond what a number holds', () => {
  test('are held at the ends of 64 bits', () => {
    expect([2 ** 63, -(2 ** 63), -(2 ** 64), 7].map(toInt64)).toEqual([largest, smallest, smallest, 7n])
    expect(int64s([2 ** 63, -1]).data).toEqual(BigInt64Array.of(largest, -1n))
    const node = { name: '', op: 'Constant', domain: '', inputs: [], outputs: ['c'] }
    const valueOf = (attributes: Parameters<typeof constantValue>[0]['attributes']) =>
      constantValue({ ...node, attributes })?.data
    expect(valueOf({ value_int: int(2 ** 63) })).toEqual(BigInt64Array.of(largest))
    expect(valueOf({ value_ints: ints([2 ** 63, 0]) })).toEqual(BigInt64Array.of(largest, 0n))
  })

  test('stay the end of a slice when shapes are settled', async () => {
    // x[:, 1::2, ::3, -4:]
    const graph = sketch((b, x) =>
      [
        [1n, largest, 1n, 2n] as const,
        [0n, largest, 2n, 3n] as const,
        [-4n, largest, 3n, 1n] as const,
      ].reduce((value, bounds) => b.node('Slice', [value, ...bounds.map((each) => list(b, each))]), x),
    )
    const settled = settleShapes(graph)
    expect(settled.nodes.map(({ op }) => op)).toEqual(['Slice', 'Slice', 'Slice'])
    expect(inferShapes(settled).get('output')?.shape).toEqual(['batch', 2, 2, 4])
    const wanted = await answer(graph)
    expect(wanted.shape).toEqual([2, 2, 2, 4])
    expect(await answer(settled)).toEqual(wanted)
  })

  test('stay the end when a slice of an old set is brought over', async () => {
    const attributes = { starts: ints([1, -4]), ends: ints([2 ** 63, 2 ** 63]), axes: ints([1, 3]) }
    const found = await answer(upgradeOpset(sketch((b, x) => b.node('Slice', [x], attributes), 9)))
    expect(found.shape).toEqual([2, 3, 5, 4])
    expect(numbers(found)[0]).toBe(1 * 30 + 2 + 1)
  })

  test('are not computed with', async () => {
    // A 64-bit sum wraps around: where a slice would end is not known beforehand.
    const graph = sketch((b, x) => {
      const end = b.node('Add', [list(b, largest), list(b, 1n)])
      return b.node('Slice', [x, list(b, 0n), b.node('Max', [end, list(b, 2n)]), list(b, 1n)])
    })
    expect(settleShapes(graph).nodes.map(({ op }) => op)).toContain('Add')
  })
})

const whole = (b: GraphBuilder, shape: number[], values: number[]): string =>
  b.node('Constant', [], {
    value: tensorAttribute(tensor('int64', shape, BigInt64Array.from(values, BigInt))),
  })
const reals = (b: GraphBuilder, shape: number[], values: number[]): string =>
  b.node('Constant', [], { value: tensorAttribute(float32(shape, values)) })
const count = (from: number, length: number): number[] => Array.from({ length }, (_, index) => from + index)

/** What is known of the output before a graph runs, beside what comes out of it. */
async function known(draw: (b: GraphBuilder, x: string) => string) {
  const graph = sketch(draw, 18)
  const { type, shape, content } = inferValues(graph).get('output') ?? {}
  const { shape: ranShape, ...ran } = await answer(graph)
  return { found: { type, shape, content }, wanted: { shape: ranShape, content: numbers(ran as Tensor) } }
}

type Draw = (b: GraphBuilder) => string
const cube = (b: GraphBuilder): string => whole(b, [2, 3, 4], count(-5, 24))
const folded: Record<string, Draw> = {
  'Transpose, backwards': (b) => b.node('Transpose', [cube(b)]),
  'Transpose, some axes': (b) => b.node('Transpose', [cube(b)], { perm: ints([1, 2, 0]) }),
  Reshape: (b) => b.node('Reshape', [cube(b), whole(b, [2], [-1, 6])]),
  'Slice, several axes': (b) =>
    b.node('Slice', [
      cube(b),
      ...[
        [-1, 0],
        [-9, 9],
        [1, 2],
        [-2, 3],
      ].map((each) => whole(b, [2], each)),
    ]),
  'Slice, nothing left': (b) => b.node('Slice', [cube(b), whole(b, [1], [2]), whole(b, [1], [9])]),
  'Concat, last axis': (b) =>
    b.node('Concat', [whole(b, [2, 1], [7, 8]), whole(b, [2, 2], count(1, 4))], { axis: int(-1) }),
  'Gather, inside': (b) => b.node('Gather', [cube(b), whole(b, [2, 2], [0, -1, 2, 0])], { axis: int(1) }),
  'Gather, one': (b) => b.node('Gather', [cube(b), whole(b, [], [1])], { axis: int(-1) }),
  Expand: (b) => b.node('Expand', [whole(b, [3, 1], [4, 5, 6]), whole(b, [3], [2, 1, 2])]),
  Tile: (b) => b.node('Tile', [whole(b, [2, 2], count(1, 4)), whole(b, [2], [2, 3])]),
  Split: (b) => b.nodes('Split', [cube(b), whole(b, [2], [1, 3])], 2, { axis: int(2) })[1]!,
  'Split, evenly': (b) => b.nodes('Split', [cube(b)], 3, { axis: int(1), num_outputs: int(3) })[2]!,
  ConstantOfShape: (b) =>
    b.node('ConstantOfShape', [whole(b, [2], [2, 3])], { value: tensorAttribute(int64s([5])) }),
  Range: (b) =>
    b.node(
      'Range',
      [7, -2, -3].map((each) => whole(b, [], [each])),
    ),
  'Add, spread': (b) => b.node('Add', [whole(b, [2, 1], [10, 20]), whole(b, [3], [1, 2, 3])]),
  'Div, towards zero': (b) => b.node('Div', [whole(b, [4], [7, -7, 6, -1]), whole(b, [], [2])]),
  Mod: (b) => b.node('Mod', [whole(b, [4], [7, -7, 7, -7]), whole(b, [4], [3, 3, -3, -3])]),
  'Mod of C': (b) =>
    b.node('Mod', [whole(b, [4], [7, -7, 7, -7]), whole(b, [4], [3, 3, -3, -3])], { fmod: int(1) }),
  Max: (b) => b.node('Max', [whole(b, [2], [1, 9]), whole(b, [1], [4]), whole(b, [2, 1], [0, 5])]),
  Min: (b) => b.node('Min', [whole(b, [2], [1, 9]), whole(b, [1], [4])]),
  Where: (b) =>
    b.node('Where', [
      b.node('Less', [cube(b), whole(b, [], [3])]),
      b.node('Neg', [cube(b)]),
      whole(b, [1], [99]),
    ]),
  'Equal, Not and Cast': (b) =>
    b.node('Cast', [b.node('Not', [b.node('Equal', [cube(b), whole(b, [], [3])])])], { to: int(7) }),
  'Cast, cut': (b) => b.node('Cast', [reals(b, [2, 2], [1.7, -1.7, 3, 0.2])], { to: int(7) }),
  'Cast, Sqrt and Div': (b) =>
    b.node('Div', [
      reals(b, [], [1]),
      b.node('Sqrt', [b.node('Cast', [whole(b, [2, 1], [16, 49])], { to: int(1) })]),
    ]),
  Pow: (b) => b.node('Pow', [reals(b, [1], [16]), reals(b, [], [-0.5])]),
}

describe('what is known before a network runs', () => {
  test.each(Object.entries(folded))('is what comes out: %s', async (_name, draw) => {
    const { found, wanted } = await known((b) => draw(b))
    expect(found.shape).toEqual(wanted.shape)
    expect(found.content).toEqual(found.type === 'float32' ? wanted.content.map(Math.fround) : wanted.content)
  })

  test('is a value in 32 bits of a list that is short', () => {
    const type = (draw: Draw) => inferValues(sketch(draw)).get('output')
    const wide = type((b) => {
      const values = tensor('int32', [1], Int32Array.of(2 ** 31 - 1))
      const large = b.node('Constant', [], { value: tensorAttribute(values) })
      return b.node('Add', [large, large])
    })
    expect(wide).toMatchObject({ type: 'int32', content: [null] })
    expect(type((b) => b.node('ConstantOfShape', [whole(b, [2], [100, 100])]))?.content).toBeUndefined()
  })

  test('makes constants of the amounts that a padding is given in pairs', async () => {
    // As PyTorch writes F.pad: (first, last) per axis from the last axis on, turned into all firsts and all lasts.
    const graph = sketch((b, x) => {
      const zeros = b.node('ConstantOfShape', [list(b, 4n)], {
        value: tensorAttribute(int64s([0])),
      })
      const pairs = b.node('Concat', [whole(b, [4], [0, 1, 2, 1]), zeros], { axis: int(0) })
      const table = b.node('Reshape', [pairs, whole(b, [2], [-1, 2])])
      const turned = b.node('Slice', [table, list(b, -1n), list(b, -largest), list(b, 0n), list(b, -1n)])
      const flat = b.node('Reshape', [b.node('Transpose', [turned], { perm: ints([1, 0]) }), list(b, -1n)])
      return b.node('Pad', [x, b.node('Cast', [flat], { to: int(7) })])
    })
    const settled = settleShapes(graph)
    expect(settled.nodes.map(({ op }) => op)).toEqual(['Pad'])
    expect([...settled.initialisers.values()].map(numbers)).toEqual([[0, 0, 2, 0, 0, 0, 1, 1]])
    expect(inferShapes(settled).get('output')?.shape).toEqual(['batch', 4, 8, 7])
    expect(await answer(settled)).toEqual(await answer(graph))
  })

  test('follows the heads of a batch through the shapes of an attention with the tokens first', async () => {
    const graph = sketch((b, x) => {
      // [batch, 4, 5, 6] → [5, batch, 24] → [5, batch · 3, 8] → [batch · 3, 5, 8] → [batch, 3, 5, 8] and back.
      const turned = b.node('Transpose', [x], { perm: ints([2, 0, 1, 3]) })
      const tokens = b.node('Reshape', [turned, whole(b, [3], [0, 0, -1])])
      const size = (axis: number): string =>
        b.node('Gather', [b.node('Shape', [tokens]), whole(b, [], [axis])], { axis: int(0) })
      const sizes = (...parts: string[]): string =>
        b.node(
          'Concat',
          parts.map((part) => b.node('Unsqueeze', [part, list(b, 0n)])),
          { axis: int(0) },
        )
      const [first, pictures, width] = [size(0), size(1), size(2)]
      const three = whole(b, [], [3])
      const heads = b.node('Mul', [pictures, three])
      const each = b.node('Div', [width, three])
      const apart = b.node('Reshape', [tokens, sizes(first, heads, each)])
      const listed = b.node('Transpose', [apart], { perm: ints([1, 0, 2]) })
      const four = b.node('Reshape', [listed, sizes(b.node('Div', [heads, three]), three, first, each)])
      const back = b.node('Transpose', [four], { perm: ints([2, 0, 1, 3]) })
      return b.node('Reshape', [back, sizes(b.node('Mul', [first, pictures]), width)])
    })
    const shapes = inferShapes(graph)
    const reshapes = graph.nodes.filter(({ op }) => op === 'Reshape').map(({ outputs }) => outputs[0]!)
    expect(reshapes.map((name) => shapes.get(name)?.shape)).toEqual([
      [5, 'batch', 24],
      [5, '3*batch', 8],
      ['batch', 3, 5, 8],
      ['5*batch', 24],
    ])
    const settled = settleShapes(graph)
    expect(new Set(settled.nodes.map(({ op }) => op))).toEqual(new Set(['Transpose', 'Reshape']))
    expect(await answer(settled)).toEqual(await answer(graph))
  })
})

describe('sizes that are free', () => {
  test('are multiplied and divided', () => {
    expect(times('batch', 4)).toBe('4*batch')
    expect(times(3, '4*batch')).toBe('12*batch')
    expect(times('batch', 'height')).toBeNull()
    expect(times(null, 0)).toBe(0)
    expect(dividedBy('12*batch', 4)).toBe('3*batch')
    expect(dividedBy('12*batch', '4*batch')).toBe(3)
    expect(dividedBy('12*batch', 12)).toBe('batch')
    expect(dividedBy('12*batch', 5)).toBeNull()
    expect(dividedBy('batch', 'height')).toBeNull()
    expect(dividedBy(12, 'batch')).toBeNull()
  })
})
