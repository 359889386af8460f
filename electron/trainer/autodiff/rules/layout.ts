import { positiveAxis } from '../../graph/infer/dimensions.ts'
import { int, intAttribute, ints, intsAttribute, stringAttribute } from '../../graph/types.ts'
import type { GradientContext, GradientRule } from '../context.ts'

const axisOf = (c: GradientContext, fallback: number): number =>
  positiveAxis(intAttribute(c.node, 'axis', fallback), c.inputShape(0).length)

/** What only writes the shape in another way: the gradient gets the old one back. */
const reshaped: GradientRule = (c) => [c.reshape(c.dy, c.inputShape(0))]

const transpose: GradientRule = (c) => {
  const rank = c.inputShape(0).length
  const order = intsAttribute(c.node, 'perm') ?? c.inputShape(0).map((_, axis) => rank - 1 - axis)
  const back = c.inputShape(0).map((_, axis) => order.indexOf(axis))
  return [c.op('Transpose', [c.dy], { perm: ints(back) })]
}

const concat: GradientRule = (c) => {
  const axis = axisOf(c, 1)
  let start = 0
  return c.node.inputs.map((_, index) => {
    const length = c.inputShape(index)[axis]!
    start += length
    return c.needs(index) ? c.cut(c.dy, axis, start - length, length) : null
  })
}

/** Parts that the loss does not depend on get zeros. */
const split: GradientRule = (c) => {
  const axis = axisOf(c, 0)
  const parts = c.node.outputs.map((_, index) => c.gradient(index) ?? c.zeros(c.outputShape(index)))
  return [c.op('Concat', parts, { axis: int(axis) })]
}

const expand: GradientRule = (c) => [c.unbroadcast(c.dy, c.outputShape(), c.inputShape(0))]

/** Every copy hands its gradient back: axes of the copies beside those of the value, then a sum. */
const tile: GradientRule = (c) => {
  const repeats = c.integers(1)
  const apart = c.reshape(
    c.dy,
    c.inputShape(0).flatMap((size, axis) => [repeats[axis]!, size]),
  )
  const copies = repeats.map((_, axis) => 2 * axis)
  return [c.sum(apart, copies, false)]
}

/** Rows that are read more than once get the sum. One row that is known is put back among zeros. */
const gather: GradientRule = (c) => {
  const [shape, axis] = [c.inputShape(0), axisOf(c, 0)]
  const size = shape[axis]!
  const only = c.inputShape(1).length === 0 || String(c.inputShape(1)) === '1'
  const row = only && c.knows(1) ? positiveAxis(c.integers(1)[0]!, size) : null
  if (row === null) {
    const attributes = { axis: int(axis), input_shape: ints(shape) }
    return c.training('GatherGradient', [c.input(1), c.dy], attributes)
  }
  const kept = c.reshape(c.dy, [...shape.slice(0, axis), 1, ...shape.slice(axis + 1)])
  return [c.surround(kept, shape.length, axis, row, size - row - 1)]
}

/**
 * Depth to space reads its channels as [block, block, channels] (mode DCR) or [channels, block, block] (CRD) and weaves
 * the blocks into height and width. Both ways as Reshape and Transpose.
 */
const depthToSpace: GradientRule = (c) => {
  const [batch, channels, height, width] = c.inputShape(0) as [number, number, number, number]
  const block = intAttribute(c.node, 'blocksize', 1)
  const left = channels / block ** 2
  const woven = c.reshape(c.dy, [batch, left, height, block, width, block])
  // [batch, channel, row, row in block, column, column in block]
  const order = stringAttribute(c.node, 'mode', 'DCR') === 'DCR' ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]
  return [c.reshape(c.op('Transpose', [woven], { perm: ints(order) }), c.inputShape(0))]
}

const spaceToDepth: GradientRule = (c) => {
  const [batch, channels, height, width] = c.inputShape(0) as [number, number, number, number]
  const block = intAttribute(c.node, 'blocksize', 1)
  const apart = c.reshape(c.dy, [batch, block, block, channels, height / block, width / block])
  return [c.reshape(c.op('Transpose', [apart], { perm: ints([0, 3, 4, 1, 5, 2]) }), c.inputShape(0))]
}

/** Nearest neighbour by whole factors: a pixel gets the sum over the block it became. */
const resize: GradientRule = (c) => {
  const [from, to] = [c.inputShape(0), c.outputShape()]
  const factors = from.map((size, axis) => to[axis]! / size)
  if (!factors.every(Number.isInteger) || !copiesBlocks(c))
    throw c.refusal('resizes in another way than by repeating each pixel')
  const apart = c.reshape(
    c.dy,
    from.flatMap((size, axis) => [size, factors[axis]!]),
  )
  const blocks = factors.flatMap((factor, axis) => (factor === 1 ? [] : [2 * axis + 1]))
  return [c.reshape(c.sum(apart, blocks, false), from)]
}

/** Whether output pixel i is input pixel ⌊i / factor⌋ for every whole factor: onnx.ai/onnx/operators, Resize. */
function copiesBlocks(c: GradientContext): boolean {
  if (stringAttribute(c.node, 'mode', 'nearest') !== 'nearest') return false
  const rounding = stringAttribute(c.node, 'nearest_mode', 'round_prefer_floor')
  switch (stringAttribute(c.node, 'coordinate_transformation_mode', 'half_pixel')) {
    case 'asymmetric':
      return rounding === 'floor'
    // (i + ½)/factor − ½ is never further than ½ − 1/(2·factor) from the pixel's own number.
    case 'half_pixel':
    case 'half_pixel_symmetric':
      return rounding.startsWith('round')
    default:
      return false
  }
}

/** A triangle that is kept: zeros in the other one. */
const triangle: GradientRule = (c) => [c.op('Trilu', [c.dy, ...c.node.inputs.slice(1)], c.node.attributes)]

export const layoutGradients: Record<string, GradientRule> = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Expand: expand,
  Tile: tile,
  Gather: gather,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Resize: resize,
  Trilu: triangle,
}
