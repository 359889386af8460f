import {
  isIdentity,
  samplingMatrix,
  type AugmentationDraw,
  type Size,
} from '#shared/domain/augmentation/index.ts'
import { blurPlanes } from './blur.ts'
import { changeColours, changesNothing, meanLuma } from './colour.ts'
import { cutOut } from './cutout.ts'
import { addNoise } from './noise.ts'
import { copyPlanes, sample, type Planes } from './sample.ts'
import { scaleInPlace, scalePlanes, type Scaling } from './scale.ts'

/**
 * A picture as a draw changes it, as numbers for a network. In this order: all geometry in one resampling; contrast,
 * brightness, saturation and hue in one pass; gamma; blur; noise; cut-out; the network's scaling. Nothing is allocated
 * per picture. A draw that changes nothing gives the very numbers of the plain preprocessing.
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
  const plane = size.width * size.height
  const affine = samplingMatrix(draw.geometry, size, source.size)
  const stays = isIdentity(affine) && sameSize(size, source.size)
  if (stays && leavesPixelsAlone(draw)) {
    scalePlanes(source.data, source.offset, plane, scaling, values, offset)
    return
  }
  if (stays) copyPlanes(source, target)
  else sample(source, affine, target, draw.border === 'fill' ? draw.fill : null)
  if (!changesNothing(draw.colour)) {
    const mean =
      draw.colour.contrast === 1
        ? 0
        : meanLuma(source.data, source.offset, source.size.width * source.size.height)
    changeColours(values, offset, plane, draw.colour, mean)
  }
  if (draw.blur > 0) blurPlanes(values, offset, size, draw.blur * Math.min(size.width, size.height))
  if (draw.noise.deviation > 0) addNoise(values, offset, plane, draw.noise.deviation, draw.noise.seed)
  if (draw.cutout) cutOut(values, offset, size, draw.cutout, draw.fill)
  scaleInPlace(values, offset, plane, scaling)
}

const sameSize = (a: Size, b: Size): boolean => a.width === b.width && a.height === b.height

const leavesPixelsAlone = ({ colour, blur, noise, cutout }: AugmentationDraw): boolean =>
  changesNothing(colour) && blur === 0 && noise.deviation === 0 && cutout === null
