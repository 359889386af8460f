import { describe, expect, test } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import { mixesPictures } from '#trainer/graph/batch-axis.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { inferValues } from '#trainer/graph/infer/index.ts'
import { openBatch, requireOpenBatch } from '#trainer/graph/open-batch.ts'
import { elementCount, float32, int64s } from '#trainer/graph/tensor.ts'
import { int, ints } from '#trainer/graph/types.ts'
import type { Dimension, Graph } from '#trainer/graph/types.ts'
import { validate } from '#trainer/graph/validate.ts'
import { learnableOf } from '#trainer/models/learnable.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'

const random = createRandom(8)
const drawn = (shape: readonly number[]): Float32Array =>
  Float32Array.from({ length: elementCount(shape) }, () => random.normal())

type Draw = (b: GraphBuilder, x: string) => string

function sketch(draw: Draw, input: readonly Dimension[], opset = 18): Graph {
  const b = new GraphBuilder('sketch', new Map([['', opset]]))
  const x = b.input({ name: 'input', type: 'float32', shape: input })
  b.output(draw(b, x), { name: 'output', type: 'float32', shape: null })
  return b.build()
}

const list = (b: GraphBuilder, ...values: number[]): string => b.constant('list', int64s(values))
const weights = (b: GraphBuilder, ...shape: number[]): string =>
  b.constant('weights', float32(shape, drawn(shape)))
const reshape = (b: GraphBuilder, x: string, ...target: number[]): string =>
  b.node('Reshape', [x, list(b, ...target)])
const turn = (b: GraphBuilder, x: string, ...order: number[]): string =>
  b.node('Transpose', [x], { perm: ints(order) })

/** Opened from one picture for any number, it gives for each of three what it gave for one. */
async function expectOpened(draw: Draw, sizes: readonly number[], opset = 18): Promise<Graph> {
  const closed = sketch(draw, [1, ...sizes], opset)
  const inputs = closed.inputs.map((info) => ({ ...info, shape: ['batch', ...sizes] }))
  const open = openBatch({ ...closed, inputs }, 1)
  validate(open)
  expect(() => requireOpenBatch(open)).not.toThrow()
  const pictures = drawn([3, ...sizes])
  const together = await runGraph(open, pictures, [3, ...sizes])
  const [one, length] = [pictures.length / 3, together.data.length / 3]
  expect(together.shape[0]).toBe(3)
  for (const at of [0, 1, 2]) {
    const alone = await runGraph(closed, pictures.slice(at * one, (at + 1) * one), [1, ...sizes])
    const found = together.data.slice(at * length, (at + 1) * length)
    expect(largestDifference(found, alone.data)).toBeLessThan(1e-5)
  }
  return open
}

const openedFrom = (draw: Draw, sizes: readonly number[]): Graph =>
  openBatch(sketch(draw, ['batch', ...sizes]), 1)

describe('a network for one picture at a time is opened', () => {
  test.each([9, 13, 18])(
    'where a token stands beside the places (set %i), and the token learns',
    async (opset) => {
      const open = await expectOpened(
        (b, x) => {
          const places = b.node('MatMul', [x, weights(b, 4, 6)])
          const token = b.constant('token', float32([1, 1, 6], drawn([6])))
          return b.node('Concat', [token, places], { axis: int(1) })
        },
        [5, 4],
        opset,
      )
      expect(learnableOf(open)).toContainEqual({ name: 'token', shape: [1, 1, 6], role: 'embedding' })
    },
  )

  test('where an attention has its tokens first and its heads counted with the pictures', async () => {
    await expectOpened(
      (b, x) => {
        const tokens = turn(b, x, 1, 0, 2)
        const heads = (value: string): string => turn(b, reshape(b, value, 5, 2, 3), 1, 0, 2)
        const [query, key, value] = [0, 1, 2].map(() => heads(b.node('MatMul', [tokens, weights(b, 6, 6)])))
        const scores = b.node('MatMul', [query!, turn(b, key!, 0, 2, 1)])
        const four = (each: string, ...rest: number[]): string => reshape(b, each, 1, 2, 5, ...rest)
        const seen = b.node('MatMul', [
          b.node('Softmax', [four(scores, 5)], { axis: int(-1) }),
          four(value!, 3),
        ])
        const rows = reshape(b, turn(b, seen, 2, 0, 1, 3), 5, 6)
        const out = b.node('Gemm', [rows, weights(b, 6, 7)])
        return turn(b, reshape(b, out, 5, 1, 7), 1, 0, 2)
      },
      [5, 6],
    )
  })

  test('where channels are shuffled in groups', async () => {
    await expectOpened(
      (b, x) => reshape(b, turn(b, reshape(b, x, 1, 2, 3, 4, 4), 0, 2, 1, 3, 4), 1, 6, 4, 4),
      [6, 4, 4],
    )
  })
})

