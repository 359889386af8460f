import { windowOf } from '../../window.ts'
import { float32, toFloat32, transpose } from '../../tensor.ts'
import { intAttribute, intsAttribute } from '../../types.ts'
import type { Node } from '../../types.ts'
import { unsupported } from './emitter.ts'
import type { Emitter, Write } from './emitter.ts'
import { attr } from './graph-def.ts'
import type { AttributeValue } from './graph-def.ts'
import { bounds } from './elementwise.ts'

/** Padding as TF.js' convolutions take it. */
function padding(node: Node, kernel: readonly number[]): Record<string, AttributeValue> {
  const { autoPad, pads } = windowOf(node, kernel)
  if (autoPad === 'SAME_UPPER') return { padding: attr.text('SAME') }
  if (autoPad === 'SAME_LOWER') throw unsupported(node.op, node.name, 'its padding begins before the picture')
  const [top = 0, left = 0, bottom = 0, right = 0] = autoPad === 'VALID' ? [] : pads
  if (top + left + bottom + right === 0) return { padding: attr.text('VALID') }
  return {
    padding: attr.text('EXPLICIT'),
    explicit_paddings: attr.ints([0, 0, top, bottom, left, right, 0, 0]),
  }
}

/** Relu or relu6 right after, read by nobody else, becomes part of the convolution. */
function activationAfter(node: Node, emitter: Emitter): { name: 'Relu' | 'Relu6'; node: Node } | undefined {
  const next = emitter.onlyConsumer(node.outputs[0])
  if (next === undefined || next.domain !== '') return undefined
  if (next.op === 'Relu') return { name: 'Relu', node: next }
  if (next.op !== 'Clip' || next.inputs[0] !== node.outputs[0]) return undefined
  const [low, high] = bounds(next, emitter)
  return low === 0 && high === 6 ? { name: 'Relu6', node: next } : undefined
}

export const writeConv: Write = (node, emitter) => {
  const { out } = emitter
  const name = node.outputs[0] ?? node.name
  const kernel = emitter.constant(node.inputs[1])
  if (kernel?.shape.length !== 4)
    throw unsupported(node.op, node.name, 'its kernel is not a constant picture filter')
  const [outChannels, perGroup, height, width] = kernel.shape as [number, number, number, number]
  const group = intAttribute(node, 'group', 1)
  const biasValue = emitter.constant(node.inputs[2])
  if (biasValue === undefined && (node.inputs[2] ?? '') !== '') {
    throw unsupported(node.op, node.name, 'its bias is computed')
  }
  const bias = biasValue === undefined ? new Float32Array(outChannels) : toFloat32(biasValue)
  const weights = float32(kernel.shape, toFloat32(kernel))
  const strides = intsAttribute(node, 'strides') ?? [1, 1]
  const dilations = intsAttribute(node, 'dilations') ?? [1, 1]
  const activation = activationAfter(node, emitter)
  const common = {
    strides: attr.ints([1, ...strides, 1]),
    dilations: attr.ints([1, ...dilations, 1]),
    data_format: attr.text('NHWC'),
    ...padding(node, [height, width]),
    fused_ops: attr.texts(['BiasAdd', ...(activation === undefined ? [] : [activation.name])]),
    num_args: attr.int(1),
  }
  const x = emitter.last(node.inputs[0] ?? '')
  const result = (): string => {
    if (group > 1 && perGroup === 1 && outChannels % group === 0) {
      // [channels · multiplier, 1, h, w] → [h, w, channels, multiplier]
      const multiplier = outChannels / group
      const grouped = float32([group, multiplier, height, width], weights.data)
      const filter = transpose(grouped, [2, 3, 0, 1])
      const operands = [
        x,
        out.floats(filter.data, filter.shape, `${name}/kernel`),
        out.floats(bias, [outChannels], `${name}/bias`),
      ]
      return out.add('FusedDepthwiseConv2dNative', operands, common, name)
    }
    const filter = transpose(weights, [2, 3, 1, 0])
    if (group === 1) {
      const operands = [
        x,
        out.floats(filter.data, filter.shape, `${name}/kernel`),
        out.floats(bias, [outChannels], `${name}/bias`),
      ]
      return out.add('_FusedConv2D', operands, common, name)
    }
    return grouped(x, group)
  }
  /** TF.js has no groups: one convolution for each, side by side. */
  const grouped = (input: string, groups: number): string => {
    const size = outChannels / groups
    const parts = Array.from({ length: groups }, (_, index) => {
      const begin = out.ints([0, 0, 0, index * perGroup], `${name}/begin`)
      const extent = out.ints([-1, -1, -1, perGroup], `${name}/extent`)
      const slice = out.add('Slice', [input, begin, extent], { Index: attr.int32 }, `${name}/group`)
      const each = size * perGroup * height * width
      const part = float32(
        [size, perGroup, height, width],
        weights.data.slice(index * each, (index + 1) * each),
      )
      const filter = transpose(part, [2, 3, 1, 0])
      const operands = [
        slice,
        out.floats(filter.data, filter.shape, `${name}/kernel`),
        out.floats(bias.slice(index * size, (index + 1) * size), [size], `${name}/bias`),
      ]
      return out.add('_FusedConv2D', operands, common, `${name}/part`)
    })
    const axis = out.int(3, `${name}/axis`)
    return out.add('ConcatV2', [...parts, axis], { N: attr.int(groups), Tidx: attr.int32 }, name)
  }
  emitter.setLast(name, result())
  if (activation !== undefined) {
    emitter.absorb(activation.node)
    emitter.setLast(activation.node.outputs[0], emitter.last(name))
  }
}
