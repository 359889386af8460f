import { elementCount } from '../../../graph/tensor.ts'
import { intAttribute, intsAttribute, stringAttribute } from '../../../graph/types.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { real } from '../value.ts'
import { geometryOf, pairsOf } from '../windows.ts'
import type { Geometry } from '../windows.ts'

/** Sizes of a convolution: group `g` joins its share of the channels with its share of the filters. */
interface Sizes {
  batch: number
  groups: number
  /** Channels and filters of one group. */
  channels: number
  filters: number
  /** Pixels of one map before and after, taps of one filter. */
  from: number
  to: number
  taps: number
}

function sizesOf(
  call: Call,
  xShape: readonly number[],
  wShape: readonly number[],
  geometry: Geometry,
): Sizes {
  const groups = intAttribute(call.node, 'group', 1)
  const [batch, channels] = [xShape[0]!, xShape[1]!]
  const [filters, perGroup] = [wShape[0]!, wShape[1]!]
  if (channels !== perGroup * groups || filters % groups !== 0)
    call.fail(`${filters} filters of ${perGroup} channels in ${groups} groups meet ${channels} channels`)
  return {
    batch,
    groups,
    channels: perGroup,
    filters: filters / groups,
    from: elementCount(geometry.input),
    to: elementCount(geometry.output),
    taps: elementCount(geometry.kernel),
  }
}

/**
 * The three sums of a convolution run over the same pairs of pixel and tap; each says with `visit` what it does where
 * filter `o`, channel `c` and picture `n` meet: offsets of the map read, the map written and the filter's channel.
 */
function eachMeeting(
  { batch, groups, channels, filters, from, to, taps }: Sizes,
  visit: (x: number, y: number, w: number) => void,
): void {
  for (let n = 0; n < batch; n++)
    for (let g = 0; g < groups; g++)
      for (let f = 0; f < filters; f++)
        for (let c = 0; c < channels; c++) {
          const filter = g * filters + f
          visit(
            ((n * groups + g) * channels + c) * from,
            (n * groups * filters + filter) * to,
            (filter * channels + c) * taps,
          )
        }
}

/** y[n, o, p] = b[o] + Σ over c, k of w[o, c, k] · x[n, c, p · stride + k · dilation − padding]. */
const conv: Kernel = (call) => {
  const [x, w, bias] = [call.real(0), call.real(1), call.optionalReal(2)]
  const geometry = geometryOf(call.node, x.shape.slice(2), w.shape.slice(2))
  const sizes = sizesOf(call, x.shape, w.shape, geometry)
  const { first, pixel, tap } = pairsOf(geometry)
  const filters = sizes.groups * sizes.filters
  const y = new Float64Array(sizes.batch * filters * sizes.to)
  if (bias !== undefined)
    for (let i = 0; i < y.length; i++) y[i] = bias.data[Math.floor(i / sizes.to) % filters]!
  eachMeeting(sizes, (xAt, yAt, wAt) => {
    for (let p = 0; p < sizes.to; p++) {
      let sum = 0
      for (let i = first[p]!; i < first[p + 1]!; i++) sum += x.data[xAt + pixel[i]!]! * w.data[wAt + tap[i]!]!
      y[yAt + p]! += sum
    }
  })
  return [real([sizes.batch, filters, ...geometry.output], y)]
}

/** What a change of each pixel does to the sum of dy · y: every y that a pixel went into hands its share back. */
function towardsInput(sizes: Sizes, geometry: Geometry, dy: Float64Array, w: Float64Array): Float64Array {
  const { first, pixel, tap } = pairsOf(geometry)
  const dx = new Float64Array(sizes.batch * sizes.groups * sizes.channels * sizes.from)
  eachMeeting(sizes, (xAt, yAt, wAt) => {
    for (let p = 0; p < sizes.to; p++)
      for (let i = first[p]!; i < first[p + 1]!; i++) dx[xAt + pixel[i]!]! += dy[yAt + p]! * w[wAt + tap[i]!]!
  })
  return dx
}