describe('a network for one picture at a time stays closed', () => {
  const refusal = (graph: Graph): RegExp | Error => {
    try {
      requireOpenBatch(graph)
    } catch (error) {
      return error as Error
    }
    throw new Error('It was taken for open.')
  }

  test('where it joins pictures with what it worked out from one, in words', () => {
    const graph = openedFrom(
      (b, x) => {
        const first = b.node('Gather', [x, list(b, 0)], { axis: int(0) })
        return b.node('Concat', [b.node('Relu', [first]), x], { axis: int(1) }, 'joins')
      },
      [5, 4],
    )
    expect(refusal(graph)).toMatchObject({
      code: 'backbone-unsupported',
      message: expect.stringMatching(/fixed number of pictures.*"joins" \(Concat\)/),
      remedy: expect.stringMatching(/dynamic_axes.*Quick/),
    })
  })

  test('where opening it would mix pictures', () => {
    const mean: Draw = (b, x) => {
      const rows = reshape(b, turn(b, x, 1, 0, 2), 4, 6)
      // All four rows of one picture; of three pictures they stand between each other.
      return b.node('ReduceMean', [reshape(b, rows, 1, 4, 6), list(b, 1)], { keepdims: int(0) }, 'mean')
    }
    const graph = openedFrom(mean, [4, 6])
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Transpose', 'Reshape', 'Reshape', 'ReduceMean'])
    expect(refusal(graph)).toMatchObject({ message: expect.stringMatching(/"Reshape" reshapes them so/) })
  })

  test('but not where it works out something from all of them', () => {
    const graph = openedFrom((b, x) => b.node('Div', [x, b.node('ReduceMax', [x])]), [5, 4])
    expect(() => requireOpenBatch(graph)).not.toThrow()
  })

  test('where it was written for several, which cannot be told apart', () => {
    const closed = sketch((b, x) => reshape(b, turn(b, x, 1, 0), 8), ['batch', 4])
    expect(refusal(openBatch(closed, 2))).toMatchObject({ message: expect.stringMatching(/fixed number/) })
  })
})

describe('whether an operator mixes pictures', () => {
  const mixed = (draw: Draw, shape: readonly Dimension[], opset = 18): boolean => {
    const graph = sketch(draw, shape, opset)
    const known = inferValues(graph)
    return graph.nodes.some((node) => mixesPictures(node, opset, known))
  }
  const tokens = [5, 'batch', 6]
  const softmax =
    (axis?: number): Draw =>
    (b, x) =>
      b.node('Softmax', [x], axis === undefined ? {} : { axis: int(axis) })
  const normalised: Draw = (b, x) => b.node('LayerNormalization', [x, weights(b, 6)], { axis: int(-1) })

  test.each<[string, boolean, Draw, readonly Dimension[], number?]>([
    ['softmax over features', false, softmax(-1), tokens],
    ['softmax over pictures', true, softmax(1), tokens],
    ['softmax over everything behind, as before set 13', true, softmax(1), tokens, 11],
    ['softmax by default, as before set 13', false, softmax(), ['batch', 6], 11],
    ['sums over tokens', false, (b, x) => b.node('ReduceSum', [x, list(b, 0)]), tokens],
    ['sums over pictures', true, (b, x) => b.node('ReduceSum', [x, list(b, -2)]), tokens],
    ['sums over everything', true, (b, x) => b.node('ReduceMean', [x]), tokens],
    ['normalisation of features', false, normalised, tokens],
    ['a product over features', false, (b, x) => b.node('MatMul', [x, weights(b, 6, 2)]), tokens],
    ['a product over pictures', true, (b, x) => b.node('MatMul', [weights(b, 5, 2, 3), x]), tokens],
    ['rows of a product', false, (b, x) => b.node('Gemm', [x, weights(b, 6, 2)]), ['4*batch', 6]],
    [
      'a product over pictures, turned',
      true,
      (b, x) => b.node('Gemm', [x, weights(b, 5, 2)], { transA: int(1) }),
      ['batch', 6],
    ],
    ['a cut of tokens', false, (b, x) => b.node('Slice', [x, list(b, 0), list(b, 2), list(b, 0)]), tokens],
    ['a cut of pictures', true, (b, x) => b.node('Slice', [x, list(b, 0), list(b, 2), list(b, 1)]), tokens],
    ['one of the tokens', false, (b, x) => b.node('Gather', [x, list(b, 0)], { axis: int(0) }), tokens],
    ['one of the pictures', true, (b, x) => b.node('Gather', [x, list(b, 0)], { axis: int(1) }), tokens],
    ['a convolution', false, (b, x) => b.node('Conv', [x, weights(b, 2, 3, 1, 1)]), ['batch', 3, 4, 4]],
    ['a convolution along pictures', true, (b, x) => b.node('GlobalMaxPool', [x]), [1, 3, 'batch', 4]],
    ['what is not known', true, (b, x) => b.node('Einsum', [x, x]), tokens],
    ['a sum, number by number', false, (b, x) => b.node('Add', [x, weights(b, 6)]), tokens],
  ])('%s: %s', (_name, wanted, draw, shape, opset) => {
    expect(mixed(draw, shape, opset)).toBe(wanted)
  })
})
