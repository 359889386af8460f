import type { GradientRule } from '../context.ts'

const add: GradientRule = (c) =>
  [0, 1].map((index) => c.unbroadcast(c.dy, c.outputShape(), c.inputShape(index)))

const multiply: GradientRule = (c) =>
  [0, 1].map((index) =>
    c.needs(index)
      ? c.unbroadcast(c.op('Mul', [c.dy, c.input(1 - index)]), c.outputShape(), c.inputShape(index))
      : null,
  )

/** Flat at 0: the gradient of zero there, as everybody takes it. */
const relu: GradientRule = (c) => [c.op('Mul', [c.dy, c.mask(c.op('Greater', [c.output(), c.number(0)]))])]

export const elementwiseGradients: Record<string, GradientRule> = {
  Add: add,
  Mul: multiply,
  Relu: relu,
}
