import type { Preprocessing } from './definition.ts'
import type { ResampleBuffers } from './resample.ts'
import { networkInputBySimd, resizeRgbFast } from './simd.ts'
import { networkInputLength, requireRoom, tensorFromResized } from './tensor.ts'

export { preprocessingSchema, type Preprocessing } from './definition.ts'
export {
  computeResampleTable,
  resampleTable,
  resizeRgb,
  type ResampleBuffers,
  type ResampleTable,
} from './resample.ts'
export { resizeRgbFast } from './simd.ts'
export { networkInputLength, scaleTable, tensorFromResized } from './tensor.ts'
export { partOf } from './region.ts'

/** A decoded picture: upright, sRGB, uint8 `[height, width, 3]`. */
export interface RgbPicture {
  data: Uint8Array
  width: number
  height: number
}

/**
 * The whole definition from decoded pixels on: resize, scale, lay out.
 *
 * @param picture upright sRGB uint8 `[height, width, 3]`
 * @returns float32 planes `[3, height, width]` (within `target` at `offset` when given)
 * @throws RangeError when lengths do not fit
 */
export function toNetworkInput(
  picture: RgbPicture,
  definition: Preprocessing,
  options: { target?: Float32Array; offset?: number; buffers?: ResampleBuffers } = {},
): Float32Array {
  const { target = new Float32Array(networkInputLength(definition)), offset = 0 } = options
  requireRoom(target, offset, networkInputLength(definition))
  if (networkInputBySimd(picture, definition, target, offset)) return target
  const { width, height } = definition.size
  const resized = resizeRgbFast(picture.data, picture.width, picture.height, width, height, options.buffers)
  return tensorFromResized(resized, definition, target, offset)
}
