import type { TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { KestrelError, type WireError } from '#shared/errors/index.ts'

export type TrainImage = TrainRequest['images'][number]

/** Pictures with equal keys stay in one fold. */
export const groupOf = ({ group, sha256 }: TrainImage): string => group ?? sha256

/** Training first, then validation, then test: each part is one stretch of the matrix of features. */
export function inSplitOrder(images: readonly TrainImage[]): TrainImage[] {
  const order = { train: 0, val: 1, test: 2 }
  return images
    .map((image, index) => ({ image, index }))
    .sort((a, b) => order[a.image.split] - order[b.image.split] || a.index - b.index)
    .map(({ image }) => image)
}

/**
 * Takes pictures that failed out of the rows, moving the others up in place.
 * @param matrix `[images, length]`
 * @returns the images left; the first `left.length` rows of the matrix are theirs.
 */
export function dropFailed(
  images: readonly TrainImage[],
  matrix: Float32Array | Uint8Array,
  length: number,
  failed: readonly { index: number; error: WireError }[],
): { left: TrainImage[]; failed: TrainResult['failed'] } {
  const gone = new Set(failed.map(({ index }) => index))
  const left: TrainImage[] = []
  images.forEach((image, index) => {
    if (gone.has(index)) return
    if (left.length !== index) matrix.copyWithin(left.length * length, index * length, (index + 1) * length)
    left.push(image)
  })
  return { left, failed: failed.map(({ index, error }) => ({ id: images[index]!.id, error })) }
}

/** @throws KestrelError when nothing can be learned from these pictures. */
export function requireEnough(images: readonly TrainImage[]): void {
  const trained = images.filter(({ split }) => split === 'train')
  if (trained.length < 2) {
    throw new KestrelError('too-few-pictures', 'There are too few training pictures that can be read.', {
      kept: 'Nothing was changed.',
      remedy: 'Add pictures, or give fewer of them to validation and test.',
    })
  }
  if (new Set(trained.map(({ label }) => label)).size < 2) {
    throw new KestrelError('too-few-classes', 'A training needs pictures of at least two classes.', {
      kept: 'Nothing was changed.',
      remedy: 'Give some pictures another label, or add pictures of a second class.',
    })
  }
}
