import { applyAugmentation, scalePlanes } from '#imaging/augment/index.ts'
import { drawAugmentation, noAugmentation, pictureRandom } from '#shared/domain/augmentation/index.ts'
import { mixPictures } from '#shared/domain/training/mixing.ts'
import type { BatchPlan, BatchRecipe } from './batch-messages.ts'
import type { PixelReader } from './pixel-reader.ts'

/** A batch before its pictures are mixed; one is enough per thread. */
let unmixed = new Float32Array(0)

/**
 * Makes one batch. What becomes of a picture depends on the recipe's seed, the epoch and its place in it, and on nothing
 * else: not on the thread, nor on what was made before. Which pictures are mixed, and how, is in the plan.
 *
 * @param target float32 `[rows, 3, height, width]`, may be longer
 * @throws KestrelError as `PixelReader.read`
 */
export function fillBatch(
  reader: PixelReader,
  { width, height, scaling, augmentation, seed }: BatchRecipe,
  { epoch, first, rows, mixing }: BatchPlan,
  target: Float32Array,
): void {
  const size = { width, height }
  const from = { width: reader.pixels.width, height: reader.pixels.height }
  const plane = width * height
  const asTheyAre = augmentation === null && from.width === width && from.height === height
  for (let i = 0; i < rows.length; i++) {
    const { data, offset } = reader.read(rows[i]!)
    const to = i * 3 * plane
    if (asTheyAre) {
      scalePlanes(data, offset, plane, scaling, target, to)
      continue
    }
    const draw = augmentation
      ? drawAugmentation(pictureRandom(seed, epoch, first + i), augmentation)
      : noAugmentation
    applyAugmentation({ data, offset, size: from }, draw, scaling, { data: target, offset: to, size })
  }
  if (mixing.kind === 'none') return
  const length = rows.length * 3 * plane
  if (unmixed.length < length) unmixed = new Float32Array(length)
  const mixed = target.subarray(0, length)
  unmixed.set(mixed)
  mixPictures(mixing, unmixed.subarray(0, length), [rows.length, 3, height, width], mixed)
}
