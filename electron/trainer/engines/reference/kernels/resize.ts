import { elementCount } from '../../../graph/tensor.ts'
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from '../../../graph/types.ts'
import { axisOf, places } from '../indexing.ts'
import type { Call, Kernel, KernelTable } from '../kernel.ts'
import { fromNumbers, integersOf, numbersOf } from '../value.ts'

/** One axis of a resize: from `length` entries to `out`; `scale` as given, which `out / length` may miss by rounding. */
interface Axis {
  length: number
  out: number
  scale: number
  /** Of `tf_crop_and_resize`: the part that is kept, from 0 to 1. */
  roi: readonly [number, number]
}

/** What one place of the output is made of: entries of the input and their weights; null outside of the picture. */
type Mixture = { entry: number; weight: number }[] | null

/** Where each place lies on the input (onnx.ai/onnx/operators/onnx__Resize.html, coordinate_transformation_mode). */
const coordinates: Readonly<Record<string, (place: number, axis: Axis) => number>> = {
  half_pixel: (place, { scale }) => (place + 0.5) / scale - 0.5,
  half_pixel_symmetric: (place, { length, out, scale }) => {
    const adjustment = out / (scale * length)
    return (length / 2) * (1 - adjustment) + (place + 0.5) / scale - 0.5
  },
  pytorch_half_pixel: (place, { out, scale }) => (out > 1 ? (place + 0.5) / scale - 0.5 : 0),
  align_corners: (place, { length, out }) => (out > 1 ? (place * (length - 1)) / (out - 1) : 0),
  asymmetric: (place, { scale }) => place / scale,
  // Of sets 11 and 12 only.
  tf_half_pixel_for_nn: (place, { scale }) => (place + 0.5) / scale,
  tf_crop_and_resize: (place, { length, out, roi: [from, to] }) =>
    out > 1
      ? from * (length - 1) + (place * (to - from) * (length - 1)) / (out - 1)
      : 0.5 * (from + to) * (length - 1),
}

/** The page names its modes by how a coordinate in the middle of two entries is rounded. */
const nearest: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
}

const triangle = (distance: number): number => Math.max(0, 1 - Math.abs(distance))

/** Keys, "Cubic convolution interpolation for digital image processing", 1981, equation 4. */
const cubic =
  (a: number) =>
  (distance: number): number => {
    const x = Math.abs(distance)
    if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1
    return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0
  }

/**
 * A filter of a radius around a coordinate. Entries beyond the border count as the one at the border, or not at all
 * with `exclude_outside`; `stretch` below 1 widens the filter (antialiasing).
 */
function filtered(
  x: number,
  length: number,
  {
    filter,
    radius,
    stretch,
    exclude,
  }: {
    filter: (distance: number) => number
    radius: number
    stretch: number
    exclude: boolean
  },
): Mixture {
  const taps: { entry: number; weight: number }[] = []
  for (let entry = Math.ceil(x - radius / stretch); entry <= Math.floor(x + radius / stretch); entry++) {
    const outside = entry < 0 || entry >= length
    if (outside && exclude) continue
    taps.push({
      entry: Math.min(Math.max(entry, 0), length - 1),
      weight: filter((entry - x) * stretch),
    })
  }
  const total = taps.reduce((sum, { weight }) => sum + weight, 0)
  return taps.map(({ entry, weight }) => ({ entry, weight: weight / total }))
}

