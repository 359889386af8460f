import { positiveAxis } from '../../graph/infer/dimensions.ts'
import { int, intAttribute, intsAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

interface Reduction {
  c: GradientContext
  axes: readonly number[]
  /** How many values become one. */
  count: number
  /** The shape of the output with the reduced axes kept as 1. */
  kept: readonly number[]
  /** dy and y in that shape. */
  dy: string
  y: () => string
}

/** The axes of a reduction: an attribute or, since sets 13 and 18, an input; all of them where none are given. */
function axesOf(c: GradientContext): readonly number[] {
  const rank = c.inputShape(0).length
  const given = intsAttribute(c.node, 'axes') ?? (c.has(1) ? c.integers(1) : [])
  if (given.length > 0) return given.map((axis) => positiveAxis(axis, rank))
  return intAttribute(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : c.inputShape(0).map((_, axis) => axis)
}

/** A rule of a reduction: dx, narrow or in the shape of x. */
const reduction =
  (rule: (r: Reduction) => string): GradientRule =>
  (c) => {
    const shape = c.inputShape(0)
    const axes = axesOf(c)
    const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    const shaped = (value: string): string =>
      String(kept) === String(c.outputShape()) ? value : c.reshape(value, kept)
    const count = axes.reduce((product, axis) => product * (shape[axis] ?? 1), 1)
    return [rule({ c, axes, count, kept, dy: shaped(c.dy), y: () => shaped(c.output()) })]
  }

const sum = reduction(({ c, dy, kept }) => c.narrow(dy, kept))
const mean = reduction(({ c, dy, kept, count }) => c.narrow(c.times(dy, 1 / count), kept))

/** The largest (or smallest) hands its gradient on; where several tie they share it equally. */
const extreme = reduction(({ c, axes, dy, y }) => {
  const chosen = c.equal(c.input(0), y())
  return c.mul(chosen, c.div(dy, c.sum(chosen, axes, true)))
})

const l1 = reduction(({ c, dy }) => c.mul(c.op('Sign', [c.input(0)]), dy))

/** x/‖x‖; the zero vector, where the norm has no gradient, gets 0, one of its subgradients. */
const l2 = reduction(({ c, dy, y }) => {
  const norm = y()
  return c.mul(c.input(0), c.div(dy, c.add(norm, c.equal(norm, 0))))
})

const sumSquare = reduction(({ c, dy }) => c.mul(c.input(0), c.mul(dy, 2)))
const logSum = reduction(({ c, dy, y, kept }) => c.narrow(c.div(dy, c.op('Exp', [y()])), kept))
const logSumExp = reduction(({ c, dy, y }) => c.mul(c.op('Exp', [c.sub(c.input(0), y())]), dy))

/**
 * The product of all the others. Zeros are counted and left out of the product: an element gets a gradient only where
 * none of the others is 0.
 */
const product = reduction(({ c, axes, dy }) => {
  const x = c.input(0)
  const zero = c.equal(x, 0)
  const filled = c.add(x, zero)
  const whole = axes.length === 0 ? filled : c.op('ReduceProd', [filled, c.list(axes)], { keepdims: int(1) })
  const otherZeros = c.sub(c.sum(zero, axes, true), zero)
  return c.mul(c.mul(c.div(whole, filled), c.equal(otherZeros, 0)), dy)
})

/** Later rows have all earlier ones in them: the gradient is summed from the other end. */
const cumulativeSum: GradientRule = (c) => {
  const reverse = intAttribute(c.node, 'reverse', 0) === 1 ? 0 : 1
  return [c.op('CumSum', [c.dy, c.input(1)], { ...c.node.attributes, reverse: int(reverse) })]
}

export const reductionGradients: Record<string, GradientRule> = {
  ReduceSum: sum,
  ReduceMean: mean,
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceL1: l1,
  ReduceL2: l2,
  ReduceSumSquare: sumSquare,
  ReduceLogSum: logSum,
  ReduceLogSumExp: logSumExp,
  ReduceProd: product,
  CumSum: cumulativeSum,
}
