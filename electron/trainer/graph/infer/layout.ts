import { dataTypeOf } from '../onnx/schema.ts'
import { numbers, scalar } from '../tensor.ts'
import { intAttribute, intsAttribute, stringAttribute } from '../types.ts'
import type { Dimension } from '../types.ts'
import { countable, joined, spread, strides, walk } from './content.ts'
import { mismatch } from './context.ts'
import type { Inferred, InferRule, NodeContext } from './context.ts'
import { broadcast, dividedBy, mapSize, plus, positiveAxis, product, times } from './dimensions.ts'

/** Axes came as an attribute before opset 13 and as an input since. */
export const axesOf = (context: NodeContext, index = 1): readonly number[] | undefined =>
  intsAttribute(context.node, 'axes') ?? (context.has(index) ? context.integers(index) : undefined)

const reshape: InferRule = (context) => {
  const x = context.input(0)
  const target = intsAttribute(context.node, 'shape') ?? context.input(1).content
  if (target === undefined) {
    const rank = context.input(1).shape?.[0]
    return [{ type: x.type, shape: typeof rank === 'number' ? new Array<Dimension>(rank).fill(null) : null }]
  }
  const keepZero = intAttribute(context.node, 'allowzero', 0) === 1
  const sizes = target.map((size, axis): Dimension =>
    size === 0 && !keepZero ? (x.shape?.[axis] ?? null) : size,
  )
  const open = sizes.indexOf(-1)
  if (open !== -1)
    sizes[open] = remaining(
      x.shape,
      sizes.filter((_, axis) => axis !== open),
    )
  return [{ type: x.type, shape: sizes, ...(x.content === undefined ? {} : { content: x.content }) }]
}

