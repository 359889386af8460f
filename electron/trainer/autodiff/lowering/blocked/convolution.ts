import { intAttribute, intsAttribute } from '../../../graph/types.ts'
import { explicitWindow } from '../../../graph/window.ts'
import { slidingGradient, turnedWindow } from '../convolution.ts'
import type { Shape, Value } from '../layouts.ts'
import { attributesOf, isDense, isPoint, mapWindow, type MapWindow } from '../window.ts'
import { denseFilter, thinFilter, turnedDenseFilter, turnedThinFilter } from './filters.ts'
import type { BlockedPen, BlockedRule } from './pen.ts'

/**
 * What the runtime's convolutions can do: from blocks to blocks, from few plain channels to blocks, or each channel on
 * its own.
 */
type Kind = 'dense' | 'thin' | 'channel'

function kindOf([outputs, perGroup]: Shape, group: number, block: number): Kind | null {
  const whole = (channels: number): boolean => channels % block === 0
  if (group > 1 && perGroup === 1 && outputs === group) return whole(group) ? 'channel' : null
  if (!whole(outputs! / group)) return null
  if (whole(perGroup!)) return 'dense'
  return group === 1 && perGroup! < block ? 'thin' : null
}

export const convolution: BlockedRule = (pen) => {
  const [x, w, y] = [pen.inputShape(0), pen.inputShape(1), pen.outputShape()]
  if (!pen.blockable(y)) return null
  const group = intAttribute(pen.node, 'group', 1)
  const window = { ...explicitWindow(pen.node, x.slice(2), w.slice(2)), group }
  const kind = kindOf(w, group, pen.block)
  if (kind === null) return null
  const filter = (kind === 'dense' ? denseFilter : thinFilter)(pen, pen.input(1))
  const input = kind === 'thin' ? pen.input(0) : pen.blocked(0)
  return [pen.convolution(input, filter, window, y, pen.has(2) ? { bias: pen.input(2) } : {})]
}

/** dx as a convolution of dy with the kernel turned around; with strides, zeros are put between the numbers of dy first. */
export const convolutionInputGradient: BlockedRule = (pen) => {
  const [dy, w] = [pen.inputShape(0), pen.inputShape(1)]
  const shape = intsAttribute(pen.node, 'input_shape')!
  const window = mapWindow(pen.node, w.slice(2))
  const kind = kindOf(w, window.group, pen.block)
  // A picture is no block of channels: nobody goes back to it but saliency maps.
  if (kind === null || kind === 'thin' || !pen.blockable(shape) || !pen.blockable(dy)) return null
  if (kind === 'dense' && window.group > 1) return null
  const filter = (): Value => (kind === 'dense' ? turnedDenseFilter : turnedThinFilter)(pen, pen.input(1))
  if (isDense(window)) {
    const turned = turnedWindow(window)
    return turned && [pen.convolution(pen.blocked(0), filter(), turned, shape)]
  }
  // Numbers and the zeros after them.
  const wide = dy.slice(2).map((size, axis) => size * window.strides[axis]!)
  const turned = turnedWindow({ ...window, pads: [0, 1, 2, 3].map((at) => window.pads[at % 2]!) })
  if (turned === null) return null
  const behind = wide.map((size, axis) => shape[axis + 2]! - size + window.pads[axis]!)
  if (behind.some((size) => size < 0)) return null
  if (isPoint(window) && behind.every((size) => size === 0)) {
    const small = pen.convolution(pen.blocked(0), filter(), turned, [...shape.slice(0, 2), ...dy.slice(2)])
    return [withZeros(pen, small, window.strides)]
  }
  const pads = [...turned.pads.slice(0, 2), ...behind]
  return [
    pen.convolution(withZeros(pen, pen.blocked(0), window.strides), filter(), { ...turned, pads }, shape),
  ]
}

/** Every number followed by zeros along rows and columns: [height, width] → [height · stride, width · stride]. */
function withZeros(pen: BlockedPen, value: Value, [down, right]: readonly number[]): Value {
  const [batch, channels, height, width] = value.shape as [number, number, number, number]
  const rows = (batch * channels * height) / pen.block
  const apart = pen.reshape({ ...value, layout: 'plain' }, [rows, 1, width, 1, pen.block])
  const padded = pen.pad(apart, [1, 3], [0, 0], [down! - 1, right! - 1])
  return pen.as(padded, [batch, channels, height * down!, width * right!])
}

/**
 * Each channel on its own: batch and channels together become the channels of one picture over which dy slides as the
 * kernel; then the sum over the batch. Other weights get their gradient from standard operators.
 */
export const convolutionWeightGradient: BlockedRule = (pen) => {
  const shape = intsAttribute(pen.node, 'weight_shape')!
  const window = mapWindow(pen.node, shape.slice(2))
  const [x, dy] = [pen.inputShape(0), pen.inputShape(1)]
  if (kindOf(shape, window.group, pen.block) !== 'channel') return null
  if (!pen.blockable(x) || !pen.blockable(dy)) return null
  const [batch, channels] = x as [number, number]
  const { maps, slide } = slidingGradient(
    pen,
    window,
    pen.rows(pen.blocked(0)),
    [1, 2],
    x.slice(2),
    dy.slice(2),
  )
  const [height, width] = maps.shape.slice(1) as [number, number]
  if (height < 1 || width < 1) return null
  const all = batch * channels
  const perPicture = pen.own(
    'Conv',
    [pen.reshape(maps, [1, all, height, width]), pen.reshape(pen.blocked(1), [all, 1, ...dy.slice(2)])],
    [1, all, ...window.kernel],
    attributesOf({ ...slide, group: all } satisfies MapWindow),
  )
  const places = window.kernel[0]! * window.kernel[1]!
  const apart = pen.reshape({ ...perPicture, layout: 'plain' }, [
    batch,
    channels / pen.block,
    places,
    pen.block,
  ])
  return [pen.reshape(pen.transpose(pen.sum(apart, [0]), [0, 2, 1]), shape)]
}
