import { dataTypeOf } from '../../../graph/onnx/schema.ts'
import { intAttribute } from '../../../graph/types.ts'
import type { Kernel, KernelTable } from '../kernel.ts'
import { fromNumbers, kept, numbersOf } from '../value.ts'

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

export const makingKernels: KernelTable = { Range: range, EyeLike: eyeLike }
