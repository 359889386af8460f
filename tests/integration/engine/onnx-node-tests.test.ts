import { beforeAll, describe, expect, it } from 'vitest'
import type { Engine } from '#trainer/engines/engine.ts'
import { onnxEngine } from '#trainer/engines/onnx/engine.ts'
import { referenceEngine } from '#trainer/engines/reference/engine.ts'
import { onnxKernels } from '#trainer/engines/reference/kernels/index.ts'
import { inferShapes } from '#trainer/graph/infer/index.ts'
import { readOnnx } from '#trainer/graph/onnx/index.ts'
import { numbers } from '#trainer/graph/tensor.ts'
import type { DataType, Graph, Tensor } from '#trainer/graph/types.ts'
import { bytesOf, onnxNodeTests, tensorOf } from '../../helpers/onnx-node-tests.ts'
import type { NodeTest } from '../../helpers/onnx-node-tests.ts'
import { pythonWith } from '../../helpers/python.ts'
import { leftOutOn, shapesLeftOpen, tooOld, unreadable } from './left-out.ts'
import type { LeftOut } from './left-out.ts'

/**
 * The ONNX project's own published node tests (`onnx.backend.test.case.node`), read by Kestrel's reader and run by its
 * engines. An operator that Kestrel claims must pass all of its tests; those that are left out are named in `left-out.ts`.
 */
// prettier-ignore
const claimed = [
  'Abs', 'Acos', 'Acosh', 'Add', 'And', 'ArgMax', 'ArgMin', 'Asin', 'Asinh', 'Atan', 'Atanh',
  'AveragePool', 'BatchNormalization', 'Cast', 'CastLike', 'Ceil', 'Celu', 'Clip', 'Compress', 'Concat',
  'Constant', 'ConstantOfShape', 'Conv', 'ConvTranspose', 'Cos', 'Cosh', 'CumSum', 'DepthToSpace', 'Div',
  'Dropout', 'Einsum', 'Elu', 'Equal', 'Erf', 'Exp', 'Expand', 'EyeLike', 'Flatten', 'Floor', 'Gather',
  'GatherElements', 'GatherND', 'Gelu', 'Gemm', 'GlobalAveragePool', 'GlobalLpPool', 'GlobalMaxPool',
  'Greater', 'GreaterOrEqual', 'GroupNormalization', 'HardSigmoid', 'HardSwish', 'Hardmax', 'Identity',
  'InstanceNormalization', 'IsInf', 'IsNaN', 'LRN', 'LayerNormalization', 'LeakyRelu', 'Less',
  'LessOrEqual', 'Log', 'LogSoftmax', 'LpNormalization', 'LpPool', 'MatMul', 'Max', 'MaxPool', 'Mean',
  'MeanVarianceNormalization', 'Min', 'Mish', 'Mod', 'Mul', 'Neg', 'NonZero', 'Not', 'OneHot', 'Or',
  'PRelu', 'Pad', 'Pow', 'RMSNormalization', 'Range', 'Reciprocal', 'ReduceL1', 'ReduceL2',
  'ReduceLogSum', 'ReduceLogSumExp', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSum',
  'ReduceSumSquare', 'Relu', 'Reshape', 'Resize', 'Round', 'ScatterElements', 'ScatterND', 'Selu',
  'Shape', 'Shrink', 'Sigmoid', 'Sign', 'Sin', 'Sinh', 'Size', 'Slice', 'Softmax', 'Softplus', 'Softsign',
  'SpaceToDepth', 'Split', 'Sqrt', 'Squeeze', 'Sub', 'Sum', 'Swish', 'Tan', 'Tanh', 'ThresholdedRelu',
  'Tile', 'TopK', 'Transpose', 'Trilu', 'Unsqueeze', 'Where', 'Xor',
]

/** Operators that are spelt out in others before an engine sees them. */
const speltOut = ['Swish']

/** Operators for which ONNX publishes no test of their own; others use them, or `tests/unit/engine` looks at them. */
const withoutTests = ['GlobalLpPool']

const engines: readonly Engine[] = [referenceEngine, onnxEngine]

/** What a graph says, once its values are told apart: those that make shapes are constants in a network's file. */
interface Case {
  graph: Graph
  inputs: Tensor[]
  outputs: Tensor[]
}

function caseOf(test: NodeTest): Case {
  return {
    graph: readOnnx(bytesOf(test.model)),
    inputs: test.inputs.map(tensorOf),
    outputs: test.outputs.map(tensorOf),
  }
}

/** Two units in the last place of the type: an engine may compute in more bits than the result is kept in. */
const rounding: Partial<Record<DataType, number>> = { float16: 2 ** -9, bfloat16: 2 ** -6 }

