import type { GraphBuilder } from '../graph/builder.ts'
import { int64s } from '../graph/tensor.ts'
import { int, ints } from '../graph/types.ts'

/** A 3×3 convolution with padding 1 in a graph: names of values, and sizes. */
export interface Convolution {
  /** [n, from, size, size] */
  input: string
  /** [to, from, 3, 3] */
  weight: string
  size: number
  from: number
  to: number
}

/**
 * Weight gradient of a 3×3 convolution with padding 1, `[to, from, 3, 3]`. With few input channels by im2col and a matrix
 * product; else as one convolution of the input, seen as one picture [1, n, height, width · channels], with the output's
 * gradient as a filter that is dilated by the number of channels.
 */
export function weightGradient(
  g: GraphBuilder,
  { input, size, from, to }: Convolution,
  atConv: string,
): string {
  const op = (type: string, inputs: string[], attributes = {}): string => g.node(type, inputs, attributes)
  const shaped = (value: string, shape: number[]): string =>
    op('Reshape', [value, g.constant('shape', int64s(shape))])
  const taps = (value: string): string =>
    op('Reshape', [
      op('Transpose', [value], { perm: ints([0, 2, 1]) }),
      g.constant('shape', int64s([to, from, 3, 3])),
    ])
  if (from < 16) {
    const padded = op('Pad', [input, g.constant('pads', int64s([0, 0, 1, 1, 0, 0, 1, 1]))])
    const slices = Array.from({ length: 9 }, (_, tap) => {
      const [row, column] = [Math.floor(tap / 3), tap % 3]
      return op('Slice', [
        padded,
        g.constant('starts', int64s([row, column])),
        g.constant('ends', int64s([row + size, column + size])),
        g.constant('axes', int64s([2, 3])),
      ])
    })
    const columns = shaped(op('Concat', slices, { axis: int(1) }), [0, 9 * from, -1])
    const products = op('MatMul', [
      shaped(atConv, [0, to, -1]),
      op('Transpose', [columns], { perm: ints([0, 2, 1]) }),
    ])
    const summed = op('ReduceSum', [products, g.constant('rows', int64s([0]))], { keepdims: int(0) })
    return taps(shaped(summed, [to, 9, from]))
  }
  const asOne = shaped(op('Transpose', [input], { perm: ints([0, 2, 3, 1]) }), [1, -1, size, size * from])
  const asFilter = op('Transpose', [atConv], { perm: ints([1, 0, 2, 3]) })
  const result = op('Conv', [asOne, asFilter], {
    kernel_shape: ints([size, size]),
    pads: ints([1, from, 1, from]),
    dilations: ints([1, from]),
  })
  return taps(shaped(result, [to, 9, from]))
}

/** A convolution with the weights turned by half a turn and their channels exchanged. */
export function inputGradient(g: GraphBuilder, { weight }: Convolution, atConv: string): string {
  const exchanged = g.node('Transpose', [weight], { perm: ints([1, 0, 2, 3]) })
  const turned = g.node('Slice', [
    exchanged,
    g.constant('starts', int64s([-1, -1])),
    g.constant('ends', int64s([-100, -100])),
    g.constant('axes', int64s([2, 3])),
    g.constant('steps', int64s([-1, -1])),
  ])
  return g.node('Conv', [atConv, turned], { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) })
}