/** The mixture of each place of the output along an axis. */
function mixturesOf(call: Call, axis: Axis): Mixture[] {
  const transformation = stringAttribute(call.node, 'coordinate_transformation_mode', 'half_pixel')
  const coordinate = coordinates[transformation] ?? call.lacks(`the coordinates "${transformation}"`)
  const mode = stringAttribute(call.node, 'mode', 'nearest')
  const antialias = intAttribute(call.node, 'antialias', 0) === 1
  const exclude = intAttribute(call.node, 'exclude_outside', 0) === 1
  const stretch = antialias ? Math.min(1, axis.scale) : 1
  const rounding = stringAttribute(call.node, 'nearest_mode', 'round_prefer_floor')
  const round = nearest[rounding] ?? call.lacks(`the rounding "${rounding}"`)
  return Array.from({ length: axis.out }, (_, place) => {
    const x = coordinate(place, axis)
    if (transformation === 'tf_crop_and_resize' && (x < 0 || x > axis.length - 1)) return null
    switch (mode) {
      case 'nearest':
        return [{ entry: Math.min(Math.max(round(x), 0), axis.length - 1), weight: 1 }]
      case 'linear':
        return filtered(x, axis.length, { filter: triangle, radius: 1, stretch, exclude })
      case 'cubic': {
        const filter = cubic(floatAttribute(call.node, 'cubic_coeff_a', -0.75))
        return filtered(x, axis.length, { filter, radius: 2, stretch, exclude })
      }
      default:
        return call.lacks(`the mode "${mode}"`)
    }
  })
}

/** Sizes and scales of all axes, from whichever of the two is given for the axes that are resized. */
function axesOf(call: Call, shape: readonly number[]): Axis[] {
  const given = (index: number): number[] | undefined => {
    const value = call.optional(index)
    return value === undefined || value.data.length === 0 ? undefined : integersOf(value)
  }
  const axes =
    intsAttribute(call.node, 'axes')?.map((axis) => axisOf(axis, shape.length)) ??
    shape.map((_, axis) => axis)
  const roi = given(1)
  const scales = given(2)
  const sizes = given(3)
  const result = shape.map((length): Axis => ({ length, out: length, scale: 1, roi: [0, 1] }))
  const policy = stringAttribute(call.node, 'keep_aspect_ratio_policy', 'stretch')
  const ratios = sizes?.map((size, i) => size / shape[axes[i]!]!) ?? []
  const common =
    policy === 'stretch' ? undefined : policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios)
  axes.forEach((axis, i) => {
    const length = shape[axis]!
    const part: readonly [number, number] = roi === undefined ? [0, 1] : [roi[i]!, roi[i + axes.length]!]
    if (scales !== undefined) {
      const scale = scales[i]!
      const kept = call.node.attributes['coordinate_transformation_mode']
      const crop = kept?.kind === 'string' && kept.value === 'tf_crop_and_resize' ? part[1] - part[0] : 1
      result[axis] = { length, out: Math.floor(length * crop * scale), scale, roi: part }
    } else if (sizes !== undefined) {
      const out = common === undefined ? sizes[i]! : Math.floor(common * length + 0.5)
      result[axis] = { length, out, scale: common ?? out / length, roi: part }
    } else call.fail('neither scales nor sizes are given')
  })
  return result
}

/** One axis after the other: the weights of several axes multiply. */
const resize: Kernel = (call) => {
  const x = call.input(0)
  const axes = axesOf(call, x.shape)
  const mixtures = axes.map((axis) => mixturesOf(call, axis))
  let shape = x.shape
  let values: ArrayLike<number> = numbersOf(x)
  mixtures.forEach((along, axis) => {
    const { length, out, scale, roi } = axes[axis]!
    // An axis that is not resized stays as it is, whatever the coordinates say.
    if (scale === 1 && out === length && roi[0] === 0 && roi[1] === 1) return
    const inner = elementCount(shape.slice(axis + 1))
    const outer = elementCount(shape.slice(0, axis))
    const next = new Float64Array(outer * along.length * inner)
    for (let at = 0; at < next.length; at++) {
      const row = Math.floor(at / (along.length * inner)) * length
      for (const { entry, weight } of along[Math.floor(at / inner) % along.length] ?? [])
        next[at]! += weight * values[(row + entry) * inner + (at % inner)]!
    }
    shape = shape.with(axis, along.length)
    values = next
  })
  const result = Float64Array.from(values)
  const outside = floatAttribute(call.node, 'extrapolation_value', 0)
  if (mixtures.some((along) => along.includes(null)))
    places(shape).forEach((place, at) => {
      if (place.some((each, axis) => mixtures[axis]![each] === null)) result[at] = outside
    })
  return [fromNumbers(x.type, shape, result)]
}

export const resizeKernels: KernelTable = { Resize: resize }
