import type { Preprocessing } from './definition.ts'
import { networkInputBySimd, resizeRgbFast } from './simd.ts'
import { rgbOf, type StoredPicture } from './stored.ts'
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
export { rgbOf, type RgbPicture, type StoredPicture } from './stored.ts'

/**
 * The whole definition from decoded pixels on: resize, scale, lay out.
 *
 * @param picture of three channels they may be changed
 * @returns float32 planes `[3, height, width]` (within `target` at `offset` when given)
 * @throws RangeError when lengths do not fit
 */
export function toNetworkInput(
  picture: StoredPicture,
  definition: Preprocessing,
  options: { target?: Float32Array; offset?: number } = {},
): Float32Array {
  const { target = new Float32Array(networkInputLength(definition)), offset = 0 } = options
  requireRoom(target, offset, networkInputLength(definition))
  if (networkInputBySimd(picture, definition, target, offset)) return target
  const { width, height } = definition.size
  const rgb = rgbOf(picture)
  const resized = resizeRgbFast(rgb.data, rgb.width, rgb.height, width, height)
  return tensorFromResized(resized, definition, target, offset)
}
