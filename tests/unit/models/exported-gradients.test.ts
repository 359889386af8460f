import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { gradientName, withGradients } from '#trainer/autodiff/gradient-check.ts'
import { bindBatch } from '#trainer/autodiff/training-form.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { engineFor } from '#trainer/engines/choose.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { readOnnx } from '#trainer/graph/onnx/index.ts'
import { requireOpenBatch } from '#trainer/graph/open-batch.ts'
import { elementCount, float32, numbers, tensor } from '#trainer/graph/tensor.ts'
import type { Graph, Tensor } from '#trainer/graph/types.ts'
import { validate } from '#trainer/graph/validate.ts'
import { backboneOf } from '#trainer/models/backbone.ts'
import { splitAt } from '#trainer/models/fine-tune.ts'
import { largestDifference, runGraph } from '../../helpers/graphs.ts'

const fixture = (name: string): string => resolve(import.meta.dirname, '../../fixtures/exported', name)

/** Made by `tests/fixtures/exported/make.py`. */
const { size, cases } = z
  .object({
    size: z.number(),
    cases: z.record(
      z.string(),
      z.object({ loss: z.number(), gradients: z.record(z.string(), z.array(z.number())) }),
    ),
  })
  .parse(JSON.parse(readFileSync(fixture('golden.json'), 'utf8')))

const shape = [2, 3, size, size]
const pictures = Float32Array.from(
  { length: elementCount(shape) },
  (_, index) => ((index * 37) % 101) / 101 - 0.5,
)
const onnx = await engineFor('onnx')

const real = (engine: Engine, sizes: readonly number[], values: ArrayLike<number>): Tensor =>
  engine.real === 'float64'
    ? tensor('float64', sizes, Float64Array.from(values))
    : float32(sizes, Float32Array.from(values))

async function run(engine: Engine, graph: Graph, input: Tensor): Promise<Record<string, Tensor>> {
  const session = await engine.open(graph, { purpose: 'training' })
  try {
    return await session.run({ input })
  } finally {
    await session.dispose()
  }
}

/** The mean of the squares of what a tail gives, for two pictures. */
function squared(tail: Graph): Graph {
  const b = new GraphBuilder('squared', tail.opsets)
  const bound = bindBatch(tail, 2)
  const inside = b.embed(bound, new Map([['input', b.input(bound.inputs[0]!)]]))
  const features = inside(tail.outputs[0]!.name)
  const loss = b.node('ReduceMean', [b.node('Mul', [features, features])], {
    keepdims: { kind: 'int', value: 0 },
  })
  b.output(loss, { name: 'loss', type: 'float32', shape: [] })
  return b.build()
}

describe.each(Object.entries(cases))('a network from PyTorch: %s', (name, golden) => {
  const file = readFileSync(fixture(`${name}.onnx`))
  const backbone = backboneOf({ format: 'onnx', graph: readOnnx(file) }).graph
  const depth = splitAt(backbone, 0).blocks.length

  test('takes several pictures at a time, and gives for each what it gives for it alone', async () => {
    expect(() => requireOpenBatch(backbone)).not.toThrow()
    const together = await runGraph(backbone, pictures, shape)
    const length = together.data.length / 2
    for (const at of [0, 1]) {
      const one = pictures.slice((at * pictures.length) / 2, ((at + 1) * pictures.length) / 2)
      const alone = await runGraph(backbone, one, [1, ...shape.slice(1)])
      expect(largestDifference(together.data.slice(at * length, (at + 1) * length), alone.data)).toBeLessThan(
        1e-5,
      )
    }
  })

  test.each(Array.from({ length: depth }, (_, index) => index + 1))(
    'has the gradients of autograd when %i of its blocks learn',
    async (keepTop) => {
      const { trunk, tail, boundary } = splitAt(backbone, keepTop)
      for (const part of [trunk, tail.graph]) validate(part)
      const learned = tail.parameters.map((each) => each.name)
      if (keepTop === depth) expect(learned.toSorted()).toEqual(Object.keys(golden.gradients).toSorted())
      for (const [engine, tolerance] of [
        [referenceEngine, 2e-5],
        [onnx, 2e-4],
      ] as const) {
        const middle = await run(engine, bindBatch(trunk, 2), real(engine, shape, pictures))
        const graph = withGradients(squared(tail.graph), { loss: 'loss', values: learned })
        const found = await run(engine, graph, real(engine, [2, ...boundary], numbers(middle['boundary']!)))
        expect(numbers(found['loss']!)[0]).toBeCloseTo(golden.loss, 5)
        for (const parameter of learned) {
          const [gradient, wanted] = [numbers(found[gradientName(parameter)]!), golden.gradients[parameter]!]
          const largest = Math.max(...wanted.map(Math.abs), 1e-4)
          expect(largestDifference(gradient, wanted) / largest, parameter).toBeLessThan(tolerance)
        }
      }
    },
  )
})
