import { int, intAttribute, ints, intsAttribute } from '../../../graph/types.ts'
import type { Attributes } from '../../../graph/types.ts'
import { explicitWindow } from '../../../graph/window.ts'
import type { BlockedRule } from './pen.ts'

/** Maxima and averages over windows, in ONNX's own operators; the runtime's pad like them. */
export const pooling: BlockedRule = (pen) => {
  const { node } = pen
  const x = pen.inputShape(0)
  if (!pen.blockable(x) || !pen.isBlocked(0) || pen.wants(1)) return null
  const kernel = intsAttribute(node, 'kernel_shape') ?? []
  const { strides, pads, dilations } = explicitWindow(node, x.slice(2), kernel)
  if (intAttribute(node, 'ceil_mode', 0) === 1 || dilations.some((step) => step !== 1)) return null
  const counting: Attributes =
    node.op === 'AveragePool' ? { count_include_pad: int(intAttribute(node, 'count_include_pad', 0)) } : {}
  return [
    pen.own(node.op, [pen.blocked(0)], pen.outputShape(), {
      kernel_shape: ints(kernel),
      strides: ints(strides),
      pads: ints(pads),
      ...counting,
    }),
  ]
}

export const globalPooling: BlockedRule = (pen) =>
  pen.blockable(pen.inputShape(0)) && pen.isBlocked(0)
    ? [pen.own(pen.node.op, [pen.blocked(0)], pen.outputShape(), {})]
    : null
