import { explicitTransposedWindow, explicitWindow, windowAttributes } from '../../graph/window.ts'
import { ints } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

/** Height, width … of a value [batch, channels, height, width …]. */
const sizes = (shape: readonly number[]): readonly number[] => shape.slice(2)

/** A bias is added to every pixel of every picture. */
const byBias = (c: GradientContext): string =>
  c.sum(
    c.dy,
    c.outputShape().flatMap((_, axis) => (axis === 1 ? [] : [axis])),
    false,
  )

/** Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4. */
const conv: GradientRule = (c) => {
  const [x, w] = [c.inputShape(0), c.inputShape(1)]
  const window = windowAttributes(explicitWindow(c.node, sizes(x), sizes(w)), c.node)
  const byInput = (): string =>
    c.training('ConvInputGradient', [c.dy, c.input(1)], { ...window, input_shape: ints(x) })[0]!
  const byWeight = (): string =>
    c.training('ConvWeightGradient', [c.input(0), c.dy], { ...window, weight_shape: ints(w) })[0]!
  return [byInput, byWeight, () => byBias(c)].map((rule, index) => (c.needs(index) ? rule() : null))
}

/**
 * A transposed convolution is the input gradient of a convolution with the same weights [in, out / groups, …]: going back
 * is that convolution, and for the weights input and output change places.
 */
const convTranspose: GradientRule = (c) => {
  const [x, w] = [c.inputShape(0), c.inputShape(1)]
  const window = windowAttributes(explicitTransposedWindow(c.node, sizes(x), sizes(w)), c.node)
  const byInput = (): string => c.op('Conv', [c.dy, c.input(1)], window)
  const byWeight = (): string =>
    c.training('ConvWeightGradient', [c.dy, c.input(0)], { ...window, weight_shape: ints(w) })[0]!
  return [byInput, byWeight, () => byBias(c)].map((rule, index) => (c.needs(index) ? rule() : null))
}

export const convolutionGradients: Record<string, GradientRule> = { Conv: conv, ConvTranspose: convTranspose }
