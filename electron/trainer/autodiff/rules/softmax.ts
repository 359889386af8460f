import { positiveAxis } from '../../graph/infer/dimensions.ts'
import { intAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

const axisOf = (c: GradientContext): number =>
  positiveAxis(intAttribute(c.node, 'axis', -1), c.outputShape().length)

/** dx = y·(dy − Σ dy·y): the Jacobian diag(y) − y·yᵀ, applied. */
const softmax: GradientRule = (c) => {
  const y = c.output()
  const shared = c.sum(c.mul(c.dy, y), [axisOf(c)], true)
  return [c.mul(y, c.sub(c.dy, shared))]
}

/** dx = dy − softmax(x)·Σ dy; with a cross-entropy before it, what is left is p − target. */
const logSoftmax: GradientRule = (c) => {
  const shared = c.sum(c.dy, [axisOf(c)], true)
  return [c.sub(c.dy, c.mul(c.op('Exp', [c.output()]), shared))]
}

export const softmaxGradients: Record<string, GradientRule> = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  /** 1 for the largest: a step. */
  Hardmax: () => [null],
}