/** dy, w → dx. */
const convInputGradient: Kernel = (call) => {
  const [dy, w] = [call.real(0), call.real(1)]
  const shape = intsAttribute(call.node, 'input_shape') ?? call.fail('it lacks input_shape')
  const geometry = geometryOf(call.node, shape.slice(2), w.shape.slice(2))
  const sizes = sizesOf(call, shape, w.shape, geometry)
  return [real(shape, towardsInput(sizes, geometry, dy.data, w.data))]
}

/** x, dy → dw. */
const convWeightGradient: Kernel = (call) => {
  const [x, dy] = [call.real(0), call.real(1)]
  const shape = intsAttribute(call.node, 'weight_shape') ?? call.fail('it lacks weight_shape')
  const geometry = geometryOf(call.node, x.shape.slice(2), shape.slice(2))
  const sizes = sizesOf(call, x.shape, shape, geometry)
  const { first, pixel, tap } = pairsOf(geometry)
  const dw = new Float64Array(elementCount(shape))
  eachMeeting(sizes, (xAt, yAt, wAt) => {
    for (let p = 0; p < sizes.to; p++)
      for (let i = first[p]!; i < first[p + 1]!; i++)
        dw[wAt + tap[i]!]! += x.data[xAt + pixel[i]!]! * dy.data[yAt + p]!
  })
  return [real(shape, dw)]
}

/**
 * A convolution run backwards (Dumoulin & Visin, "A guide to convolution arithmetic for deep learning", chapter 4): its
 * output is the input gradient of the convolution that has its weights and leads to its input's size.
 */
const convTranspose: Kernel = (call) => {
  const [x, w, bias] = [call.real(0), call.real(1), call.optionalReal(2)]
  const geometry = transposedGeometry(call, x.shape.slice(2), w.shape.slice(2))
  const channels = w.shape[1]! * intAttribute(call.node, 'group', 1)
  const shape = [x.shape[0]!, channels, ...geometry.input]
  const sizes = sizesOf(call, shape, w.shape, geometry)
  const y = towardsInput(sizes, geometry, x.data, w.data)
  if (bias !== undefined)
    for (let i = 0; i < y.length; i++) y[i]! += bias.data[Math.floor(i / sizes.from) % channels]!
  return [real(shape, y)]
}

/** onnx.ai/onnx/operators/onnx__ConvTranspose.html: here `output` is what goes in and `input` what comes out. */
function transposedGeometry({ node }: Call, output: readonly number[], kernel: readonly number[]): Geometry {
  const ones = kernel.map(() => 1)
  const zeros = kernel.map(() => 0)
  const strides = intsAttribute(node, 'strides') ?? ones
  const dilations = intsAttribute(node, 'dilations') ?? ones
  const extra = intsAttribute(node, 'output_padding') ?? zeros
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET')
  const pads = (auto === 'NOTSET' ? intsAttribute(node, 'pads') : undefined) ?? [...zeros, ...zeros]
  const asked =
    intsAttribute(node, 'output_shape')?.slice(-kernel.length) ??
    (auto.startsWith('SAME') ? output.map((size, axis) => size * strides[axis]!) : undefined)
  const unpadded = output.map(
    (size, axis) => strides[axis]! * (size - 1) + extra[axis]! + (kernel[axis]! - 1) * dilations[axis]! + 1,
  )
  if (asked === undefined) {
    const [begin, end] = [pads.slice(0, kernel.length), pads.slice(kernel.length)]
    const input = unpadded.map((size, axis) => size - begin[axis]! - end[axis]!)
    return { input, kernel, output, strides, dilations, begin, end }
  }
  const totals = unpadded.map((size, axis) => Math.max(0, size - asked[axis]!))
  const begin = totals.map((total) => (auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2)))
  const end = totals.map((total, axis) => total - begin[axis]!)
  return { input: asked, kernel, output, strides, dilations, begin, end }
}

export const convolutionKernels: KernelTable = { Conv: conv, ConvTranspose: convTranspose }

export const convolutionGradients = {
  ConvInputGradient: convInputGradient,
  ConvWeightGradient: convWeightGradient,
}
