import type { GradientContext, Operand } from '../context.ts'

/**
 * The gradient of an input of an elementwise operator: dy times the derivative by that input, summed over what
 * broadcasting repeated.
 * @param derivative a value, or one number for all.
 * @param shape of the derivative; the output's where it is not said.
 */
export function through(
  c: GradientContext,
  index: number,
  derivative: () => Operand,
  shape: readonly number[] = c.outputShape(),
): string | null {
  if (!c.needs(index)) return null
  const [from, to] = [c.outputShape(), c.inputShape(index)]
  const factor = derivative()
  if (String(from) === String(to)) return c.timesDy(factor, shape)
  // One number is cheaper to multiply with once the sum is small.
  return typeof factor === 'number'
    ? c.times(c.unbroadcast(c.dy, from, to), factor)
    : c.unbroadcast(c.mul(c.dy, factor), from, to)
}

/** The rule of a function of one input, from its derivative. */
export const slope =
  (derivative: (c: GradientContext) => Operand) =>
  (c: GradientContext): (string | null)[] => [c.timesDy(derivative(c))]
