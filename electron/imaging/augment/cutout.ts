import type { AugmentationDraw } from '#shared/domain/augmentation/index.ts'

/**
 * Paints a rectangle over, at least one pixel wide and high.
 * @param values float32 planes `[3, height, width]` of grey levels from `offset` on
 */
export function cutOut(
  values: Float32Array,
  offset: number,
  { width, height }: { width: number; height: number },
  rectangle: NonNullable<AugmentationDraw['cutout']>,
  fill: readonly [number, number, number],
): void {
  const left = Math.min(width - 1, Math.round(rectangle.x * width))
  const right = Math.min(width, Math.max(left + 1, Math.round((rectangle.x + rectangle.width) * width)))
  const top = Math.min(height - 1, Math.round(rectangle.y * height))
  const bottom = Math.min(height, Math.max(top + 1, Math.round((rectangle.y + rectangle.height) * height)))
  for (let channel = 0; channel < 3; channel++)
    for (let y = top; y < bottom; y++) {
      const row = offset + (channel * height + y) * width
      values.fill(fill[channel]!, row + left, row + right)
    }
}