/** Size for −1: what is left of the input, symbols that stand on both sides taken out. */
function remaining(from: readonly Dimension[] | null, others: readonly Dimension[]): Dimension {
  if (from === null) return null
  const left = [...from]
  const rest = others.filter((size) => {
    const at = typeof size === 'string' ? left.indexOf(size) : -1
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
  const [whole, part] = [product(left), product(rest)]
  if (part === 1) return whole
  if (part === null || part === 0) return null
  if (whole !== null) return dividedBy(whole, part)
  // Several symbols among numbers, one of which is left when the numbers cancel.
  const symbols = left.filter((size) => typeof size !== 'number')
  const numbers = product(left.filter((size) => typeof size === 'number'))
  return symbols.length === 1 && numbers === part ? (symbols[0] ?? null) : null
}

const transpose: InferRule = (context) => {
  const x = context.input(0)
  if (x.shape === null) return [{ type: x.type, shape: null }]
  const { shape } = x
  const order = intsAttribute(context.node, 'perm') ?? shape.map((_, axis) => shape.length - 1 - axis)
  if (order.length !== shape.length) throw mismatch(context.node, 'it orders another number of axes')
  const turned = order.map((axis) => shape[axis] ?? null)
  const [from, to] = [countable(shape), countable(turned)]
  if (x.content === undefined || from === undefined || to === undefined)
    return [{ type: x.type, shape: turned }]
  const steps = strides(from)
  const content = walk(
    x.content,
    to,
    order.map((axis) => steps[axis] ?? 0),
  )
  return [{ type: x.type, shape: turned, content }]
}

const concat: InferRule = (context) => {
  const inputs = context.node.inputs.map((_, index) => context.input(index))
  const [first] = inputs
  if (first === undefined) return []
  if (inputs.some((input) => input.shape === null)) return [{ type: first.type, shape: null }]
  const rank = first.shape?.length ?? 0
  const axis = positiveAxis(intAttribute(context.node, 'axis', 1), rank)
  if (inputs.some((input) => input.shape?.length !== rank))
    throw mismatch(context.node, 'its inputs differ in rank')
  const shape = Array.from({ length: rank }, (_, at): Dimension => {
    const sizes = inputs.map((input) => input.shape?.[at] ?? null)
    if (at === axis) return sizes.reduce(plus, 0)
    return sizes.find((size) => typeof size === 'number') ?? sizes[0] ?? null
  })
  const parts = inputs.flatMap(({ content, shape: own }) => {
    const known = countable(own)
    return content === undefined || known === undefined ? [] : [{ content, shape: known }]
  })
  if (parts.length < inputs.length || countable(shape) === undefined) return [{ type: first.type, shape }]
  return [{ type: first.type, shape, content: joined(parts, axis) }]
}

const split: InferRule = (context) => {
  const x = context.input(0)
  const count = context.node.outputs.length
  const written = intsAttribute(context.node, 'split')
  const given = written !== undefined || context.has(1)
  const parts = written ?? context.integers(1)
  return Array.from({ length: count }, (_, index): Inferred => {
    if (x.shape === null) return { type: x.type, shape: null }
    const axis = positiveAxis(intAttribute(context.node, 'axis', 0), x.shape.length)
    const whole = x.shape[axis] ?? null
    const even = typeof whole === 'number' ? Math.ceil(whole / count) : null
    const rest = typeof whole === 'number' && even !== null ? Math.min(even, whole - even * index) : null
    const size = given ? (parts?.[index] ?? null) : rest
    const shape = x.shape.map((known, at) => (at === axis ? size : known))
    const [from, to] = [countable(x.shape), countable(shape)]
    const sizes = parts ?? new Array<number>(count).fill(even ?? 0)
    if (x.content === undefined || from === undefined || to === undefined) return { type: x.type, shape }
    const steps = strides(from)
    const before = sizes.slice(0, index).reduce((sum, part) => sum + part, 0)
    return { type: x.type, shape, content: walk(x.content, to, steps, before * steps[axis]!) }
  })
}

const slice: InferRule = (context) => {
  const x = context.input(0)
  const starts = intsAttribute(context.node, 'starts') ?? context.integers(1)
  const ends = intsAttribute(context.node, 'ends') ?? context.integers(2)
  if (x.shape === null) return [{ type: x.type, shape: null }]
  const rank = x.shape.length
  const axes = axesOf(context, 3) ?? starts?.map((_, index) => index)
  const steps = context.has(4) ? context.integers(4) : starts?.map(() => 1)
  if (!starts || !ends || !axes || !steps)
    return [{ type: x.type, shape: new Array<Dimension>(rank).fill(null) }]
  const shape = [...x.shape]
  const own = x.content && countable(x.shape)
  const moves = own && strides(own)
  let start = 0
  axes.forEach((written, index) => {
    const axis = positiveAxis(written, rank)
    const size = shape[axis]
    const step = steps[index] ?? 1
    if (typeof size !== 'number') {
      shape[axis] = null
      return
    }
    const last = step < 0 ? size - 1 : size
    const bound = (value: number, first: number): number =>
      Math.min(Math.max(value < 0 ? value + size : value, first), last)
    const [from, to] = [bound(starts[index] ?? 0, 0), bound(ends[index] ?? size, step < 0 ? -1 : 0)]
    shape[axis] = Math.max(0, Math.ceil((to - from) / step))
    if (moves === undefined) return
    start += from * moves[axis]!
    moves[axis]! *= step
  })
  const reached = countable(shape)
  if (x.content === undefined || moves === undefined || reached === undefined)
    return [{ type: x.type, shape }]
  return [{ type: x.type, shape, content: walk(x.content, reached, moves, start) }]
}

const pad: InferRule = (context) => {
  const x = context.input(0)
  const pads = intsAttribute(context.node, 'pads') ?? (context.has(1) ? context.integers(1) : undefined)
  const axes = context.has(3) ? context.integers(3) : x.shape?.map((_, axis) => axis)
  if (x.shape === null || pads === undefined || axes === undefined) {
    return [{ type: x.type, shape: x.shape?.map(() => null) ?? null }]
  }
  if (pads.length !== axes.length * 2) throw mismatch(context.node, 'it pads another number of axes')
  const shape = [...x.shape]
  axes.forEach((written, index) => {
    const axis = positiveAxis(written, shape.length)
    shape[axis] = plus(shape[axis] ?? null, (pads[index] ?? 0) + (pads[index + axes.length] ?? 0))
  })
  return [{ type: x.type, shape }]
}

const squeeze: InferRule = (context) => {
  const x = context.input(0)
  if (x.shape === null) return [{ type: x.type, shape: null }]
  const rank = x.shape.length
  const axes = axesOf(context)?.map((axis) => positiveAxis(axis, rank))
  if (axes === undefined && context.has(1)) return [{ type: x.type, shape: null }]
  const shape = x.shape.filter((size, axis) => (axes === undefined ? size !== 1 : !axes.includes(axis)))
  return [{ type: x.type, shape, ...(x.content === undefined ? {} : { content: x.content }) }]
}

const unsqueeze: InferRule = (context) => {
  const x = context.input(0)
  const written = axesOf(context)
  if (x.shape === null || written === undefined) return [{ type: x.type, shape: null }]
  const rank = x.shape.length + written.length
  const axes = new Set(written.map((axis) => positiveAxis(axis, rank)))
  const rest = [...x.shape]
  const shape = Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() ?? null)))
  return [{ type: x.type, shape, ...(x.content === undefined ? {} : { content: x.content }) }]
}

const shapeOf: InferRule = (context) => {
  const { shape } = context.input(0)
  if (shape === null) return [{ type: 'int64', shape: [null] }]
  const start = intAttribute(context.node, 'start', 0)
  const end = intAttribute(context.node, 'end', shape.length)
  const content = shape.slice(start, end)
  return [{ type: 'int64', shape: [content.length], content }]
}

const sizeOf: InferRule = (context) => {
  const { shape } = context.input(0)
  return [{ type: 'int64', shape: [], ...(shape === null ? {} : { content: [product(shape)] }) }]
}

