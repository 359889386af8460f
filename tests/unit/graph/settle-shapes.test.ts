import { describe, expect, test } from 'vitest'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { constantValue, inferShapes } from '#trainer/graph/infer/index.ts'
import { settleShapes } from '#trainer/graph/settle-shapes.ts'
import { int64s, numbers, tensor, toInt64 } from '#trainer/graph/tensor.ts'
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
