import { elementCount } from '../../graph/tensor.ts'
import { intsAttribute, stringAttribute } from '../../graph/types.ts'
import type { Node } from '../../graph/types.ts'
import { places, stridesOf } from './indexing.ts'

/** A window sliding over the spatial axes, which are all axes but the first two. */
export interface Geometry {
  /** Spatial sizes of what it slides over, of the window itself, and of what comes out. */
  input: readonly number[]
  kernel: readonly number[]
  output: readonly number[]
  strides: readonly number[]
  dilations: readonly number[]
  /** Padding before and after. */
  begin: readonly number[]
  end: readonly number[]
}

/** From the first to the last pixel that a window touches. */
const reachOf = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1

/**
 * What the attributes of Conv and the poolings say (onnx.ai/onnx/operators/onnx__Conv.html, …__MaxPool.html): padding
 * resolved, sizes of the output. A window that would begin in the padding behind the picture (`ceil_mode`) is left out.
 */
export function geometryOf(
  node: Node,
  input: readonly number[],
  kernel: readonly number[],
  ceil = false,
): Geometry {
  const ones = kernel.map(() => 1)
  const strides = intsAttribute(node, 'strides') ?? ones
  const dilations = intsAttribute(node, 'dilations') ?? ones
  const auto = stringAttribute(node, 'auto_pad', 'NOTSET')
  const pads = (auto === 'NOTSET' ? intsAttribute(node, 'pads') : undefined) ?? [...ones, ...ones].fill(0)
  const begin: number[] = []
  const end: number[] = []
  const output: number[] = []
  input.forEach((size, axis) => {
    const stride = strides[axis]!
    const reach = reachOf(kernel[axis]!, dilations[axis]!)
    if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
      const out = Math.ceil(size / stride)
      const total = Math.max(0, (out - 1) * stride + reach - size)
      // The odd pixel stands behind with UPPER and before with LOWER.
      begin.push(auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2))
      end.push(total - begin[axis]!)
      output.push(out)
      return
    }
    begin.push(pads[axis]!)
    end.push(pads[axis + input.length]!)
    const steps = (size + begin[axis]! + end[axis]! - reach) / stride
    if (!ceil) {
      output.push(Math.floor(steps) + 1)
      return
    }
    const out = Math.ceil(steps) + 1
    output.push((out - 1) * stride >= size + begin[axis]! ? out - 1 : out)
  })
  return { input, kernel, output, strides, dilations, begin, end }
}

/**
 * For every place of the output the pairs (pixel of the input, tap of the window) that meet there; what lies in the
 * padding is left out. Pairs of place `p` are those from `first[p]` up to `first[p + 1]`.
 */
export interface Pairs {
  first: Int32Array
  pixel: Int32Array
  tap: Int32Array
  /** How many taps of each place lie on the input or its padding; those beyond (`ceil_mode`) are not counted. */
  covered: Int32Array
}

export function pairsOf({ input, kernel, output, strides, dilations, begin, end }: Geometry): Pairs {
  const pixelStrides = stridesOf(input)
  const taps = places(kernel)
  const first = new Int32Array(elementCount(output) + 1)
  const covered = new Int32Array(elementCount(output))
  const pixels: number[] = []
  const tapOf: number[] = []
  places(output).forEach((place, p) => {
    taps.forEach((tap, t) => {
      let pixel = 0
      let inside = true
      let padded = true
      for (let axis = 0; axis < input.length; axis++) {
        const at = place[axis]! * strides[axis]! - begin[axis]! + tap[axis]! * dilations[axis]!
        if (at < 0 || at >= input[axis]!) inside = false
        if (at >= input[axis]! + end[axis]!) padded = false
        pixel += at * pixelStrides[axis]!
      }
      if (padded) covered[p]! += 1
      if (!inside) return
      pixels.push(pixel)
      tapOf.push(t)
    })
    first[p + 1] = pixels.length
  })
  return { first, pixel: Int32Array.from(pixels), tap: Int32Array.from(tapOf), covered }
}
