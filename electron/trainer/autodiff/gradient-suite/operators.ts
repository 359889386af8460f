import { int64s, tensor } from '../../graph/tensor.ts'
import { int, ints, string } from '../../graph/types.ts'
import type { Attributes } from '../../graph/types.ts'
import { between, normal, type Draw, type Sketch } from './sketch.ts'
import type { CaseTable, Drawing } from './types.ts'

const positive = between(0.5, 3)

const unary =
  (op: string, draw: Draw = normal): Drawing =>
  (s) =>
    s.op(op, [s.value('x', [3, 5], draw)])

/** Both ways of broadcasting, and none. */
const binary = (op: string, draw: Draw = normal): Record<string, Drawing> => ({
  [op]: (s) => s.op(op, [s.value('a', [2, 3, 4], draw), s.value('b', [2, 3, 4], draw)]),
  [`${op}, right side repeated`]: (s) =>
    s.op(op, [s.value('a', [2, 3, 4], draw), s.value('b', [3, 1], draw)]),
  [`${op}, left side repeated`]: (s) => s.op(op, [s.value('a', [4], draw), s.value('b', [2, 3, 4], draw)]),
  [`${op}, both sides repeated`]: (s) =>
    s.op(op, [s.value('a', [3, 1], draw), s.value('b', [2, 1, 4], draw)]),
})

const variadic = (op: string): Record<string, Drawing> => ({
  [`${op} of three`]: (s) => s.op(op, [s.value('a', [2, 3]), s.value('b', [3]), s.value('c', [2, 1])]),
  [`${op} of one`]: (s) => s.op(op, [s.value('a', [2, 3])]),
})

const matMul = (a: readonly number[], b: readonly number[]): Record<string, Drawing> => ({
  [`MatMul [${a.join(', ')}] × [${b.join(', ')}]`]: (s) => s.op('MatMul', [s.value('a', a), s.value('b', b)]),
})

const reduction = (op: string, draw: Draw = normal): Record<string, Drawing> => {
  const reduced =
    (axes: readonly number[] | null, attributes: Attributes): Drawing =>
    (s) => {
      const x = s.value('x', [2, 3, 4], draw)
      return s.op(op, axes === null ? [x] : [x, s.list(...axes)], attributes)
    }
  return {
    [`${op} of everything`]: reduced(null, {}),
    [`${op} over two axes, kept`]: reduced([0, -1], { keepdims: int(1) }),
    [`${op} over one axis, left out`]: reduced([1], { keepdims: int(0) }),
    [`${op} over no axis`]: reduced([], { noop_with_empty_axes: int(1) }),
  }
}

const bools = (s: Sketch, shape: readonly number[], bits: readonly number[]): string =>
  s.given('condition', tensor('bool', shape, Uint8Array.from(bits)))

const elementwise: CaseTable = {
  ...binary('Add'),
  ...binary('Sub'),
  ...binary('Mul'),
  ...binary('Div', positive),
  ...binary('Pow', positive),
  ...binary('Max'),
  ...binary('Min'),
  ...variadic('Sum'),
  ...variadic('Mean'),
  ...variadic('Max'),
  'Pow with the exponents of networks': (s) => {
    const x = s.value('x', [3, 4], positive)
    const powers = [2, 3, 0.5, -1, 1].map((power) => s.op('Pow', [x, s.constant([], [power])]))
    return s.op('Concat', powers, { axis: int(0) })
  },
  'Pow with whole exponents': (s) =>
    s.op('Pow', [s.value('x', [2, 3], positive), indices(s, [3], [1, 2, -3])]),
  'Squares of negative numbers': (s) => s.op('Pow', [s.value('x', [3, 4]), s.constant([], [2])]),
  'Max of ties': (s) => s.op('Max', [s.value('a', [4], [1, 2, 3, 0]), s.value('b', [4], [1, 2, 1, 4])]),
  'Max of a value with itself': (s) => {
    const x = s.value('x', [4])
    return s.op('Max', [x, x])
  },
  Where: (s) =>
    s.op('Where', [bools(s, [2, 3], [1, 0, 1, 0, 0, 1]), s.value('a', [2, 3]), s.value('b', [2, 3])]),
  'Where, repeated': (s) =>
    s.op('Where', [bools(s, [2, 1], [1, 0]), s.value('a', [3]), s.value('b', [2, 1])]),
  ...Object.fromEntries(
    ['Neg', 'Exp', 'Abs', 'Sin', 'Cos', 'Atan', 'Sinh', 'Cosh', 'Asinh', 'Identity'].map((op) => [
      op,
      unary(op),
    ]),
  ),
  ...Object.fromEntries(['Log', 'Sqrt', 'Reciprocal'].map((op) => [op, unary(op, positive)])),
  ...Object.fromEntries(['Asin', 'Acos', 'Atanh', 'Tan'].map((op) => [op, unary(op, between(-0.8, 0.8))])),
  Acosh: unary('Acosh', between(1.2, 4)),
  'Absolute values of zeros': (s) => s.op('Abs', [s.value('x', [3], [0, -1, 2])]),
  'Cast between real types': (s) => {
    const doubled = s.op('Cast', [s.value('x', [2, 3])], { to: int(11) })
    return s.op('Tanh', [s.op('Cast', [doubled], { to: int(1) })])
  },
  'Steps, which stop gradients': (s) => {
    const x = s.value('x', [2, 3])
    const steps = ['Sign', 'Floor', 'Ceil', 'Round'].map((op) => s.op(op, [x]))
    return s.op('Add', [s.op('Sum', steps), x])
  },
  'A value that is read three times': (s) => {
    const x = s.value('x', [3, 4])
    return s.op('Mul', [s.op('Mul', [x, x]), s.op('Tanh', [x])])
  },
  'A value that is not on the way': (s) => {
    const [x, other] = [s.value('x', [3]), s.value('other', [3])]
    s.op('Exp', [other])
    return s.op('Tanh', [x])
  },
  'A shape that is computed from the value': (s) => {
    const x = s.value('x', [2, 3, 4])
    const batch = s.op('Slice', [s.op('Shape', [x]), s.list(0), s.list(1)])
    return s.op('Reshape', [x, s.op('Concat', [batch, s.list(-1)], { axis: int(0) })])
  },
}

