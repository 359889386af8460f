import { hash32 } from './random.ts'
import { resolveGivenSplit, stratifiedSplit } from './splits.ts'
import type { SplitFractions, SplitName } from './splits.ts'

export interface GrowSplitInput {
  /** The class of each picture. */
  labels: readonly (string | number)[]
  /** A stable key of each picture, its SHA-256; each occurs once. */
  keys: readonly string[]
  seed: number
  fractions: SplitFractions
  /** Sides that came with the data (train/val/test folders); null where the folder does not say. */
  given: readonly (SplitName | null)[]
  /** Sides of the last split with the same seed and fractions; null for pictures that are new. */
  previous: readonly (SplitName | null)[]
}

/**
 * The split of a project that has grown or was relabelled since the last one: every picture keeps its side, so that a
 * picture seen in training never turns up in the test; new pictures go where a fresh split would put them, which keeps
 * the fractions. Only where a class of three or more pictures would be missing on a side is one of its pictures moved,
 * out of the training if that can be.
 * @returns the side of each picture, in the order of the input. @throws RangeError as `stratifiedSplit`
 */
export function growSplit(input: GrowSplitInput): SplitName[] {
  const { labels, keys, seed, given, previous } = input
  const { fixed, fractions } = resolveGivenSplit(given, input.fractions)
  const fresh = stratifiedSplit({ labels, keys, seed, fractions, fixed })
  if (previous.every((side) => side === null)) return fresh

  const wanted = (side: SplitName | null | undefined): side is SplitName =>
    side !== null && side !== undefined && fractions[side] > 0
  const sides = fresh.map((side, i) => fixed[i] ?? (wanted(previous[i]) ? previous[i] : side))

  const members = new Map<string, number[]>()
  labels.forEach((label, i) => {
    const known = members.get(String(label))
    if (known) known.push(i)
    else members.set(String(label), [i])
  })
  for (const ofClass of members.values()) {
    if (ofClass.length < 3) continue
    for (const side of ['train', 'val', 'test'] as const)
      if (wanted(side) && !ofClass.some((i) => sides[i] === side)) moveOne(ofClass, side)
  }

  function moveOne(ofClass: readonly number[], to: SplitName): void {
    // From where it leaks least: out of the training, else out of the validation; the test is given up last.
    for (const from of ['train', 'val', 'test'] as const) {
      const there = ofClass.filter((i) => sides[i] === from)
      const free = there.filter((i) => fixed[i] === null)
      if (from === to || there.length < 2 || free.length === 0) continue
      const rank = (i: number): number => (fresh[i] === to ? 0 : 1)
      const [first] = free.sort(
        (a, b) => rank(a) - rank(b) || hash32(keys[a]!, seed) - hash32(keys[b]!, seed),
      )
      sides[first!] = to
      return
    }
  }
  return sides
}
