import { elementCount } from '../../../graph/tensor.ts'
import { intAttribute, intsAttribute, stringAttribute } from '../../../graph/types.ts'
import { axisOf, places, stridesOf } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { append, fromNumbers, integersOf, numbersOf, real, take } from '../value.ts'
import type { Value } from '../value.ts'

/** Negative indices count from the end. */
function indicesOf(call: Call, value: Value, size: number): number[] {
  return integersOf(value).map((index) => {
    const positive = index < 0 ? index + size : index
    return positive >= 0 && positive < size ? positive : call.fail(`there is no entry ${index} of ${size}`)
  })
}

/** Whole slices along an axis, in the places that `indices` say: for each of the result the entry of x it is read from. */
function gathered(shape: readonly number[], axis: number, indices: readonly number[]): Int32Array {
  const outer = elementCount(shape.slice(0, axis))
  const inner = elementCount(shape.slice(axis + 1))
  const result = new Int32Array(outer * indices.length * inner)
  let at = 0
  for (let o = 0; o < outer; o++)
    for (const index of indices)
      for (let i = 0; i < inner; i++) result[at++] = (o * shape[axis]! + index) * inner + i
  return result
}

const gather: Kernel = (call) => {
  const [x, indices] = [call.input(0), call.input(1)]
  const axis = axisOf(intAttribute(call.node, 'axis', 0), x.shape.length)
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)]
  return [take(x, shape, gathered(x.shape, axis, indicesOf(call, indices, x.shape[axis]!)))]
}

/** indices, dy → dx: what was read goes back to where it came from, and adds up there. */
const gatherGradient: Kernel = (call) => {
  const [indices, dy] = [call.input(0), call.real(1)]
  const shape = intsAttribute(call.node, 'input_shape') ?? call.fail('it lacks input_shape')
  const axis = axisOf(intAttribute(call.node, 'axis', 0), shape.length)
  const dx = new Float64Array(elementCount(shape))
  gathered(shape, axis, indicesOf(call, indices, shape[axis]!)).forEach((to, i) => (dx[to]! += dy.data[i]!))
  return [real(shape, dx)]
}

/** Entry by entry: the place of the index, with the index itself along the axis. */
function elementTargets(call: Call, shape: readonly number[], indices: Value): number[] {
  const axis = axisOf(intAttribute(call.node, 'axis', 0), shape.length)
  const strides = stridesOf(shape)
  const along = indicesOf(call, indices, shape[axis]!)
  return places(indices.shape).map((place, i) =>
    place.with(axis, along[i]!).reduce((sum, at, each) => sum + at * strides[each]!, 0),
  )
}

const gatherElements: Kernel = (call) => {
  const [x, indices] = [call.input(0), call.input(1)]
  return [take(x, indices.shape, elementTargets(call, x.shape, indices))]
}

/** The last axis of `indices` holds the first coordinates of a slice; where each slice begins. */
function sliceStarts(call: Call, shape: readonly number[], indices: Value, batch = 0): number[] {
  const depth = indices.shape.at(-1)!
  const strides = stridesOf(shape)
  const flat = integersOf(indices)
  const count = elementCount(indices.shape.slice(0, -1))
  const perBatch = count / elementCount(shape.slice(0, batch))
  const batchSize = elementCount(shape.slice(batch))
  return Array.from({ length: count }, (_, row) => {
    let start = Math.floor(row / perBatch) * batchSize
    for (let axis = 0; axis < depth; axis++) {
      const [index, size] = [flat[row * depth + axis]!, shape[batch + axis]!]
      const positive = index < 0 ? index + size : index
      if (positive < 0 || positive >= size) call.fail(`there is no entry ${index} of ${size}`)
      start += positive * strides[batch + axis]!
    }
    return start
  })
}

function wholeSlices(starts: readonly number[], length: number): number[] {
  return starts.flatMap((start) => Array.from({ length }, (_, i) => start + i))
}

