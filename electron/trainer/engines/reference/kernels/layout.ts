import { elementCount } from '../../../graph/tensor.ts'
import { intAttribute, intsAttribute, stringAttribute } from '../../../graph/types.ts'
import { axisOf, broadcastOffsets, broadcastShape, offsets, places, stridesOf } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { append, integersOf, numbersOf, reshaped, take } from '../value.ts'
import type { Value } from '../value.ts'

/** A list that is an attribute in some versions and an input in others. */
function listOf(call: Call, attribute: string, index: number): number[] | undefined {
  const value = call.optional(index)
  return value === undefined ? intsAttribute(call.node, attribute)?.slice() : integersOf(value)
}

/** 0 keeps a size (unless `allowzero`), −1 takes what is left. */
const reshape: Kernel = (call) => {
  const x = call.input(0)
  const target = listOf(call, 'shape', 1) ?? call.fail('it lacks a shape')
  const keepZero = intAttribute(call.node, 'allowzero', 0) === 1
  const sizes = target.map((size, axis) => (size === 0 && !keepZero ? (x.shape[axis] ?? 0) : size))
  const open = sizes.indexOf(-1)
  if (open !== -1) sizes[open] = x.data.length / elementCount(sizes.toSpliced(open, 1))
  return [reshaped(x, sizes)]
}

const flatten: Kernel = (call) => {
  const x = call.input(0)
  const written = intAttribute(call.node, 'axis', 1)
  const axis = written < 0 ? written + x.shape.length : written
  return [reshaped(x, [elementCount(x.shape.slice(0, axis)), elementCount(x.shape.slice(axis))])]
}

const squeeze: Kernel = (call) => {
  const x = call.input(0)
  const axes = listOf(call, 'axes', 1)?.map((axis) => axisOf(axis, x.shape.length))
  return [
    reshaped(
      x,
      x.shape.filter((size, axis) => (axes === undefined ? size !== 1 : !axes.includes(axis))),
    ),
  ]
}

const unsqueeze: Kernel = (call) => {
  const x = call.input(0)
  const written = listOf(call, 'axes', 1) ?? call.fail('it lacks axes')
  const rank = x.shape.length + written.length
  const axes = new Set(written.map((axis) => axisOf(axis, rank)))
  const rest = [...x.shape]
  return [
    reshaped(
      x,
      Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : rest.shift()!)),
    ),
  ]
}

const transpose: Kernel = (call) => {
  const x = call.input(0)
  const order = intsAttribute(call.node, 'perm') ?? x.shape.map((_, axis) => axis).toReversed()
  const strides = stridesOf(x.shape)
  const shape = order.map((axis) => x.shape[axis]!)
  return [
    take(
      x,
      shape,
      offsets(
        shape,
        order.map((axis) => strides[axis]!),
      ),
    ),
  ]
}

const concat: Kernel = (call) => {
  const values = call.node.inputs.map((_, index) => call.input(index))
  const [first] = values
  if (first === undefined) return call.fail('it has no input')
  const axis = axisOf(intAttribute(call.node, 'axis', 1), first.shape.length)
  const total = values.reduce((sum, value) => sum + value.shape[axis]!, 0)
  const shape = first.shape.with(axis, total)
  const outer = elementCount(shape.slice(0, axis))
  const indices: number[] = []
  for (let row = 0; row < outer; row++) {
    let start = 0
    for (const value of values) {
      const run = value.data.length / outer
      for (let i = 0; i < run; i++) indices.push(start + row * run + i)
      start += value.data.length
    }
  }
  return [take(append(values), shape, indices)]
}

/** A box of a value: along each axis `count` entries from `start`, `step` apart. */
function box(
  x: Value,
  start: readonly number[],
  count: readonly number[],
  step: readonly number[] = x.shape.map(() => 1),
): Value {
  const strides = stridesOf(x.shape)
  const first = start.reduce((sum, each, axis) => sum + each * strides[axis]!, 0)
  return take(
    x,
    count,
    offsets(
      count,
      strides.map((stride, axis) => stride * step[axis]!),
      first,
    ),
  )
}

const split: Kernel = (call) => {
  const x = call.input(0)
  const axis = axisOf(intAttribute(call.node, 'axis', 0), x.shape.length)
  const count = intAttribute(call.node, 'num_outputs', call.node.outputs.length)
  const even = Math.ceil(x.shape[axis]! / count)
  const sizes =
    listOf(call, 'split', 1) ??
    // Parts of one size, the last one smaller where that does not go up.
    Array.from({ length: count }, (_, i) => Math.min(even, x.shape[axis]! - even * i))
  let at = 0
  return sizes.map((size) => {
    const start = x.shape.map((_, each) => (each === axis ? at : 0))
    at += size
    return box(x, start, x.shape.with(axis, size))
  })
}

/**
 * As the page of Slice says it: bounds are cut to what is there, so that a step backwards begins at entry 0 at the latest
 * (numpy would give nothing) and may end before it.
 */
const slice: Kernel = (call) => {
  const x = call.input(0)
  const starts = integersOf(call.input(1))
  const ends = integersOf(call.input(2))
  const axes = listOf(call, 'axes', 3) ?? starts.map((_, axis) => axis)
  const steps = listOf(call, 'steps', 4) ?? starts.map(() => 1)
  const [start, count, step] = [x.shape.map(() => 0), [...x.shape], x.shape.map(() => 1)]
  axes.forEach((written, i) => {
    const axis = axisOf(written, x.shape.length)
    const size = x.shape[axis]!
    const by = steps[i]!
    const bound = (value: number, low: number, high: number): number =>
      Math.min(Math.max(value < 0 ? value + size : value, low), high)
    const from = bound(starts[i]!, 0, by > 0 ? size : size - 1)
    const to = by > 0 ? bound(ends[i]!, 0, size) : bound(ends[i]!, -1, size - 1)
    start[axis] = from
    step[axis] = by
    count[axis] = Math.max(0, Math.ceil((to - from) / by))
  })
  return [box(x, start, count, step)]
}

