import { explicitWindow, reach, windowAttributes, type Window } from '../../graph/window.ts'
import { float32 } from '../../graph/tensor.ts'
import { int, intAttribute, ints, intsAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

const windowOf = (c: GradientContext): Window =>
  explicitWindow(c.node, c.inputShape(0).slice(2), intsAttribute(c.node, 'kernel_shape') ?? [])

/** `ceil_mode` only changes how many windows there are, which the shape of dy says; it is kept for those who read it. */
const ceilMode = (c: GradientContext): Record<string, ReturnType<typeof int>> =>
  intAttribute(c.node, 'ceil_mode', 0) === 1 ? { ceil_mode: int(1) } : {}

const maxPool: GradientRule = (c) => {
  const attributes = { ...windowAttributes(windowOf(c)), ...ceilMode(c) }
  return c.training('MaxPoolGradient', [c.input(0), c.output(), c.dy], attributes)
}

const averagePool: GradientRule = (c) => {
  const attributes = {
    ...windowAttributes(windowOf(c)),
    ...ceilMode(c),
    count_include_pad: int(intAttribute(c.node, 'count_include_pad', 0)),
    input_shape: ints(c.inputShape(0)),
  }
  return c.training('AveragePoolGradient', [c.dy], attributes)
}

/**
 * y = (Σ|x|ᵖ)^(1/p), so dx = sign(x)·|x|^(p−1) · Σ dy·y^(1−p) over the windows a pixel lies in: the input gradient of a
 * convolution with ones, a map at a time.
 */
const lpPool: GradientRule = (c) => {
  const p = intAttribute(c.node, 'p', 2)
  const shape = c.inputShape(0)
  const window = reachingAll(windowOf(c), shape.slice(2), c.outputShape().slice(2))
  const channels = shape[1]!
  const ones = c.builder.constant(
    'gradient/ones',
    float32(
      [channels, 1, ...window.kernel],
      new Array<number>(channels * window.kernel.reduce((a, b) => a * b, 1)).fill(1),
    ),
  )
  const [spread] = c.training('ConvInputGradient', [perWindow(c, p), ones], {
    ...windowAttributes(window),
    ...(channels === 1 ? {} : { group: int(channels) }),
    input_shape: ints(shape),
  })
  return [c.mul(ownShare(c, p), spread!)]
}

/** sign(x)·|x|^(p−1). */
function ownShare(c: GradientContext, p: number): string {
  const x = c.input(0)
  if (p === 1) return c.op('Sign', [x])
  return p === 2 ? x : c.mul(c.op('Sign', [x]), powered(c, c.op('Abs', [x]), p - 1))
}

/** dy·y^(1−p). A window of zeros has no gradient; 0 is one of its subgradients. */
function perWindow(c: GradientContext, p: number): string {
  const y = c.output()
  return p === 1 ? c.dy : c.div(c.dy, powered(c, c.add(y, c.equal(y, 0)), p - 1))
}

const powered = (c: GradientContext, value: string, exponent: number): string =>
  exponent === 1 ? value : c.op('Pow', [value, exponent])

/** With enough padding behind for the last windows, which `ceil_mode` may let hang over. */
function reachingAll(window: Window, sizes: readonly number[], outputs: readonly number[]): Window {
  const rank = sizes.length
  const behind = sizes.map((size, axis) => {
    const needed =
      (outputs[axis]! - 1) * window.strides[axis]! + reach(window, axis) - size - window.pads[axis]!
    return Math.max(window.pads[axis + rank]!, needed)
  })
  return { ...window, pads: [...window.pads.slice(0, rank), ...behind] }
}

const overMap = (c: GradientContext): number[] =>
  c.inputShape(0).flatMap((_, axis) => (axis < 2 ? [] : [axis]))

/** Every pixel of a map gets the same. */
const globalAveragePool: GradientRule = (c) => {
  const pixels = c
    .inputShape(0)
    .slice(2)
    .reduce((a, b) => a * b, 1)
  return [c.narrow(c.times(c.dy, 1 / pixels), c.outputShape())]
}

/** The largest pixel gets all; where several tie they share it equally. */
const globalMaxPool: GradientRule = (c) => {
  const chosen = c.equal(c.input(0), c.output())
  return [c.mul(chosen, c.div(c.dy, c.sum(chosen, overMap(c), true)))]
}

/** The norm of a map: as `lpPool`, with one window. */
const globalLpPool: GradientRule = (c) => {
  const p = intAttribute(c.node, 'p', 2)
  return [c.mul(ownShare(c, p), perWindow(c, p))]
}

export const poolingGradients: Record<string, GradientRule> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: globalMaxPool,
  GlobalLpPool: globalLpPool,
}
