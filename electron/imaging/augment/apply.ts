import {
  isIdentity,
  samplingMatrix,
  type AugmentationDraw,
  type ColourChange,
  type Size,
} from '#shared/domain/augmentation/index.ts'
import { blurPlanes } from './blur.ts'
import { bendGreys, colourMatrix, meanLuma } from './colour.ts'
import { cutOut } from './cutout.ts'
import { addNoise } from './noise.ts'
import { sample, type PlaneOrder, type Planes } from './sample.ts'
import { scaleInPlace, scalePlanes, type Scaling } from './scale.ts'

const RGB: PlaneOrder = [0, 1, 2]
const BGR: PlaneOrder = [2, 1, 0]
/** One is enough per thread: a picture is done without a pause. */
const map = { matrix: new Float32Array(12), gain: new Float32Array(3), bias: new Float32Array(3) }

/**
 * A picture as a draw changes it, as numbers for a network. All geometry is one resampling; contrast, brightness,
 * saturation and hue are one matrix in the same pass, and so is the network's scaling where nothing comes between.
 * Gamma, blur, noise and cut-out follow one after the other. A draw that changes nothing gives the very numbers of the
 * plain preprocessing.
 *
 * @param source uint8 planes in RGB order; stretched to the target's size where it has another
 * @param target float32 planes, written to
 */
export function applyAugmentation(
  source: Planes<Uint8Array>,
  draw: AugmentationDraw,
  scaling: Scaling,
  target: Planes<Float32Array>,
): void {
  const { size, data: values, offset } = target
  const { colour, blur, noise, cutout } = draw
  const plane = size.width * size.height
  const affine = samplingMatrix(draw.geometry, size, source.size)
  const ends = colour.gamma === 1 && blur === 0 && noise.deviation === 0 && cutout === null
  if (ends && isIdentity(affine) && sameSize(size, source.size) && keepsColours(colour)) {
    scalePlanes(source.data, source.offset, plane, scaling, values, offset)
    return
  }
  const { width, height } = source.size
  const mean = colour.contrast === 1 ? 0 : meanLuma(source.data, source.offset, width * height)
  colourMatrix(colour, mean, map.matrix)
  for (let channel = 0; channel < 3; channel++) {
    map.gain[channel] = ends ? 1 / scaling.divisor[channel]! : 1
    map.bias[channel] = ends ? -scaling.mean[channel]! / scaling.divisor[channel]! : 0
  }
  const order = ends && scaling.channelOrder === 'BGR' ? BGR : RGB
  sample(source, affine, map, draw.border === 'fill' ? draw.fill : null, target, order)
  if (ends) return
  if (colour.gamma !== 1) bendGreys(values, offset, 3 * plane, colour.gamma)
  if (blur > 0) blurPlanes(values, offset, size, blur * Math.min(size.width, size.height))
  if (noise.deviation > 0) addNoise(values, offset, plane, noise.deviation, noise.seed)
  if (cutout) cutOut(values, offset, size, cutout, draw.fill)
  scaleInPlace(values, offset, plane, scaling)
}

const sameSize = (a: Size, b: Size): boolean => a.width === b.width && a.height === b.height

const keepsColours = ({ contrast, brightness, saturation, hue }: ColourChange): boolean =>
  contrast === 1 && brightness === 0 && saturation === 1 && hue === 0
