import { stratifiedSplit } from './splits.ts'
import type { SplitName } from './splits.ts'

/** About so many pictures tell a useful difference within seconds. */
export const PROBE_PICTURES = 300
/** A difference that is no chance needs at least six pictures that one alone gets right; fewer pictures cannot show it. */
export const MIN_PROBE_PICTURES = 30
/** So that, with five folds, a label is in what is learned from and in what is judged. */
export const MIN_PROBE_PER_LABEL = 5

export interface ProbePicture {
  /** Any number that stands for its label. */
  class: number
  /** A stable key: equal ones are chosen together. */
  sha256: string
  split: SplitName
}

/**
 * A small stand-in for a project's pictures: never a test picture, each label with its share (largest remainder, one
 * at least of a label with three), the same for the same seed whatever the order.
 * @param atMost pictures; rounding within each label may add at most one per label
 * @returns the chosen ones in the order of the input; all that are no test pictures when there are no more than `atMost`
 */
export function probeSample<P extends ProbePicture>(
  pictures: readonly P[],
  { seed, atMost = PROBE_PICTURES }: { seed: number; atMost?: number },
): P[] {
  const learned = pictures.filter(({ split }) => split !== 'test')
  if (learned.length <= atMost) return learned
  const sides = stratifiedSplit({
    labels: learned.map(({ class: label }) => label),
    keys: learned.map(({ sha256 }) => sha256),
    seed,
    fractions: { train: atMost, val: 0, test: learned.length - atMost },
  })
  return learned.filter((_, i) => sides[i] === 'train')
}

/** Why a comparison on these pictures would tell nothing; null when it can tell something. */
export function whyNotTelling(sample: readonly ProbePicture[]): 'few-labels' | 'few-pictures' | null {
  const perLabel = new Map<number, number>()
  for (const { class: label } of sample) perLabel.set(label, (perLabel.get(label) ?? 0) + 1)
  const telling = [...perLabel.values()].filter((count) => count >= MIN_PROBE_PER_LABEL)
  if (perLabel.size < 2) return 'few-labels'
  return telling.length < 2 || sample.length < MIN_PROBE_PICTURES ? 'few-pictures' : null
}