/** Where a place outside of 0 … size − 1 is read from; −1 for the filler. */
const padded: Readonly<Record<string, (at: number, size: number) => number>> = {
  constant: (at, size) => (at < 0 || at >= size ? -1 : at),
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  wrap: (at, size) => ((at % size) + size) % size,
  // Back and forth without repeating the border.
  reflect: (at, size) => {
    if (size === 1) return 0
    const period = 2 * (size - 1)
    const within = ((at % period) + period) % period
    return within < size ? within : period - within
  },
}

/** Negative amounts cut off. */
const pad: Kernel = (call) => {
  const x = call.input(0)
  const rank = x.shape.length
  const amounts = listOf(call, 'pads', 1) ?? call.fail('it lacks pads')
  const axes = listOf(call, 'axes', 3)?.map((axis) => axisOf(axis, rank)) ?? x.shape.map((_, axis) => axis)
  const mode = stringAttribute(call.node, 'mode', 'constant')
  const rule = padded[mode] ?? call.lacks(`the mode "${mode}"`)
  const [before, after] = [x.shape.map(() => 0), x.shape.map(() => 0)]
  axes.forEach((axis, i) => {
    before[axis] = amounts[i]!
    after[axis] = amounts[i + axes.length]!
  })
  const shape = x.shape.map((size, axis) => size + before[axis]! + after[axis]!)
  const strides = stridesOf(x.shape)
  const indices = places(shape).map((place) => {
    let index = 0
    for (let axis = 0; axis < rank; axis++) {
      const at = rule(place[axis]! - before[axis]!, x.shape[axis]!)
      if (at < 0) return -1
      index += at * strides[axis]!
    }
    return index
  })
  return [take(x, shape, indices, call.optional(2))]
}

const expand: Kernel = (call) => {
  const x = call.input(0)
  const shape = broadcastShape(x.shape, integersOf(call.input(1)))
  return [take(x, shape, broadcastOffsets(x.shape, shape))]
}

const tile: Kernel = (call) => {
  const x = call.input(0)
  const repeats = integersOf(call.input(1))
  const shape = x.shape.map((size, axis) => size * repeats[axis]!)
  const strides = stridesOf(x.shape)
  const indices = places(shape).map((place) =>
    place.reduce((sum, at, axis) => sum + (at % x.shape[axis]!) * strides[axis]!, 0),
  )
  return [take(x, shape, indices)]
}

/**
 * Blocks of channels become blocks of pixels: as the page of DepthToSpace says it, by a reshape, a transposition and
 * another reshape.
 */
function rearrange(
  x: Value,
  split: readonly number[],
  order: readonly number[],
  shape: readonly number[],
): Value {
  const strides = stridesOf(split)
  return take(
    x,
    shape,
    offsets(
      order.map((axis) => split[axis]!),
      order.map((axis) => strides[axis]!),
    ),
  )
}

const depthToSpace: Kernel = (call) => {
  const x = call.input(0)
  const block = intAttribute(call.node, 'blocksize', 1)
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const depth = c / block ** 2
  const shape = [n, depth, h * block, w * block]
  return [
    stringAttribute(call.node, 'mode', 'DCR') === 'DCR'
      ? rearrange(x, [n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2], shape)
      : rearrange(x, [n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3], shape),
  ]
}

const spaceToDepth: Kernel = (call) => {
  const x = call.input(0)
  const block = intAttribute(call.node, 'blocksize', 1)
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const shape = [n, c * block ** 2, h / block, w / block]
  return [rearrange(x, [n, c, h / block, block, w / block, block], [0, 3, 5, 1, 2, 4], shape)]
}

/** Zeros above (or below) a diagonal of the last two axes. */
const triangle: Kernel = (call) => {
  const x = call.input(0)
  const diagonal = call.optional(1)
  const k = diagonal === undefined ? 0 : numbersOf(diagonal)[0]!
  const upper = intAttribute(call.node, 'upper', 1) === 1
  const [rows, columns] = [x.shape.at(-2)!, x.shape.at(-1)!]
  const indices = Int32Array.from(x.data, (_: unknown, i: number) => {
    const [row, column] = [Math.floor(i / columns) % rows, i % columns]
    return (upper ? column - row >= k : column - row <= k) ? i : -1
  })
  return [take(x, x.shape, indices)]
}

const identity: Kernel = (call) => [call.input(0)]

/** Nothing is dropped, and the mask says that all is kept: which part a training run drops is drawn at random. */
const dropout: Kernel = (call) => {
  const [x, ratio, training] = [call.input(0), call.optional(1), call.optional(2)]
  const drops = ratio === undefined || numbersOf(ratio)[0] !== 0
  if (drops && training !== undefined && numbersOf(training)[0] === 1) call.lacks('training_mode')
  return [x, { type: 'bool', shape: x.shape, data: new Uint8Array(x.data.length).fill(1) }]
}

export const layoutKernels: KernelTable = {
  Identity: identity,
  Dropout: dropout,
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Expand: expand,
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: triangle,
}
