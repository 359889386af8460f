import { slide } from '../../infer/windows.ts'
import { windowOf } from '../../window.ts'
import { intAttribute, intsAttribute } from '../../types.ts'
import type { Node } from '../../types.ts'
import { windowAlong } from '../../keras/convolution.ts'
import { unsupported } from './emitter.ts'
import type { Emitter, Write } from './emitter.ts'
import { attr } from './graph-def.ts'

/** Smaller than any float32 that a network computes; −Infinity is not kept by every back end. */
const lowest = -3.4e38

interface Plan {
  kernel: [number, number]
  strides: [number, number]
  /** [top, left, bottom, right], the rest that `ceil_mode` adds included. */
  pads: [number, number, number, number]
  /** Pads of the node alone, which count where `count_include_pad` says so. */
  own: [number, number, number, number]
  size: [number, number]
  output: [number, number]
}

function planOf(node: Node, emitter: Emitter): Plan {
  const kernel = intsAttribute(node, 'kernel_shape')
  if (kernel?.length !== 2) throw unsupported(node.op, node.name, 'it does not pool pictures')
  const window = windowOf(node, kernel)
  if (window.dilations.some((step) => step !== 1))
    throw unsupported(node.op, node.name, 'its window has gaps')
  const size = emitter.spatial(node.inputs[0], node)
  const ceil = intAttribute(node, 'ceil_mode', 0) === 1
  const own = [0, 0, 0, 0] as [number, number, number, number]
  const pads = [0, 0, 0, 0] as [number, number, number, number]
  const output = [0, 0] as [number, number]
  for (const axis of [0, 1] as const) {
    const [length, taps, stride] = [size[axis], kernel[axis]!, window.strides[axis]!]
    output[axis] = slide(length, window, axis, ceil)
    const same = window.autoPad.startsWith('SAME') ? windowAlong(length, taps, stride, 1, 'same') : undefined
    const explicit = window.autoPad === 'NOTSET'
    own[axis] = same?.before ?? (explicit ? (window.pads[axis] ?? 0) : 0)
    own[axis + 2] = same?.after ?? (explicit ? (window.pads[axis + 2] ?? 0) : 0)
    pads[axis] = own[axis]
    // What the last window reaches beyond the picture; less when the stride passes the end by.
    pads[axis + 2] = Math.max(0, (output[axis] - 1) * stride + taps - length - own[axis])
  }
  return {
    kernel: [kernel[0]!, kernel[1]!],
    strides: [window.strides[0]!, window.strides[1]!],
    pads,
    own,
    size,
    output,
  }
}

const isZero = (pads: readonly number[]): boolean => pads.every((size) => size === 0)

function isSame(plan: Plan): boolean {
  return ([0, 1] as const).every((axis) => {
    const same = windowAlong(plan.size[axis], plan.kernel[axis], plan.strides[axis], 1, 'same')
    return (
      same.out === plan.output[axis] && same.before === plan.pads[axis] && same.after === plan.pads[axis + 2]
    )
  })
}

export const writePool: Write = (node, emitter) => {
  const { out } = emitter
  const name = node.outputs[0] ?? node.name
  const plan = planOf(node, emitter)
  const max = node.op === 'MaxPool'
  const countsPads = !max && intAttribute(node, 'count_include_pad', 0) === 1
  const attributes = {
    ksize: attr.ints([1, ...plan.kernel, 1]),
    strides: attr.ints([1, ...plan.strides, 1]),
    data_format: attr.text('NHWC'),
  }
  const op = max ? 'MaxPool' : 'AvgPool'
  const x = emitter.last(node.inputs[0] ?? '')
  const simple = isZero(plan.pads) ? 'VALID' : isSame(plan) && !countsPads ? 'SAME' : undefined
  if (simple !== undefined) {
    emitter.setLast(name, out.add(op, [x], { ...attributes, padding: attr.text(simple) }, name))
    return
  }
  const [top, left, bottom, right] = plan.pads
  const amounts = padding(emitter, name, [0, 0, top, bottom, left, right, 0, 0])
  const filler = out.floats(Float32Array.of(max ? lowest : 0), [], `${name}/filler`)
  const padded = out.add('PadV2', [x, amounts, filler], { Tpaddings: attr.int32 }, `${name}/padded`)
  const pooled = out.add(op, [padded], { ...attributes, padding: attr.text('VALID') }, name)
  if (max) {
    emitter.setLast(name, pooled)
    return
  }
  // The mean over the window, its padding left out: scale by window / places that count.
  const scale = new Float32Array(plan.output[0] * plan.output[1])
  for (let y = 0; y < plan.output[0]; y++) {
    for (let x = 0; x < plan.output[1]; x++) {
      const counted = along(plan, 0, y, countsPads) * along(plan, 1, x, countsPads)
      scale[y * plan.output[1] + x] = (plan.kernel[0] * plan.kernel[1]) / counted
    }
  }
  const factor = out.floats(scale, [1, ...plan.output, 1], `${name}/counts`)
  emitter.setLast(name, out.add('Mul', [pooled, factor], {}, `${name}/mean`))
}

/** Places of the window at `step` that count along one axis. */
function along(plan: Plan, axis: 0 | 1, step: number, countsPads: boolean): number {
  const from = step * plan.strides[axis] - plan.own[axis]
  const to = from + plan.kernel[axis]
  const low = countsPads ? -plan.own[axis] : 0
  const high = plan.size[axis] + (countsPads ? plan.own[axis + 2]! : 0)
  return Math.max(1, Math.min(to, high) - Math.max(from, low))
}

/** Amounts before and after each axis, as TensorFlow's matrix [axes, 2]. */
export function padding(emitter: Emitter, name: string, amounts: readonly number[]): string {
  return emitter.out.ints(amounts, `${name}/pads`, [amounts.length / 2, 2])
}

export const writeGlobalPool: Write = (node, emitter) => {
  const { out } = emitter
  const name = node.outputs[0] ?? node.name
  const op = node.op === 'GlobalMaxPool' ? 'Max' : 'Mean'
  const axes = out.ints([1, 2], `${name}/axes`)
  const x = emitter.last(node.inputs[0] ?? '')
  emitter.setLast(name, out.add(op, [x, axes], { keep_dims: attr.bool(true), Tidx: attr.int32 }, name))
}