const matrices: CaseTable = {
  ...matMul([3, 4], [4, 2]),
  ...matMul([2, 3, 4], [4, 2]),
  ...matMul([2, 3, 4], [2, 4, 2]),
  ...matMul([3, 4], [2, 4, 2]),
  ...matMul([2, 1, 3, 4], [5, 4, 2]),
  ...matMul([1, 3, 4], [2, 4, 2]),
  ...matMul([4], [4, 3]),
  ...matMul([3, 4], [4]),
  ...matMul([4], [4]),
  ...matMul([2, 3, 4], [4]),
  ...matMul([4], [2, 4, 3]),
}

const reductions: CaseTable = {
  ...reduction('ReduceSum'),
  ...reduction('ReduceMean'),
  ...reduction('ReduceMax'),
  ...reduction('ReduceMin'),
  ...reduction('ReduceL1'),
  ...reduction('ReduceL2'),
  ...reduction('ReduceSumSquare'),
  ...reduction('ReduceLogSum', positive),
  ...reduction('ReduceLogSumExp'),
  ...reduction('ReduceProd'),
  'ReduceProd of zeros': (s) =>
    s.op('ReduceProd', [s.value('x', [3, 3], [2, 0, 3, 0, 4, 0, 1, 5, 2]), s.list(1)]),
  'ReduceMax of ties': (s) => s.op('ReduceMax', [s.value('x', [2, 3], [1, 4, 4, 2, 2, 2]), s.list(1)]),
  'A mean that is spread out again': (s) => {
    const x = s.value('x', [2, 3, 2, 2])
    const mean = s.op('ReduceMean', [x, s.list(2, 3)])
    return s.op('Tanh', [s.op('Add', [s.op('Sub', [x, mean]), mean])])
  },
  CumSum: (s) => s.op('CumSum', [s.value('x', [2, 4]), s.builder.constant('axis', int64s([1]))]),
  'CumSum, from the end, without itself': (s) =>
    s.op('CumSum', [s.value('x', [2, 4]), s.builder.constant('axis', int64s([0]))], {
      reverse: int(1),
      exclusive: int(1),
    }),
}

const indices = (s: Sketch, shape: readonly number[], values: readonly number[]): string =>
  s.given('indices', tensor('int64', shape, BigInt64Array.from(values, BigInt)))

const slice = (s: Sketch, shape: readonly number[], ...lists: number[][]): string =>
  s.op('Slice', [s.value('x', shape), ...lists.map((list) => s.list(...list))])

const pad =
  (mode: string, pads: number[], ...rest: ((s: Sketch) => string)[]): Drawing =>
  (s) =>
    s.op('Pad', [s.value('x', [2, 3, 4]), s.list(...pads), ...rest.map((draw) => draw(s))], {
      mode: string(mode),
    })

const resize =
  (attributes: Attributes, factors: readonly number[] = [1, 1, 2, 3]): Drawing =>
  (s) =>
    s.op('Resize', [s.value('x', [1, 2, 2, 3]), '', s.constant([4], factors)], attributes)

