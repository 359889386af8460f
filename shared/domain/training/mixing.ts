import { shuffle, type Random } from '../random.ts'
import { drawBeta } from './beta.ts'

/**
 * Mixing the pictures of a batch with each other, and their labels alike. Draw, then apply, as every augmentation:
 *
 * - mixup (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization", section 2): λ·x + (1 − λ)·x', λ from Beta(α, α).
 * - cutmix (Yun et al. 2019, "CutMix", section 3.1): a box of x' with the share 1 − λ of the area, λ from Beta(α, α). Where
 *   the box reaches over the edge it is cut off, and λ becomes what is left of the picture.
 *
 * As in both papers' code, a batch is mixed as a whole: one λ, one box, each row with a partner from the same batch.
 */
export type MixingDraw =
  | { kind: 'none' }
  | { kind: 'mixup'; keep: number; partners: readonly number[] }
  | { kind: 'cutmix'; keep: number; box: Box; partners: readonly number[] }

/** Pixels from `left` to before `right`, `top` to before `bottom`. */
export interface Box {
  left: number
  top: number
  right: number
  bottom: number
}

export interface MixingStrengths {
  /** α of the Beta distribution; 0: off. */
  mixup: number
  cutmix: number
}

/**
 * @param shape [rows, channels, height, width] of the batch.
 * @returns `none` when both are off or there is nothing to mix with; with both on, one of them, evenly. `keep` is the share
 *   of a row that stays its own.
 */
export function drawMixing(
  random: Random,
  { mixup, cutmix }: MixingStrengths,
  shape: readonly [number, number, number, number],
): MixingDraw {
  const [rows, , height, width] = shape
  if (rows < 2 || (mixup === 0 && cutmix === 0)) return { kind: 'none' }
  const byMixup = mixup > 0 && (cutmix === 0 || random.float() < 0.5)
  const alpha = byMixup ? mixup : cutmix
  const keep = drawBeta(random, alpha, alpha)
  const partners = shuffle(
    random,
    Array.from({ length: rows }, (_, row) => row),
  )
  if (byMixup) return { kind: 'mixup', keep, partners }
  const box = drawBox(random, 1 - keep, height, width)
  const area = (box.right - box.left) * (box.bottom - box.top)
  return { kind: 'cutmix', keep: 1 - area / (height * width), box, partners }
}

/** A box with this share of the area and the picture's own proportions, its centre anywhere, cut off at the edges. */
function drawBox(random: Random, share: number, height: number, width: number): Box {
  const side = Math.sqrt(share)
  const [boxWidth, boxHeight] = [Math.floor(width * side), Math.floor(height * side)]
  const [left, top] = [
    random.below(width) - Math.floor(boxWidth / 2),
    random.below(height) - Math.floor(boxHeight / 2),
  ]
  const within = (value: number, size: number): number => Math.min(size, Math.max(0, value))
  return {
    left: within(left, width),
    top: within(top, height),
    right: within(left + boxWidth, width),
    bottom: within(top + boxHeight, height),
  }
}

export interface MixingBatch {
  /** [rows, channels, height, width] */
  x: Float32Array
  shape: readonly [number, number, number, number]
  /** [rows, classes], each row sums to 1. */
  targets: Float32Array
}

/**
 * The batch as it was drawn. What comes in stays as it is; with `none` it is handed on without a copy.
 * @throws RangeError when the draw was made for another number of rows, or a box lies outside.
 */
export function applyMixing(draw: MixingDraw, batch: MixingBatch): MixingBatch {
  if (draw.kind === 'none') return batch
  const { x, shape, targets } = batch
  return { shape, x: mixPictures(draw, x, shape), targets: mixTargets(draw, targets) }
}

/** The labels of `applyMixing`. @param targets [rows, classes] */
export const mixTargets = (draw: MixingDraw, targets: Float32Array): Float32Array =>
  draw.kind === 'none'
    ? targets
    : blendRows(targets, draw.partners, draw.keep, new Float32Array(targets.length))

/**
 * The pictures of `applyMixing`.
 * @param into another array as long as `x`, which the result is written to
 * @throws RangeError as `applyMixing`
 */
export function mixPictures(
  draw: MixingDraw,
  x: Float32Array,
  shape: MixingBatch['shape'],
  into: Float32Array = new Float32Array(x.length),
): Float32Array {
  const [rows, , height, width] = shape
  if (draw.kind === 'none') {
    into.set(x)
    return into
  }
  if (draw.partners.length !== rows)
    throw new RangeError(`The mixing was drawn for ${draw.partners.length} rows, the batch has ${rows}.`)
  if (draw.kind === 'mixup') return blendRows(x, draw.partners, draw.keep, into)
  const { left, top, right, bottom } = draw.box
  if (!(left >= 0 && left <= right && right <= width && top >= 0 && top <= bottom && bottom <= height))
    throw new RangeError(`The box ${left}, ${top}, ${right}, ${bottom} is not inside ${width} × ${height}.`)
  return pasteBoxes(x, shape, draw.partners, draw.box, into)
}

/** keep · row + (1 − keep) · partner. */
function blendRows(
  values: Float32Array,
  partners: readonly number[],
  keep: number,
  mixed: Float32Array,
): Float32Array {
  const length = values.length / partners.length
  const rest = 1 - keep
  partners.forEach((partner, row) => {
    const [own, other] = [row * length, partner * length]
    for (let i = 0; i < length; i++) mixed[own + i] = keep * values[own + i]! + rest * values[other + i]!
  })
  return mixed
}

function pasteBoxes(
  x: Float32Array,
  [, channels, height, width]: MixingBatch['shape'],
  partners: readonly number[],
  box: Box,
  mixed: Float32Array,
): Float32Array {
  mixed.set(x)
  partners.forEach((partner, row) => {
    for (let channel = 0; channel < channels; channel++) {
      const [own, other] = [row * channels + channel, partner * channels + channel]
      for (let y = box.top; y < box.bottom; y++) {
        const from = (other * height + y) * width
        mixed.set(x.subarray(from + box.left, from + box.right), (own * height + y) * width + box.left)
      }
    }
  })
  return mixed
}