const expand: InferRule = (context) => {
  const x = context.input(0)
  const target = context.input(1).content
  const shape = target === undefined ? null : broadcast([x.shape, target])
  const [from, to] = [countable(x.shape), countable(shape)]
  if (x.content === undefined || from === undefined || to === undefined) return [{ type: x.type, shape }]
  return [{ type: x.type, shape, content: spread(x.content, from, to) }]
}

const constantOfShape: InferRule = (context) => {
  const value = context.node.attributes['value']
  const filler = value?.kind === 'tensor' ? value.value : scalar(0)
  const shape = context.input(0).content ?? null
  // Equal sizes or axes, which shapes are put together from.
  const known = countable(shape)
  const content = known && new Array<number>(product(known) as number).fill(numbers(filler)[0] ?? 0)
  return [{ type: filler.type, shape, ...(content === undefined ? {} : { content }) }]
}

const eyeLike: InferRule = (context) => {
  const { type, shape } = context.input(0)
  return [{ type: dataTypeOf(intAttribute(context.node, 'dtype', 0)) ?? type, shape }]
}

const tile: InferRule = (context) => {
  const x = context.input(0)
  const repeats = context.integers(1)
  const shape = x.shape?.map((size, axis) => (repeats === undefined ? null : times(size, repeats[axis] ?? 1)))
  const [from, to] = [countable(x.shape), countable(shape)]
  if (x.content === undefined || from === undefined || to === undefined || repeats === undefined)
    return [{ type: x.type, shape: shape ?? null }]
  // Every axis as two: the copies, then what is copied.
  const steps = strides(from)
  const apart = from.flatMap((size, axis) => [repeats[axis] ?? 1, size])
  const content = walk(
    x.content,
    apart,
    steps.flatMap((step) => [0, step]),
  )
  return [{ type: x.type, shape: to, content }]
}

/** As many values as fit between start and limit. */
const range: InferRule = (context) => {
  const { type } = context.input(0)
  const [start, limit, step] = [0, 1, 2].map((index) => context.integers(index)?.[0])
  if (start === undefined || limit === undefined || step === undefined) return [{ type, shape: [null] }]
  const shape = [Math.max(0, Math.ceil((limit - start) / step))]
  const whole = type === 'int64' || type === 'int32'
  if (!whole || countable(shape) === undefined) return [{ type, shape }]
  return [{ type, shape, content: Array.from({ length: shape[0]! }, (_, index) => start + index * step) }]
}

const resize: InferRule = (context) => {
  const x = context.input(0)
  if (x.shape === null) return [{ type: x.type, shape: null }]
  const shape: Dimension[] = [...x.shape]
  const axes =
    intsAttribute(context.node, 'axes')?.map((axis) => positiveAxis(axis, shape.length)) ??
    shape.map((_, axis) => axis)
  const sizes = context.has(3) ? context.input(3).content : undefined
  const scales = context.has(2) ? context.integers(2) : undefined
  const policy = stringAttribute(context.node, 'keep_aspect_ratio_policy', 'stretch')
  const ratios = axes.map((axis, index) => Number(sizes?.[index]) / Number(x.shape?.[axis]))
  const common = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios)
  const cropped = stringAttribute(context.node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize'
  axes.forEach((axis, index) => {
    const scale = scales?.[index]
    if (sizes?.length && policy === 'stretch') shape[axis] = sizes[index] ?? null
    else if (sizes?.length)
      // NaN where one of the sizes is not known.
      shape[axis] = Number.isNaN(common) ? null : mapSize(shape[axis], (size) => Math.round(size * common))
    else if (scale === undefined || cropped) shape[axis] = null
    else if (scale !== 1) shape[axis] = mapSize(shape[axis], (size) => Math.floor(size * scale))
  })
  return [{ type: x.type, shape }]
}

/** `by` times as many pixels along each side, and as many times fewer channels. */
const blocks =
  (by: (block: number) => number): InferRule =>
  (context) => {
    const { type, shape } = context.input(0)
    const factor = by(intAttribute(context.node, 'blocksize', 1))
    if (shape?.length !== 4) return [{ type, shape: null }]
    const [batch = null, channels, height, width] = shape
    const scale = (size: Dimension | undefined, times: number): Dimension =>
      mapSize(size, (known) => Math.round(known * times))
    return [
      { type, shape: [batch, scale(channels, factor ** -2), scale(height, factor), scale(width, factor)] },
    ]
  }

export const layoutRules: Record<string, InferRule> = {
  Reshape: reshape,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Shape: shapeOf,
  Size: sizeOf,
  Expand: expand,
  ConstantOfShape: constantOfShape,
  EyeLike: eyeLike,
  Tile: tile,
  Resize: resize,
  Range: range,
  DepthToSpace: blocks((block) => block),
  SpaceToDepth: blocks((block) => 1 / block),
}
