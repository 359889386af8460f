import type { Affine, Size } from '#shared/domain/augmentation/index.ts'

/** A picture of three planes within a larger array: `[3, height, width]` from `offset` on. */
export interface Planes<Data> {
  data: Data
  offset: number
  size: Size
}

/**
 * Bilinear: every pixel of the result from the four around the place the matrix says. Beyond the border its pixels are
 * repeated, or `fill` is shown where the place lies outside the picture.
 *
 * @param source uint8 planes
 * @param target float32 planes, written in grey levels (0–255)
 * @param fill RGB, 0–255; null: the border is repeated
 */
export function sample(
  source: Planes<Uint8Array>,
  affine: Affine,
  target: Planes<Float32Array>,
  fill: readonly [number, number, number] | null,
): void {
  const { data: from } = source
  const { data: to } = target
  const { width, height } = target.size
  const rowLength = source.size.width
  const lastX = rowLength - 1
  const lastY = source.size.height - 1
  const fromPlane = rowLength * source.size.height
  const [red, green, blue] = [source.offset, source.offset + fromPlane, source.offset + 2 * fromPlane]
  const toPlane = width * height
  const { xx, yx } = affine
  let write = target.offset
  for (let y = 0; y < height; y++) {
    let sx = affine.xy * y + affine.x0
    let sy = affine.yy * y + affine.y0
    for (let x = 0; x < width; x++, sx += xx, sy += yx, write++) {
      if (fill !== null && (sx < -0.5 || sx > lastX + 0.5 || sy < -0.5 || sy > lastY + 0.5)) {
        to[write] = fill[0]
        to[write + toPlane] = fill[1]
        to[write + 2 * toPlane] = fill[2]
        continue
      }
      const insideX = sx < 0 ? 0 : sx > lastX ? lastX : sx
      const insideY = sy < 0 ? 0 : sy > lastY ? lastY : sy
      const left = insideX | 0
      const upper = insideY | 0
      const wx = insideX - left
      const wy = insideY - upper
      const right = left < lastX ? 1 : 0
      const down = upper < lastY ? rowLength : 0
      const at = upper * rowLength + left
      const w11 = wx * wy
      const w10 = wy - w11
      const w01 = wx - w11
      const w00 = 1 - wx - w10
      const at01 = at + right
      const at10 = at + down
      const at11 = at10 + right
      to[write] =
        from[red + at]! * w00 + from[red + at01]! * w01 + from[red + at10]! * w10 + from[red + at11]! * w11
      to[write + toPlane] =
        from[green + at]! * w00 +
        from[green + at01]! * w01 +
        from[green + at10]! * w10 +
        from[green + at11]! * w11
      to[write + 2 * toPlane] =
        from[blue + at]! * w00 +
        from[blue + at01]! * w01 +
        from[blue + at10]! * w10 +
        from[blue + at11]! * w11
    }
  }
}

/** `sample` for when nothing moves. */
export function copyPlanes(source: Planes<Uint8Array>, target: Planes<Float32Array>): void {
  const { data: from, offset } = source
  const { data: to, offset: write } = target
  const length = 3 * target.size.width * target.size.height
  for (let i = 0; i < length; i++) to[write + i] = from[offset + i]!
}
