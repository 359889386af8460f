import { intAttribute, stringAttribute } from '../types.ts'
import type { Dimension } from '../types.ts'
import { mismatch } from './context.ts'
import type { InferRule, NodeContext } from './context.ts'
import { broadcast, broadcastSize, positiveAxis } from './dimensions.ts'
import { axesOf } from './layout.ts'

function agree(context: NodeContext, a: Dimension | undefined, b: Dimension | undefined): void {
  if (typeof a === 'number' && typeof b === 'number' && a !== b) {
    throw mismatch(context.node, `the sizes ${a} and ${b} are to be multiplied`)
  }
}

const gemm: InferRule = (context) => {
  const [a, b] = [context.input(0), context.input(1)]
  if (a.shape === null || b.shape === null) return [{ type: a.type, shape: [null, null] }]
  const turnA = intAttribute(context.node, 'transA', 0) === 1
  const turnB = intAttribute(context.node, 'transB', 0) === 1
  agree(context, a.shape[turnA ? 0 : 1], b.shape[turnB ? 1 : 0])
  return [{ type: a.type, shape: [a.shape[turnA ? 1 : 0] ?? null, b.shape[turnB ? 0 : 1] ?? null] }]
}

/** numpy.matmul: a vector is a row on the left and a column on the right; leading axes broadcast. */
const matMul: InferRule = (context) => {
  const [a, b] = [context.input(0), context.input(1)]
  if (a.shape === null || b.shape === null) return [{ type: a.type, shape: null }]
  const left = a.shape.length === 1 ? [1, ...a.shape] : a.shape
  const right = b.shape.length === 1 ? [...b.shape, 1] : b.shape
  agree(context, left.at(-1), right.at(-2))
  const leading = broadcast([left.slice(0, -2), right.slice(0, -2)]) ?? []
  const rows = a.shape.length === 1 ? [] : [left.at(-2) ?? null]
  const columns = b.shape.length === 1 ? [] : [right.at(-1) ?? null]
  return [{ type: a.type, shape: [...leading, ...rows, ...columns] }]
}

const matMulInteger: InferRule = (context) => matMul(context).map(({ shape }) => ({ type: 'int32', shape }))

const reduce: InferRule = (context) => {
  const x = context.input(0)
  if (x.shape === null) return [{ type: x.type, shape: null }]
  const rank = x.shape.length
  const keep = intAttribute(context.node, 'keepdims', 1) === 1
  const given = axesOf(context)
  if (given === undefined && context.has(1))
    return [{ type: x.type, shape: keep ? x.shape.map(() => null) : null }]
  const all =
    intAttribute(context.node, 'noop_with_empty_axes', 0) === 1 ? [] : x.shape.map((_, axis) => axis)
  const axes = given?.length ? given.map((axis) => positiveAxis(axis, rank)) : all
  const shape = x.shape.flatMap((size, axis): Dimension[] =>
    axes.includes(axis) ? (keep ? [1] : []) : [size],
  )
  return [{ type: x.type, shape }]
}

const argument: InferRule = (context) => {
  const x = context.input(0)
  const keep = intAttribute(context.node, 'keepdims', 1) === 1
  const axis = positiveAxis(intAttribute(context.node, 'axis', 0), x.shape?.length ?? 0)
  const shape = x.shape?.flatMap((size, at): Dimension[] => (at === axis ? (keep ? [1] : []) : [size]))
  return [{ type: 'int64', shape: shape ?? null }]
}

/** numpy.einsum with the result written down: its letters are looked up among those of the inputs. */
const einsum: InferRule = (context) => {
  const { type } = context.input(0)
  const [left = '', right] = stringAttribute(context.node, 'equation', '').replaceAll(' ', '').split('->')
  if (right === undefined || left.includes('.')) return [{ type, shape: null }]
  const sizes = new Map<string, Dimension>()
  left.split(',').forEach((term, index) => {
    const { shape } = context.input(index)
    ;[...term].forEach((letter, axis) => {
      const size = shape?.[axis] ?? null
      sizes.set(letter, broadcastSize(sizes.get(letter) ?? size, size))
    })
  })
  return [{ type, shape: [...right].map((letter) => sizes.get(letter) ?? null) }]
}

export const matrixRules: Record<string, InferRule> = {
  Einsum: einsum,
  Gemm: gemm,
  MatMul: matMul,
  MatMulInteger: matMulInteger,
  ReduceMean: reduce,
  ReduceSum: reduce,
  ReduceMax: reduce,
  ReduceMin: reduce,
  ReduceProd: reduce,
  ReduceL1: reduce,
  ReduceL2: reduce,
  ReduceLogSum: reduce,
  ReduceLogSumExp: reduce,
  ReduceSumSquare: reduce,
  ArgMax: argument,
  ArgMin: argument,
}
