import { splitNames } from '../contract/trainer.ts'
import { hash32 } from './random.ts'
import { resolveGivenSplit, stratifiedSplit } from './splits.ts'
import type { SplitFractions, SplitName } from './splits.ts'

export interface GrowSplitInput {
  /** The class of each picture. */
  labels: readonly (string | number)[]
  /** As in `StratifiedSplitInput`: equal keys are a group. */
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
 * the fractions, or to the side of their group, the one farthest from training if it has pictures on several. Only where a
 * class of three or more pictures would be missing on a side is one of its groups moved, out of the training if that
 * can be.
 * @returns the side of each picture, in the order of the input. @throws RangeError as `stratifiedSplit`
 */
export function growSplit(input: GrowSplitInput): SplitName[] {
  const { labels, keys, seed, given, previous } = input
  const { fixed, fractions } = resolveGivenSplit(given, input.fractions)
  const fresh = stratifiedSplit({ labels, keys, seed, fractions, fixed })
  if (previous.every((side) => side === null)) return fresh

  const wanted = (side: SplitName | null | undefined): side is SplitName =>
    side !== null && side !== undefined && fractions[side] > 0
  const kept = fixed.map((side, i) => side ?? (wanted(previous[i]) ? previous[i] : null))
  const sideOfGroup = new Map<string, SplitName>()
  kept.forEach((side, i) => {
    const before = sideOfGroup.get(keys[i]!)
    if (wanted(side) && (before === undefined || splitNames.indexOf(side) > splitNames.indexOf(before)))
      sideOfGroup.set(keys[i]!, side)
  })
  const sides = fresh.map((side, i) => kept[i] ?? sideOfGroup.get(keys[i]!) ?? side)

  const classes = indicesBy(labels.map(String))
  const groups = indicesBy(keys)
  for (const ofClass of classes.values()) {
    if (ofClass.length < 3) continue
    for (const side of ['train', 'val', 'test'] as const)
      if (wanted(side) && !ofClass.some((i) => sides[i] === side)) moveOne(ofClass, side)
  }

  function moveOne(ofClass: readonly number[], to: SplitName): void {
    // From where it leaks least: out of the training, else out of the validation; the test is given up last.
    for (const from of ['train', 'val', 'test'] as const) {
      if (from === to) continue
      const there = ofClass.filter((i) => sides[i] === from)
      const movable = (i: number): boolean =>
        groupOn(keys[i]!, from).every((j) => fixed[j] === null) && there.some((j) => keys[j] !== keys[i])
      const rank = (i: number): number => (fresh[i] === to ? 0 : 1)
      const [first] = there
        .filter(movable)
        .sort((a, b) => rank(a) - rank(b) || hash32(keys[a]!, seed) - hash32(keys[b]!, seed))
      if (first === undefined) continue
      for (const i of groupOn(keys[first]!, from)) sides[i] = to
      return
    }
  }
  function groupOn(key: string, side: SplitName): number[] {
    return groups.get(key)!.filter((i) => sides[i] === side)
  }
  return sides
}

function indicesBy(names: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  names.forEach((name, i) => {
    const known = found.get(name)
    if (known) known.push(i)
    else found.set(name, [i])
  })
  return found
}
