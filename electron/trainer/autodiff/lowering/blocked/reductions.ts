import { positiveAxis } from '../../../graph/infer/dimensions.ts'
import { intsAttribute } from '../../../graph/types.ts'
import type { BlockedRule } from './pen.ts'
import { blockedMaps, sumPerMap } from './maps.ts'

/** Sums and means over the places of each map, or over batch and places: gradients of biases, squeezed maps. */
export const reduction: BlockedRule = (pen) => {
  const shape = pen.inputShape(0)
  if (!pen.blockable(shape) || !pen.isBlocked(0)) return null
  const written = intsAttribute(pen.node, 'axes') ?? (pen.has(1) ? pen.integersOf(1) : undefined)
  const axes = written?.map((axis) => positiveAxis(axis, 4)).toSorted()
  const over = String(axes)
  if (over !== '2,3' && over !== '0,2,3') return null
  const sums =
    over === '2,3' ? sumPerMap(pen, pen.blocked(0)) : blockedMaps(pen).sumPerChannel(pen.blocked(0))
  const count = axes!.reduce((product, axis) => product * shape[axis]!, 1)
  const result = pen.node.op === 'ReduceMean' ? pen.divide(sums, pen.number(count)) : sums
  return [pen.reshape(result, pen.outputShape())]
}

/** Maps behind each other along the channels. */
export const concatenation: BlockedRule = (pen) => {
  const shape = pen.outputShape()
  const { node } = pen
  const parts = node.inputs.map((_, index) => pen.inputShape(index))
  const along = node.attributes['axis']
  if (!parts.every((part) => pen.blockable(part))) return null
  if (along?.kind !== 'int' || positiveAxis(along.value, 4) !== 1) return null
  if (!parts.some((_, index) => pen.isBlocked(index))) return null
  const values = parts.map((_, index) => pen.blocked(index))
  return [{ ...pen.op('Concat', values, shape, node.attributes), layout: 'blocked' }]
}
