import type { GraphBuilder } from '../graph/builder.ts'
import { int64s, tensor } from '../graph/tensor.ts'
import { int, ints, string } from '../graph/types.ts'
import type { Attributes, Tensor } from '../graph/types.ts'

/** Numbers that ONNX gives its data types. */
const onnxType = { uint8: 2, int64: 7, float64: 11, uint32: 12 } as const

/** Weights are rounded to this many bits, as in Pillow. */
const precisionBits = 22

/**
 * Columns are resized in this many blocks: a block of outputs needs only its own part of the row, which saves most of
 * the multiplications with zero.
 */
const blocks = 4

/**
 * Pillow's antialiased bilinear resize, bit for bit, in operators of ONNX (the arithmetic of
 * shared/domain/preprocessing/resample.ts). ONNX's own Resize was written after the same filter, but runtimes make its
 * weights in 32 bits: some values then come out one grey level away, enough to turn a close answer.
 *
 * The weights of each axis are made in 64 bits from the picture's size, rounded to 22 bits, and cut into three bytes:
 * then each pass is three exact products of 8-bit matrices, put together, rounded and clipped. Horizontal pass first.
 *
 * @param image uint8 [height, width, 3], of any size
 * @returns uint8 [3, size.height, size.width]
 */
export function pillowResize(
  builder: GraphBuilder,
  image: string,
  size: { width: number; height: number },
): string {
  const ops = new Ops(builder)
  const across = axisWeights(ops, image, 1, size.width, 'resize/across')
  const down = axisWeights(ops, image, 0, size.height, 'resize/down')
  const planes = ops.node('Transpose', [image], { perm: ints([2, 0, 1]) }, 'resize/planes')
  const narrow = resizeRows(ops, planes, across, size.width)
  return round(
    ops,
    down.bytes.map((part) => ops.node('MatMulInteger', [part, narrow], {}, 'resize/down/product')),
  )
}

/** Short names for what is used over and over. */
class Ops {
  private readonly constants = new Map<string, string>()
  private readonly builder: GraphBuilder

  constructor(builder: GraphBuilder) {
    this.builder = builder
  }

  node(op: string, inputs: readonly string[], attributes: Attributes, name: string): string {
    return this.builder.node(op, inputs, attributes, name)
  }

  /** A constant, written down once. */
  constant(key: string, make: () => Tensor): string {
    const name = this.constants.get(key) ?? this.builder.constant(`resize/${key}`, make())
    this.constants.set(key, name)
    return name
  }

  real(value: number): string {
    return this.constant(`real_${value}`, () => tensor('float64', [], Float64Array.of(value)))
  }

  natural(value: number): string {
    return this.constant(`natural_${value}`, () => tensor('uint32', [], Uint32Array.of(value)))
  }

  integer(value: number): string {
    return this.constant(`integer_${value}`, () => tensor('int32', [], Int32Array.of(value)))
  }

  list(...values: number[]): string {
    return this.constant(`list_${values.join('_')}`, () => int64s(values))
  }
}

interface AxisWeights {
  /** uint8 [out, in] each: the highest, middle and lowest byte of the weights. */
  bytes: string[]
  /** float64 [out, 1]: first input sample of each output, and the first one after. */
  from: string
  to: string
}