const gatherND: Kernel = (call) => {
  const [x, indices] = [call.input(0), call.input(1)]
  const batch = intAttribute(call.node, 'batch_dims', 0)
  const tail = x.shape.slice(batch + indices.shape.at(-1)!)
  const starts = sliceStarts(call, x.shape, indices, batch)
  return [take(x, [...indices.shape.slice(0, -1), ...tail], wholeSlices(starts, elementCount(tail)))]
}

const reductions: Readonly<Record<string, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  mul: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
}

/** A copy of x in which entry `targets[i]` is replaced by (or combined with) entry i of `updates`. */
function scattered(call: Call, x: Value, targets: readonly number[], updates: Value): Value {
  const name = stringAttribute(call.node, 'reduction', 'none')
  if (name === 'none') {
    const indices = Int32Array.from({ length: x.data.length }, (_, i) => i)
    targets.forEach((to, i) => (indices[to] = x.data.length + i))
    return take(append([x, updates]), x.shape, indices)
  }
  const rule = reductions[name] ?? call.lacks(`the reduction "${name}"`)
  const [y, from] = [Float64Array.from(numbersOf(x)), numbersOf(updates)]
  targets.forEach((to, i) => (y[to] = rule(y[to]!, from[i]!)))
  return fromNumbers(x.type, x.shape, y)
}

const scatterElements: Kernel = (call) => {
  const [x, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  return [scattered(call, x, elementTargets(call, x.shape, indices), updates)]
}

const scatterND: Kernel = (call) => {
  const [x, indices, updates] = [call.input(0), call.input(1), call.input(2)]
  const length = elementCount(x.shape.slice(indices.shape.at(-1)!))
  return [scattered(call, x, wholeSlices(sliceStarts(call, x.shape, indices), length), updates)]
}

/** `values` holds what is written for "off" and for "on". Indices outside of the depth are "off" everywhere. */
const oneHot: Kernel = (call) => {
  const [indices, values] = [call.input(0), call.input(2)]
  const depth = Math.trunc(numbersOf(call.input(1))[0]!)
  const rank = indices.shape.length + 1
  const axis = axisOf(intAttribute(call.node, 'axis', -1), rank)
  const shape = indices.shape.toSpliced(axis, 0, depth)
  const inner = elementCount(shape.slice(axis + 1))
  const flat = integersOf(indices).map((index) => (index < 0 ? index + depth : index))
  const chosen = Int32Array.from({ length: elementCount(shape) }, (_, i) => {
    const lane = Math.floor(i / (depth * inner)) * inner + (i % inner)
    return flat[lane] === Math.floor(i / inner) % depth ? 1 : 0
  })
  return [take(values, shape, chosen)]
}

/** The entries (without an axis) or the slices along an axis for which the condition holds. */
const compress: Kernel = (call) => {
  const [x, condition] = [call.input(0), call.input(1)]
  const written = call.node.attributes['axis']
  const chosen = integersOf(condition).flatMap((yes, i) => (yes ? [i] : []))
  if (written?.kind !== 'int') return [take(x, [chosen.length], chosen)]
  const axis = axisOf(written.value, x.shape.length)
  return [take(x, x.shape.with(axis, chosen.length), gathered(x.shape, axis, chosen))]
}

/** Coordinates of all entries that are not zero, one row per axis. */
const nonZero: Kernel = (call) => {
  const x = call.input(0)
  const values = numbersOf(x)
  const found = places(x.shape).filter((_, i) => values[i] !== 0)
  const rows = x.shape.flatMap((_, axis) => found.map((place) => place[axis]!))
  return [fromNumbers('int64', [x.shape.length, found.length], rows)]
}

export const gatheringKernels: KernelTable = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  OneHot: oneHot,
  Compress: compress,
  NonZero: nonZero,
}

export const gatheringGradients = { GatherGradient: gatherGradient }
