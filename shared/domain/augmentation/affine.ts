import type { Geometry } from './draw.ts'

export interface Size {
  width: number
  height: number
}

/** Where a pixel of the result comes from: x' = xx·x + xy·y + x0, y' = yx·x + yy·y + y0; pixel centres are whole numbers. */
export interface Affine {
  xx: number
  xy: number
  x0: number
  yx: number
  yy: number
  y0: number
}

/**
 * All of a geometry as one matrix, from the result back to the source, both seen from their middles. Where the sizes
 * differ, the source is stretched to the result's size first.
 */
export function samplingMatrix(geometry: Geometry, target: Size, source: Size = target): Affine {
  const { flipHorizontal, flipVertical, zoom, shearX, shearY, angle, shiftX, shiftY } = geometry
  // Backwards: shift, turn, shear, zoom, flip. y points down, so a turn against the clock is [cos, -sin; sin, cos] here.
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  // Rows slide first, then columns: [1, 0; sy, 1] · [1, sx; 0, 1], whose inverse is [1 + sx·sy, -sx; -sy, 1].
  const slid = 1 + shearX * shearY
  const scaleX = ((flipHorizontal ? -1 : 1) / zoom) * (source.width / target.width)
  const scaleY = ((flipVertical ? -1 : 1) / zoom) * (source.height / target.height)
  const xx = scaleX * (slid * cos - shearX * sin)
  const xy = scaleX * (-slid * sin - shearX * cos)
  const yx = scaleY * (-shearY * cos + sin)
  const yy = scaleY * (shearY * sin + cos)
  const middleX = (target.width - 1) / 2 + shiftX * target.width
  const middleY = (target.height - 1) / 2 + shiftY * target.height
  return {
    xx,
    xy,
    x0: (source.width - 1) / 2 - xx * middleX - xy * middleY,
    yx,
    yy,
    y0: (source.height - 1) / 2 - yx * middleX - yy * middleY,
  }
}

/** Whether every pixel of the result is the pixel at the same place of the source. */
export const isIdentity = ({ xx, xy, x0, yx, yy, y0 }: Affine): boolean =>
  xx === 1 && xy === 0 && x0 === 0 && yx === 0 && yy === 1 && y0 === 0