/** Weights of one axis for whatever size the picture has; see `computeResampleTable`. */
function axisWeights(ops: Ops, image: string, axis: number, out: number, label: string): AxisWeights {
  const node = (op: string, inputs: string[], name: string, attributes: Attributes = {}): string =>
    ops.node(op, inputs, attributes, `${label}/${name}`)
  const [zero, half, one] = [ops.real(0), ops.real(0.5), ops.real(1)]
  const shape = node('Shape', [image], 'shape', { start: int(axis), end: int(axis + 1) })
  const size = node('Cast', [node('Squeeze', [shape], 'length')], 'size', { to: int(onnxType.float64) })
  const scale = node('Div', [size, ops.real(out)], 'scale')
  const support = node('Max', [scale, one], 'support')
  const inverse = node('Div', [one, support], 'inverse')
  const steps = ops.constant(`steps_${out}`, () =>
    tensor(
      'float64',
      [out, 1],
      Float64Array.from({ length: out }, (_, index) => index + 0.5),
    ),
  )
  const centre = node('Mul', [steps, scale], 'centre')
  // Both are rounded towards zero where they may be negative, which the bounds at 0 make the same as down.
  const low = node('Floor', [node('Add', [node('Sub', [centre, support], 'left'), half], 'left_half')], 'low')
  const high = node(
    'Floor',
    [node('Add', [node('Add', [centre, support], 'right'), half], 'right_half')],
    'high',
  )
  const from = node('Max', [zero, low], 'from')
  const to = node('Min', [size, high], 'to')
  const samples = node('Range', [zero, size, one], 'samples')
  const offset = node('Add', [node('Sub', [samples, centre], 'offset'), half], 'offset_half')
  const distance = node('Abs', [node('Mul', [offset, inverse], 'scaled')], 'distance')
  const triangle = node('Max', [zero, node('Sub', [one, distance], 'slope')], 'triangle')
  const after = node('GreaterOrEqual', [samples, from], 'after')
  const before = node('Less', [samples, to], 'before')
  const weight = node('Where', [node('And', [after, before], 'inside'), triangle, zero], 'weight')
  const sum = node('ReduceSum', [weight, ops.list(1)], 'sum', { keepdims: int(1) })
  const whole = node('Mul', [node('Div', [weight, sum], 'share'), ops.real(2 ** precisionBits)], 'whole')
  const fixed = node('Cast', [node('Add', [whole, half], 'rounded')], 'fixed', { to: int(onnxType.uint32) })
  const byte = (shift: number): string => {
    const shifted =
      shift === 0
        ? fixed
        : node('BitShift', [fixed, ops.natural(shift)], `shifted_${shift}`, { direction: string('RIGHT') })
    const masked = node('BitwiseAnd', [shifted, ops.natural(255)], `masked_${shift}`)
    return node('Cast', [masked], `byte_${shift}`, { to: int(onnxType.uint8) })
  }
  return { bytes: [byte(16), byte(8), byte(0)], from, to }
}

/** uint8 [3, height, width] → uint8 [3, height, out] */
function resizeRows(ops: Ops, planes: string, weights: AxisWeights, out: number): string {
  const count = out >= blocks * 8 ? blocks : 1
  const label = 'resize/across'
  const at = (values: string, index: number, name: string): string => {
    const picked = ops.node('Gather', [values, ops.list(index)], { axis: int(0) }, `${label}/${name}`)
    const flat = ops.node('Reshape', [picked, ops.list(1)], {}, `${label}/${name}_flat`)
    return ops.node('Cast', [flat], { to: int(onnxType.int64) }, `${label}/${name}_index`)
  }
  const parts = Array.from({ length: count }, (_, block) => {
    const first = Math.floor((block * out) / count)
    const last = Math.floor(((block + 1) * out) / count)
    const start = at(weights.from, first, `start_${block}`)
    const end = at(weights.to, last - 1, `end_${block}`)
    const columns = ops.node('Slice', [planes, start, end, ops.list(2)], {}, `${label}/columns_${block}`)
    const products = weights.bytes.map((byte) => {
      const rows = [byte, ops.list(first), ops.list(last), ops.list(0)]
      const own = ops.node('Slice', rows, {}, `${label}/rows_${block}`)
      const needed = ops.node('Slice', [own, start, end, ops.list(1)], {}, `${label}/needed_${block}`)
      const turned = ops.node('Transpose', [needed], { perm: ints([1, 0]) }, `${label}/turned_${block}`)
      return ops.node('MatMulInteger', [columns, turned], {}, `${label}/product_${block}`)
    })
    return round(ops, products)
  })
  return parts.length === 1 ? parts[0]! : ops.node('Concat', parts, { axis: int(2) }, `${label}/joined`)
}

/** (high · 2¹⁶ + middle · 2⁸ + low + ½) without its 22 binary places, at most 255. */
function round(ops: Ops, products: readonly string[]): string {
  const label = 'resize/round'
  const [high = '', middle = '', low = ''] = products
  const top = ops.node('Mul', [high, ops.integer(65_536)], {}, `${label}/high`)
  const centre = ops.node('Mul', [middle, ops.integer(256)], {}, `${label}/middle`)
  const upper = ops.node('Add', [top, centre], {}, `${label}/upper`)
  const lower = ops.node('Add', [low, ops.integer(1 << (precisionBits - 1))], {}, `${label}/lower`)
  const sum = ops.node('Add', [upper, lower], {}, `${label}/sum`)
  // Never negative, and shifts exist for unsigned numbers only.
  const unsigned = ops.node('Cast', [sum], { to: int(onnxType.uint32) }, `${label}/unsigned`)
  const shift = [unsigned, ops.natural(precisionBits)]
  const whole = ops.node('BitShift', shift, { direction: string('RIGHT') }, `${label}/whole`)
  const clipped = ops.node('Min', [whole, ops.natural(255)], {}, `${label}/clipped`)
  return ops.node('Cast', [clipped], { to: int(onnxType.uint8) }, `${label}/byte`)
}
