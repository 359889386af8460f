import { elementCount } from '../../../graph/tensor.ts'
import { intAttribute, intsAttribute } from '../../../graph/types.ts'
import { lanesOf, stridesOf } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { fromNumbers, int64, numbersOf, real } from '../value.ts'
import { geometryOf, pairsOf } from '../windows.ts'
import type { Geometry, Pairs } from '../windows.ts'

function poolGeometry(call: Call, shape: readonly number[]): Geometry {
  const kernel = intsAttribute(call.node, 'kernel_shape') ?? call.fail('it lacks kernel_shape')
  return geometryOf(call.node, shape.slice(2), kernel, intAttribute(call.node, 'ceil_mode', 0) === 1)
}

/** The first largest wins; what lies in the padding never does. The second output says where it stood in all of x. */
const maxPool: Kernel = (call) => {
  const x = call.input(0)
  const geometry = poolGeometry(call, x.shape)
  const { first, pixel } = pairsOf(geometry)
  const [from, to] = [elementCount(geometry.input), elementCount(geometry.output)]
  const maps = x.shape[0]! * x.shape[1]!
  const values = numbersOf(x)
  const y = new Float64Array(maps * to)
  const winners = new Float64Array(maps * to)
  const columnMajor = intAttribute(call.node, 'storage_order', 0) === 1
  const written = columnMajor ? columnMajorPixels(geometry.input) : undefined
  for (let m = 0; m < maps; m++)
    for (let p = 0; p < to; p++) {
      let largest = -Infinity
      let winner = -1
      for (let i = first[p]!; i < first[p + 1]!; i++) {
        const value = values[m * from + pixel[i]!]!
        if (winner >= 0 && !(value > largest)) continue
        largest = value
        winner = pixel[i]!
      }
      y[m * to + p] = largest
      winners[m * to + p] = m * from + (written?.[winner] ?? winner)
    }
  const shape = [...x.shape.slice(0, 2), ...geometry.output]
  return [fromNumbers(x.type, shape, y), int64(shape, winners)]
}

/** The number of each pixel when the first spatial axis runs fastest. */
function columnMajorPixels(input: readonly number[]): number[] {
  const strides = stridesOf(input)
  const turned = stridesOf(input.toReversed()).toReversed()
  return Array.from({ length: elementCount(input) }, (_, pixel) =>
    input.reduce((sum, size, axis) => sum + (Math.floor(pixel / strides[axis]!) % size) * turned[axis]!, 0),
  )
}

/** x, y, dy → dx: each window hands dy to the pixels that are as large as its maximum, to all of them the same. */
const maxPoolGradient: Kernel = (call) => {
  const [x, y, dy] = [call.real(0), call.real(1), call.real(2)]
  const geometry = poolGeometry(call, x.shape)
  const { first, pixel } = pairsOf(geometry)
  const [from, to] = [elementCount(geometry.input), elementCount(geometry.output)]
  const dx = new Float64Array(x.data.length)
  for (let at = 0; at < dy.data.length; at++) {
    const [map, p] = [Math.floor(at / to) * from, at % to]
    const winners = pixel
      .subarray(first[p]!, first[p + 1]!)
      .filter((each) => x.data[map + each] === y.data[at])
    for (const winner of winners) dx[map + winner]! += dy.data[at]! / winners.length
  }
  return [real(x.shape, dx)]
}

/** By how much each window divides: its pixels, and with `count_include_pad` those of the padding too. */
function divisorOf(call: Call, { first, covered }: Pairs): (place: number) => number {
  const all = intAttribute(call.node, 'count_include_pad', 0) === 1
  return (place) => (all ? covered[place]! : first[place + 1]! - first[place]!)
}

const averagePool: Kernel = (call) => {
  const x = call.real(0)
  const geometry = poolGeometry(call, x.shape)
  const pairs = pairsOf(geometry)
  const { first, pixel } = pairs
  const divisor = divisorOf(call, pairs)
  const [from, to] = [elementCount(geometry.input), elementCount(geometry.output)]
  const y = new Float64Array(x.shape[0]! * x.shape[1]! * to)
  for (let at = 0; at < y.length; at++) {
    const [map, p] = [Math.floor(at / to) * from, at % to]
    let sum = 0
    for (let i = first[p]!; i < first[p + 1]!; i++) sum += x.data[map + pixel[i]!]!
    y[at] = sum / divisor(p)
  }
  return [real([...x.shape.slice(0, 2), ...geometry.output], y)]
}

/** dy → dx: every pixel of a window gets the same share. */
const averagePoolGradient: Kernel = (call) => {
  const dy = call.real(0)
  const shape = intsAttribute(call.node, 'input_shape') ?? call.fail('it lacks input_shape')
  const geometry = poolGeometry(call, shape)
  const pairs = pairsOf(geometry)
  const { first, pixel } = pairs
  const divisor = divisorOf(call, pairs)
  const [from, to] = [elementCount(geometry.input), elementCount(geometry.output)]
  const dx = new Float64Array(elementCount(shape))
  for (let at = 0; at < dy.data.length; at++) {
    const [map, p] = [Math.floor(at / to) * from, at % to]
    for (let i = first[p]!; i < first[p + 1]!; i++) dx[map + pixel[i]!]! += dy.data[at]! / divisor(p)
  }
  return [real(shape, dx)]
}

/** (Σ |x|^p)^(1/p) of each window. */
const lpPool: Kernel = (call) => {
  const x = call.real(0)
  const power = intAttribute(call.node, 'p', 2)
  const geometry = poolGeometry(call, x.shape)
  const { first, pixel } = pairsOf(geometry)
  const [from, to] = [elementCount(geometry.input), elementCount(geometry.output)]
  const y = new Float64Array(x.shape[0]! * x.shape[1]! * to)
  for (let at = 0; at < y.length; at++) {
    const [map, p] = [Math.floor(at / to) * from, at % to]
    let sum = 0
    for (let i = first[p]!; i < first[p + 1]!; i++) sum += Math.abs(x.data[map + pixel[i]!]!) ** power
    y[at] = sum ** (1 / power)
  }
  return [real([...x.shape.slice(0, 2), ...geometry.output], y)]
}

/** One number per map. */
const globalPool =
  (rule: (map: Float64Array, call: Call) => number): Kernel =>
  (call) => {
    const x = call.real(0)
    const { keptShape, starts, members } = lanesOf(x.shape, x.shape.map((_, axis) => axis).slice(2))
    const y = Float64Array.from(starts, (start) =>
      rule(
        Float64Array.from(members, (member) => x.data[start + member]!),
        call,
      ),
    )
    return [real(keptShape, y)]
  }

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)

export const poolingKernels: KernelTable = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  GlobalAveragePool: globalPool((map) => sum(map) / map.length),
  GlobalMaxPool: globalPool((map) => map.reduce((a, b) => Math.max(a, b), -Infinity)),
  GlobalLpPool: globalPool((map, { node }) => {
    const power = intAttribute(node, 'p', 2)
    return sum(map.map((each) => Math.abs(each) ** power)) ** (1 / power)
  }),
}

export const poolingGradients = {
  MaxPoolGradient: maxPoolGradient,
  AveragePoolGradient: averagePoolGradient,
}
