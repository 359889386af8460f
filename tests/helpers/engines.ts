import fc from 'fast-check'
import { expect } from 'vitest'
import { createRandom } from '#shared/domain/random.ts'
import type { Engine } from '#trainer/engines/engine.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { GraphBuilder } from '#trainer/graph/builder.ts'
import { inferShapes } from '#trainer/graph/infer/index.ts'
import { elementCount, float32, numbers, tensor } from '#trainer/graph/tensor.ts'
import type { Attributes, Graph, Tensor } from '#trainer/graph/types.ts'

/** One operator with what it is given. */
export interface Sample {
  op: string
  domain?: string
  /** null for an input that is left out. */
  inputs: readonly (Tensor | null)[]
  attributes?: Attributes
  outputs?: number
  /** Inputs of real numbers that are constants. */
  constants?: readonly number[]
  /** Its sizes depend on its values: shape inference need not know them. */
  open?: boolean
  /** Set in which the node is written; Kestrel's own without it. */
  opset?: number
}

/** The lists after the first input are constants, as in a network's file; the rest is fed in. */
export function graphOf(sample: Sample): { graph: Graph; feeds: Record<string, Tensor> } {
  const { op, domain = '', inputs, attributes = {}, outputs = 1, opset = 18, constants = [] } = sample
  const builder = new GraphBuilder(op, new Map([['', opset]]))
  const feeds: Record<string, Tensor> = {}
  const names = inputs.map((value, index) => {
    if (value === null) return ''
    const list = index > 0 && value.type !== 'float32'
    if (list || constants.includes(index)) return builder.constant(`c${index}`, value)
    const name = builder.input({ name: `x${index}`, type: value.type, shape: value.shape })
    feeds[name] = value
    return name
  })
  const results = builder.nodes(op, names, outputs, attributes, { domain })
  const infos = inferShapes(builder.build())
  results.forEach((name) => builder.output(name, infos.get(name)!))
  return { graph: builder.build(), feeds }
}

export async function run(
  engine: Engine,
  graph: Graph,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const session = await engine.open(graph, { threads: 1 })
  try {
    return await session.run(feeds)
  } finally {
    await session.dispose()
  }
}

/**
 * Both engines compute the sample, and shape inference tells its shapes: all must agree. Values may differ by
 * `tolerance` times the largest of them (or 1): ONNX Runtime computes in 32 bits (a step of 1.2e-7), in another order.
 */
export async function expectSame(sample: Sample, tolerance = 1e-5): Promise<void> {
  const { graph, feeds } = graphOf(sample)
  const wanted = await run(referenceEngine, graph, feeds)
  const found = await run(onnxEngine, graph, feeds)
  for (const { name, type, shape } of graph.outputs) {
    const [a, b] = [found[name]!, wanted[name]!]
    expect(a.shape, `${sample.op}: shape`).toEqual(b.shape)
    const open = sample.open === true
    expect(
      open ? shape?.map((size, axis) => size ?? b.shape[axis]) : shape,
      `${sample.op}: inferred shape`,
    ).toEqual(b.shape)
    expect(type, `${sample.op}: inferred type`).toBe(a.type)
    expect(b.type === 'float64' ? 'float32' : b.type, `${sample.op}: type`).toBe(a.type)
    const [x, y] = [numbers(a), numbers(b)]
    const scale = Math.max(1, ...y.filter(Number.isFinite).map(Math.abs))
    const wrong = x.findIndex(
      (value, i) =>
        !Object.is(value, y[i]) && value !== y[i] && !(Math.abs(value - y[i]!) <= tolerance * scale),
    )
    if (wrong >= 0)
      throw new Error(`${sample.op}: entry ${wrong} is ${x[wrong]} and by the reference ${y[wrong]}`)
  }
}

/** The same samples each time, so that a failure is found again; `runs` of them. */
export const sampled = (
  arbitrary: fc.Arbitrary<Sample>,
  check: (sample: Sample) => Promise<void> = (sample) => expectSame(sample),
  runs = 25,
): Promise<void> =>
  Promise.resolve(fc.assert(fc.asyncProperty(arbitrary, check), { seed: 20, numRuns: runs }))

/** Standard normal numbers, 32-bit so that both engines begin with the same. */
export function normals(shape: readonly number[], seed: number, mean = 0): Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => random.normal(mean)),
  )
}

/** Numbers from `low` to `high`, evenly spread. */
export function between(shape: readonly number[], seed: number, low: number, high: number): Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => low + random.float() * (high - low)),
  )
}

/** Whole numbers from `low` to `high` as floats: ties are common. */
export function wholes(shape: readonly number[], seed: number, low: number, high: number): Tensor {
  const random = createRandom(seed)
  return float32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => low + random.below(high - low + 1)),
  )
}

export const anySeed = fc.integer({ min: 0, max: 2 ** 31 - 1 })

/** A shape of these many axes with sizes from 1 on. */
export const anyShape = (rank: { min: number; max: number }, size = 5): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 1, max: size }), { minLength: rank.min, maxLength: rank.max })

export const anyAxis = (rank: number): fc.Arbitrary<number> => fc.integer({ min: -rank, max: rank - 1 })

/** A shape that broadcasts to the given one: some axes are 1, some leading ones are left out. */
export const anyBroadcast = (shape: readonly number[]): fc.Arbitrary<number[]> =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
      fc.integer({ min: 0, max: shape.length }),
    )
    .map(([ones, lead]) => shape.map((size, axis) => (ones[axis] ? 1 : size)).slice(lead))

/** A shape, and some of its axes (each once, negative ones among them). */
export const shapeAndAxes = (rank: { min: number; max: number }): fc.Arbitrary<[number[], number[]]> =>
  anyShape(rank).chain((shape) =>
    fc
      .tuple(fc.subarray(shape.map((_, axis) => axis)), fc.boolean())
      .map(([axes, fromEnd]): [number[], number[]] => [
        shape,
        axes.map((axis) => (fromEnd ? axis - shape.length : axis)),
      ]),
  )

export const shapeAndAxis = (rank: { min: number; max: number }): fc.Arbitrary<[number[], number]> =>
  anyShape(rank).chain((shape) => fc.tuple(fc.constant(shape), anyAxis(shape.length)))

/** A whole number as operators take their settings. */
export const integer = (value: number): Tensor => tensor('int64', [], BigInt64Array.of(BigInt(value)))