function compare(found: Tensor | undefined, wanted: Tensor, { rtol, atol }: NodeTest): void {
  expect(found?.shape).toEqual(wanted.shape)
  if (wanted.type === 'string' || found?.type === 'string') {
    expect(found?.data).toEqual(wanted.data)
    return
  }
  const [a, b] = [numbers(found!), numbers(wanted)]
  const relative = Math.max(rtol, rounding[wanted.type] ?? 0)
  const wrong = a.findIndex((value, i) => {
    const same = value === b[i] || (Number.isNaN(value) && Number.isNaN(b[i]))
    return !same && !(Math.abs(value - b[i]!) <= atol + relative * Math.abs(b[i]!))
  })
  if (wrong >= 0) throw new Error(`entry ${wrong} is ${a[wrong]} and should be ${b[wrong]}`)
}

async function runOn(engine: Engine, test: NodeTest): Promise<void> {
  const { graph, inputs, outputs } = caseOf(test)
  const session = await engine.open(graph, { threads: 1 })
  try {
    const found = await session.run(
      Object.fromEntries(graph.inputs.map(({ name }, index) => [name, inputs[index]!])),
    )
    graph.outputs.forEach(({ name }, index) => compare(found[name], outputs[index]!, test))
  } finally {
    await session.dispose()
  }
}

/** As it stands, inference must not contradict the values; with its lists and numbers constant, it must know all. */
function inferAs(test: NodeTest): void {
  const { graph, inputs, outputs } = caseOf(test)
  const loose = inferShapes(graph)
  const fixed = (index: number): boolean =>
    index > 0 || inputs[index]?.type !== 'float32' || graph.nodes.some(({ op }) => op === 'Range')
  const constants = graph.inputs.flatMap(({ name }, index) =>
    fixed(index) ? [[name, inputs[index]!] as const] : [],
  )
  const strict = inferShapes({
    ...graph,
    inputs: graph.inputs.filter((_, index) => !fixed(index)),
    initialisers: new Map([...graph.initialisers, ...constants]),
  })
  graph.outputs.forEach(({ name }, index) => {
    const { type, shape } = outputs[index]!
    const guess = loose.get(name)
    expect([type, null]).toContain(guess?.type)
    if (guess?.shape) expect(guess.shape.map((size, axis) => size ?? shape[axis])).toEqual(shape)
    expect(strict.get(name)).toMatchObject({ type, shape })
  })
}

const reasonFor = (lists: readonly LeftOut[], name: string): string | undefined =>
  lists.find(({ tests }) => tests.includes(name))?.reason

/** Runs tests; those left out must fail. Gives what went wrong, by name. */
async function wrongOf(
  tests: readonly NodeTest[],
  lists: readonly LeftOut[],
  check: (test: NodeTest) => Promise<void> | void,
): Promise<Record<string, string>> {
  const wrong: Record<string, string> = {}
  for (const test of tests) {
    const reason = reasonFor(lists, test.name)
    try {
      await check(test)
      if (reason !== undefined) wrong[test.name] = 'is left out and passes: take it off the list'
    } catch (error) {
      if (reason === undefined) wrong[test.name] = error instanceof Error ? error.message : String(error)
    }
  }
  return wrong
}

const python = pythonWith(['onnx'])
if (python === undefined) {
  console.error(
    '\n!!! NOT TESTED: "published node tests" needs Python 3 with the package onnx: python3 -m venv .test-python, then ' +
      '.test-python/bin/pip install onnx (or name a Python with KESTREL_TEST_PYTHON)\n',
  )
  it.skip('published node tests (Python with onnx missing)')
} else describe('published node tests', () => publishedTests(python))

function publishedTests(python: string): void {
  const byOperator = new Map<string, NodeTest[]>()
  const spelt: NodeTest[] = []

  beforeAll(() => {
    for (const test of onnxNodeTests(python, claimed)) {
      const [operator] = test.operators
      if (test.name.includes('_expanded') || test.operators.length > 1 || operator === undefined)
        spelt.push(test)
      else byOperator.set(operator, [...(byOperator.get(operator) ?? []), test])
    }
  })

  it('the list of claimed operators is complete, and each has tests', () => {
    expect(claimed).toEqual([...Object.keys(onnxKernels), ...speltOut].sort())
    expect(claimed.filter((operator) => !byOperator.has(operator))).toEqual(withoutTests)
  })

  describe.each(engines)('on $id', (engine) => {
    const lists = [...unreadable, ...tooOld, ...leftOutOn[engine.id as 'reference' | 'onnx']]

    it.each(claimed.filter((operator) => !withoutTests.includes(operator)))('%s', async (operator) => {
      const tests = byOperator.get(operator) ?? []
      expect(tests.length).toBeGreaterThan(0)
      expect(await wrongOf(tests, lists, (test) => runOn(engine, test))).toEqual({})
    })

    it('functions, spelt out in claimed operators', async () => {
      expect(spelt.length).toBeGreaterThan(300)
      expect(await wrongOf(spelt, lists, (test) => runOn(engine, test))).toEqual({})
    })
  })

  it.each(claimed.filter((operator) => !withoutTests.includes(operator)))(
    'shapes of %s',
    async (operator) => {
      const lists = [...unreadable, ...shapesLeftOpen]
      expect(await wrongOf(byOperator.get(operator) ?? [], lists, inferAs)).toEqual({})
    },
  )
}
