import { intAttribute } from '../types.ts'
import type { Dimension } from '../types.ts'
import type { InferRule } from './context.ts'
import { countable } from './content.ts'
import { positiveAxis } from './dimensions.ts'

const gather: InferRule = (context) => {
  const [x, indices] = [context.input(0), context.input(1)]
  if (x.shape === null || indices.shape === null) return [{ type: x.type, shape: null }]
  const axis = positiveAxis(intAttribute(context.node, 'axis', 0), x.shape.length)
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  const at = context.integers(1)
  const [from, to] = [countable(x.shape), countable(shape)]
  if (x.content === undefined || at === undefined || from === undefined || to === undefined)
    return [{ type: x.type, shape }]
  const { content } = x
  const inner = from.slice(axis + 1).reduce((a, b) => a * b, 1)
  const rows = from.slice(0, axis).reduce((a, b) => a * b, 1)
  const [size = 0, run] = [from[axis], (from[axis] ?? 0) * inner]
  const gathered = Array.from({ length: rows }, (_, row) =>
    at.flatMap((written) => {
      const first = row * run + positiveAxis(written, size) * inner
      return Array.from({ length: inner }, (_each, index) => content[first + index] ?? null)
    }),
  ).flat()
  return [{ type: x.type, shape, content: gathered }]
}

const like =
  (index: number): InferRule =>
  (context) => [{ type: context.input(0).type, shape: context.input(index).shape }]

const gatherND: InferRule = (context) => {
  const [x, indices] = [context.input(0), context.input(1)]
  const depth = indices.shape?.at(-1)
  if (x.shape === null || indices.shape === null || typeof depth !== 'number')
    return [{ type: x.type, shape: null }]
  const batch = intAttribute(context.node, 'batch_dims', 0)
  return [{ type: x.type, shape: [...indices.shape.slice(0, -1), ...x.shape.slice(batch + depth)] }]
}

const oneHot: InferRule = (context) => {
  const { type } = context.input(2)
  const { shape } = context.input(0)
  if (shape === null) return [{ type, shape: null }]
  const axis = positiveAxis(intAttribute(context.node, 'axis', -1), shape.length + 1)
  return [{ type, shape: shape.toSpliced(axis, 0, context.integers(1)?.[0] ?? null) }]
}

/** How many are chosen is computed; along which axis is not. */
const compress: InferRule = (context) => {
  const { type, shape } = context.input(0)
  const axis = context.node.attributes['axis']
  if (axis?.kind !== 'int') return [{ type, shape: [null] }]
  const at = positiveAxis(axis.value, shape?.length ?? 0)
  return [{ type, shape: shape?.map((size, each): Dimension => (each === at ? null : size)) ?? null }]
}

const nonZero: InferRule = (context) => [
  { type: 'int64', shape: [context.input(0).shape?.length ?? null, null] },
]

const topK: InferRule = (context) => {
  const { type, shape } = context.input(0)
  const axis = positiveAxis(intAttribute(context.node, 'axis', -1), shape?.length ?? 0)
  const count = context.integers(1)?.[0] ?? null
  const chosen = shape?.map((size, at): Dimension => (at === axis ? count : size)) ?? null
  return [
    { type, shape: chosen },
    { type: 'int64', shape: chosen },
  ]
}

export const gatheringRules: Record<string, InferRule> = {
  Gather: gather,
  GatherElements: like(1),
  GatherND: gatherND,
  ScatterElements: like(0),
  ScatterND: like(0),
  OneHot: oneHot,
  Compress: compress,
  NonZero: nonZero,
  TopK: topK,
}
