import { constantValue } from '../../../graph/infer/index.ts'
import { dataTypeOf } from '../../../graph/onnx/schema.ts'
import { elementCount } from '../../../graph/tensor.ts'
import { intAttribute } from '../../../graph/types.ts'
import type { Kernel, KernelTable } from '../kernel.ts'
import { fromNumbers, int64, integersOf, kept, numbersOf, take, valueOf } from '../value.ts'

const shapeOf: Kernel = (call) => {
  const { shape } = call.input(0)
  // Bounds beyond the rank are cut, negative ones count from the end, as in Array.slice.
  const part = shape.slice(intAttribute(call.node, 'start', 0), intAttribute(call.node, 'end', shape.length))
  return [int64([part.length], part)]
}

const constant: Kernel = (call) => {
  const value = constantValue(call.node)
  return [value === undefined ? call.lacks('a value of this kind') : valueOf(value)]
}

const constantOfShape: Kernel = (call) => {
  const shape = integersOf(call.input(0))
  const value = call.node.attributes['value']
  const filler = value?.kind === 'tensor' ? valueOf(value.value) : valueOf(zero)
  return [take(filler, shape, new Int32Array(elementCount(shape)))]
}

const zero = { type: 'float32' as const, shape: [1], data: Float32Array.of(0) }

/** start, start + step … below the limit. */
const range: Kernel = (call) => {
  const [start, limit, step] = [0, 1, 2].map((index) => numbersOf(call.input(index))[0]!) as [
    number,
    number,
    number,
  ]
  const count = Math.max(0, Math.ceil((limit - start) / step))
  return [
    fromNumbers(
      call.input(0).type,
      [count],
      Array.from({ length: count }, (_, i) => start + i * step),
    ),
  ]
}

/** Ones on a diagonal of a matrix as large as the input. */
const eyeLike: Kernel = (call) => {
  const x = call.input(0)
  const [rows, columns] = x.shape as [number, number]
  const k = intAttribute(call.node, 'k', 0)
  const type = dataTypeOf(intAttribute(call.node, 'dtype', 0))
  return [
    fromNumbers(
      type === undefined ? x.type : kept(type),
      x.shape,
      Array.from({ length: rows * columns }, (_, i) =>
        (i % columns) - Math.floor(i / columns) === k ? 1 : 0,
      ),
    ),
  ]
}

export const makingKernels: KernelTable = {
  Constant: constant,
  ConstantOfShape: constantOfShape,
  EyeLike: eyeLike,
  Range: range,
  Shape: shapeOf,
  Size: (call) => [int64([], [call.input(0).data.length])],
}