const layouts: CaseTable = {
  Reshape: (s) => s.reshape(s.value('x', [2, 3, 4]), 4, -1),
  Transpose: (s) => s.transpose(s.value('x', [2, 3, 4]), 2, 0, 1),
  'Transpose, turned round': (s) => s.op('Transpose', [s.value('x', [2, 3, 4])]),
  Concat: (s) =>
    s.op('Concat', [s.value('a', [2, 1, 3]), s.value('b', [2, 2, 3]), s.value('c', [2, 4, 3])], {
      axis: int(-2),
    }),
  'Concat of a value with itself': (s) => {
    const x = s.value('x', [2, 2])
    return s.op('Concat', [x, s.op('Tanh', [x]), x], { axis: int(0) })
  },
  'Split, of which one part is read': (s) =>
    s.ops('Split', [s.value('x', [2, 6]), s.list(1, 3, 2)], 3, { axis: int(1) })[1]!,
  'Split into equal parts': (s) => {
    const [a, b] = s.ops('Split', [s.value('x', [2, 5])], 2, { axis: int(-1), num_outputs: int(2) })
    return s.op('Mul', [s.op('ReduceSum', [a!]), s.op('Exp', [b!])])
  },
  Slice: (s) => slice(s, [4, 5], [1, -4], [3, 100], [0, 1]),
  'Slice with steps': (s) => slice(s, [7, 6], [1, 0], [7, 5], [0, 1], [3, 2]),
  'Slice backwards': (s) => slice(s, [5, 6], [-1, 4], [-100, 0], [0, -1], [-2, -3]),
  'Slice of one row': (s) => slice(s, [4, 3], [2], [3], [0], [2]),
  'Pad with zeros': pad('constant', [0, 1, 2, 0, 0, 1]),
  'Pad with a number that learns': pad('constant', [0, 1, 2, 0, 0, 1], (s) => s.value('filler', [])),
  'Pad, cutting off': pad('constant', [0, -1, 2, 0, 1, -1]),
  'Pad, axes named': (s) =>
    s.op('Pad', [s.value('x', [2, 3, 4]), s.list(1, 2), '', s.list(-1)], { mode: string('constant') }),
  'Pad, mirrored': pad('reflect', [0, 2, 1, 0, 1, 3]),
  'Pad, outermost row repeated': pad('edge', [0, 2, 1, 1, 0, 5]),
  'Pad, other end': { opset: 19, draw: pad('wrap', [0, 1, 3, 1, 2, 0]) },
  Squeeze: (s) => s.op('Squeeze', [s.value('x', [2, 1, 3, 1]), s.list(1, -1)]),
  Unsqueeze: (s) => s.op('Unsqueeze', [s.value('x', [2, 3]), s.list(0, -1)]),
  'Flatten in the middle': (s) => s.op('Flatten', [s.value('x', [2, 3, 4])], { axis: int(2) }),
  Expand: (s) => s.op('Expand', [s.value('x', [3, 1]), s.list(2, 1, 4)]),
  Tile: (s) => s.op('Tile', [s.value('x', [2, 3]), s.list(3, 2)]),
  'Gather, rows read twice': (s) =>
    s.op('Gather', [s.value('x', [4, 3]), indices(s, [2, 3], [0, 2, 2, -1, 0, 2])], { axis: int(0) }),
  'Gather in the middle': (s) =>
    s.op('Gather', [s.value('x', [2, 4, 3]), indices(s, [2], [3, 1])], { axis: int(1) }),
  'Gather of one row that is known': (s) => {
    const at = s.builder.constant('at', tensor('int64', [1], BigInt64Array.of(-2n)))
    return s.op('Gather', [s.value('x', [2, 4, 3]), at], { axis: int(1) })
  },
  Trilu: (s) => s.op('Trilu', [s.value('x', [2, 3, 4])], { upper: int(0) }),
  'Depth to space': (s) => s.op('DepthToSpace', [s.value('x', [2, 8, 2, 3])], { blocksize: int(2) }),
  'Depth to space, channel by channel': (s) =>
    s.op('DepthToSpace', [s.value('x', [2, 8, 2, 3])], { blocksize: int(2), mode: string('CRD') }),
  'Space to depth': (s) => s.op('SpaceToDepth', [s.value('x', [2, 2, 4, 6])], { blocksize: int(2) }),
  'Resize by whole factors': resize({
    mode: string('nearest'),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  }),
  'Resize by whole factors, about centres': resize({ mode: string('nearest') }, [1, 1, 3, 2]),
  'Order of channels swapped': (s) => {
    // Channel shuffle of ShuffleNet (Zhang et al. 2018).
    const grouped = s.reshape(s.value('x', [2, 6, 2, 2]), 2, 2, 3, 2, 2)
    return s.reshape(s.op('Transpose', [grouped], { perm: ints([0, 2, 1, 3, 4]) }), 2, 6, 2, 2)
  },
}

export const operatorCases: CaseTable = { ...elementwise, ...matrices, ...reductions, ...layouts }
