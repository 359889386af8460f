import { int, intAttribute, ints, intsAttribute, stringAttribute } from './types.ts'
import type { Attributes, Node } from './types.ts'

/** How a convolution or a pooling slides, with nothing left to defaults and nothing to `auto_pad`. */
export interface Window {
  kernel: readonly number[]
  strides: readonly number[]
  dilations: readonly number[]
  /** Rows before each axis, then rows behind each. */
  pads: readonly number[]
}

/** The attributes of a node as they stand, ONNX's defaults filled in. */
export interface WrittenWindow extends Window {
  /** NOTSET, VALID, SAME_UPPER or SAME_LOWER; the pads count with NOTSET only. */
  autoPad: string
}

/** @param kernel where the node has no `kernel_shape`: a convolution may leave it to its weights. */
export function windowOf(node: Node, kernel: readonly number[]): WrittenWindow {
  const spatial = kernel.length
  const ones = new Array<number>(spatial).fill(1)
  return {
    kernel,
    strides: intsAttribute(node, 'strides') ?? ones,
    dilations: intsAttribute(node, 'dilations') ?? ones,
    pads: intsAttribute(node, 'pads') ?? new Array<number>(spatial * 2).fill(0),
    autoPad: stringAttribute(node, 'auto_pad', 'NOTSET'),
  }
}

/** Pixels between the first and the last one a window touches along an axis, both counted. */
export const reach = ({ kernel, dilations }: Window, axis: number): number =>
  ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1

/**
 * The window of a Conv or a pooling, `auto_pad` resolved (onnx.ai/onnx/operators, Conv): with SAME_UPPER the odd pixel of
 * padding is behind, with SAME_LOWER before.
 * @param sizes height, width … of the input.
 * @param kernel of the weights, or the node's own `kernel_shape`.
 */
export function explicitWindow(node: Node, sizes: readonly number[], kernel: readonly number[]): Window {
  const { autoPad, ...window } = windowOf(node, kernel)
  if (autoPad === 'NOTSET') return window
  const totals = sizes.map((size, axis) => {
    const stride = window.strides[axis] ?? 1
    const covered = (Math.ceil(size / stride) - 1) * stride + reach(window, axis)
    return autoPad === 'VALID' ? 0 : Math.max(0, covered - size)
  })
  return { ...window, pads: shared(totals, autoPad === 'SAME_UPPER') }
}

/**
 * The window of a ConvTranspose, and the sizes of what comes out: the convolution with this window goes from there to
 * `sizes`. Where sizes are asked for, the padding follows from them (onnx.ai/onnx/operators, ConvTranspose).
 * @param sizes height, width … of the input.
 */
export function explicitTransposedWindow(
  node: Node,
  sizes: readonly number[],
  kernel: readonly number[],
): Window & { outputs: readonly number[] } {
  const { autoPad, ...window } = windowOf(node, kernel)
  const rank = sizes.length
  const extra = intsAttribute(node, 'output_padding') ?? sizes.map(() => 0)
  const whole = sizes.map(
    (size, axis) => (window.strides[axis] ?? 1) * (size - 1) + (extra[axis] ?? 0) + reach(window, axis),
  )
  const asked = autoPad.startsWith('SAME')
    ? sizes.map((size, axis) => size * (window.strides[axis] ?? 1))
    : undefined
  const outputs = intsAttribute(node, 'output_shape')?.slice(-rank) ?? asked
  if (outputs !== undefined) {
    const totals = whole.map((size, axis) => Math.max(0, size - (outputs[axis] ?? size)))
    return { ...window, pads: shared(totals, autoPad === 'SAME_UPPER'), outputs }
  }
  const pads = autoPad === 'NOTSET' ? window.pads : new Array<number>(2 * rank).fill(0)
  return {
    ...window,
    pads,
    outputs: whole.map((size, axis) => size - (pads[axis] ?? 0) - (pads[axis + rank] ?? 0)),
  }
}

/** Padding on both sides; the odd pixel stands behind, or before. */
function shared(totals: readonly number[], oddBehind: boolean): number[] {
  const small = totals.map((total) => Math.floor(total / 2))
  const large = totals.map((total) => Math.ceil(total / 2))
  return oddBehind ? [...small, ...large] : [...large, ...small]
}

/** As attributes of a node; `group` only where it says something. */
export function windowAttributes(window: Window, node?: Node): Attributes {
  const group = node === undefined ? 1 : intAttribute(node, 'group', 1)
  return {
    kernel_shape: ints(window.kernel),
    strides: ints(window.strides),
    dilations: ints(window.dilations),
    pads: ints(window.pads),
    ...(group === 1 ? {} : { group: int(group) }),
  }
}
