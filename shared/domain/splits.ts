import { splitNames } from '../contract/trainer.ts'
import type { SplitName } from '../contract/trainer.ts'
import { hash32 } from './random.ts'

export type { SplitName }

/** Shares of train, val and test; any non-negative numbers, only their ratio counts (70/15/15 or 0.7/0.15/0.15). */
export type SplitFractions = Record<SplitName, number>

export interface StratifiedSplitInput {
  /** The class of each picture: a label's id or name. */
  labels: readonly (string | number)[]
  /** A stable key of each picture, normally the SHA-256 of its file. Pictures with equal keys always stay on one side. */
  keys: readonly string[]
  seed: number
  fractions: SplitFractions
  /** Sides that are given (by folders, or by a test that is to stay the same); null: free to be placed. */
  fixed?: readonly (SplitName | null)[]
}

/**
 * Cuts pictures into train, val and test, class by class.
 *
 * - Sizes per class by the largest-remainder method over the distinct free pictures (duplicates count once).
 * - A class with at least three distinct pictures has at least one on every side whose fraction is above 0.
 * - Pictures are ordered by a hash of (seed, key), never by position: the result does not depend on the order of the
 *   input, and adding or relabelling a picture moves at most the few others that lie at a border.
 * - Equal keys stay together, whatever their labels say; the side follows the most frequent label among them.
 *
 * @returns the side of each picture, in the order of the input.
 * @throws RangeError when lengths differ or fractions are negative, not finite or all 0.
 */
export function stratifiedSplit(input: StratifiedSplitInput): SplitName[] {
  const { labels, keys, seed, fixed } = input
  sameLength(labels, keys, fixed)
  const fractions = normaliseFractions(input.fractions)
  const groups = groupByKey(labels, keys, seed, fixed)

  const sides = new Map<string, SplitName>()
  for (const members of byClass(groups).values()) {
    const counts = { train: 0, val: 0, test: 0 }
    const free: Group[] = []
    for (const group of members) {
      if (group.fixed === null) free.push(group)
      else {
        counts[group.fixed]++
        sides.set(group.key, group.fixed)
      }
    }
    const quotas = sideQuotas(free.length, fractions, counts)
    free.forEach((group, rank) => {
      const side: SplitName = rank < quotas.test ? 'test' : rank < quotas.test + quotas.val ? 'val' : 'train'
      sides.set(group.key, side)
    })
  }
  return keys.map((key) => sides.get(key)!)
}

export interface AssignFoldsInput {
  labels: readonly (string | number)[]
  /** As in {@link StratifiedSplitInput}: equal keys stay in one fold. */
  keys: readonly string[]
  seed: number
  /** Number of folds, a whole number ≥ 2. */
  k: number
}

/**
 * Stratified k folds: within each class the folds differ by at most one distinct picture. As in
 * {@link stratifiedSplit} the place follows from a hash of (seed, key), so one changed label moves few pictures.
 * @returns the fold (0 … k - 1) of each picture, in the order of the input. @throws RangeError
 */
export function assignFolds({ labels, keys, seed, k }: AssignFoldsInput): number[] {
  sameLength(labels, keys)
  if (!Number.isInteger(k) || k < 2) throw new RangeError(`k must be a whole number ≥ 2, got ${k}`)
  const folds = new Map<string, number>()
  for (const [label, members] of byClass(groupByKey(labels, keys, seed))) {
    // Where blocks are unequal the same folds would always get the extra picture: each class begins elsewhere.
    const turn = hash32(label, seed)
    members.forEach((group, rank) => {
      folds.set(group.key, (Math.floor((rank * k) / members.length) + turn) % k)
    })
  }
  return keys.map((key) => folds.get(key)!)
}

export interface GivenSplit {
  /** For {@link StratifiedSplitInput.fixed}. */
  fixed: (SplitName | null)[]
  /** For {@link StratifiedSplitInput.fractions}. */
  fractions: SplitFractions
}

/**
 * What to do with sides that came with the data (train/val/test folders, a separate test folder). Val and test that
 * are given stay exactly as they are and get nothing else. When only one of the two is given, the other is cut from
 * the training pictures in the asked ratio.
 * @param given side of each picture, null when its folder does not say.
 * @param fractions what was asked for.
 */
export function resolveGivenSplit(
  given: readonly (SplitName | null)[],
  fractions: SplitFractions,
): GivenSplit {
  const has = (side: SplitName): boolean => given.includes(side)
  const missing = (side: SplitName): boolean => fractions[side] > 0 && !has(side)
  const cutFromTrain = missing('val') || missing('test')
  return {
    fixed: given.map((side) => (side === 'train' && cutFromTrain ? null : side)),
    fractions: {
      train: fractions.train,
      val: has('val') ? 0 : fractions.val,
      test: has('test') ? 0 : fractions.test,
    },
  }
}

interface Group {
  key: string
  label: string
  order: number
  fixed: SplitName | null
}

/** One group per distinct key, in hash order (ties by key). */
function groupByKey(
  labels: readonly (string | number)[],
  keys: readonly string[],
  seed: number,
  fixed?: readonly (SplitName | null)[],
): Group[] {
  const votes = new Map<string, Map<string, number>>()
  const given = new Map<string, SplitName>()
  keys.forEach((key, index) => {
    const label = String(labels[index])
    const ofKey = votes.get(key) ?? new Map<string, number>()
    ofKey.set(label, (ofKey.get(label) ?? 0) + 1)
    votes.set(key, ofKey)
    // Copies given to different sides: the one farthest from training wins, so that the test never leaks.
    const side = fixed?.[index] ?? null
    const before = given.get(key)
    if (side !== null && (before === undefined || splitNames.indexOf(side) > splitNames.indexOf(before)))
      given.set(key, side)
  })
  const groups = Array.from(votes, ([key, ofKey]): Group => ({
    key,
    label: mostVotes(ofKey),
    order: hash32(key, seed),
    fixed: given.get(key) ?? null,
  }))
  return groups.sort((x, y) => x.order - y.order || (x.key < y.key ? -1 : 1))
}

const mostVotes = (votes: Map<string, number>): string =>
  [...votes].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))[0]![0]

function byClass(groups: readonly Group[]): Map<string, Group[]> {
  const classes = new Map<string, Group[]>()
  for (const group of groups) {
    const members = classes.get(group.label)
    if (members) members.push(group)
    else classes.set(group.label, [group])
  }
  return classes
}

/** How many of `free` pictures go to each side, by largest remainder, then one for each side that must not be empty. */
function sideQuotas(
  free: number,
  fractions: SplitFractions,
  counts: Readonly<Record<SplitName, number>>,
): Record<SplitName, number> {
  const quotas = largestRemainder(free, fractions)
  const total = free + counts.train + counts.val + counts.test
  if (total < 3) return quotas
  for (const side of ['train', 'test', 'val'] as const) {
    if (fractions[side] === 0 || quotas[side] + counts[side] > 0) continue
    const donor = splitNames
      .filter((other) => quotas[other] > 0 && quotas[other] + counts[other] > 1)
      .sort((x, y) => quotas[y] + counts[y] - quotas[x] - counts[x])[0]
    if (donor === undefined) continue
    quotas[donor]--
    quotas[side]++
  }
  return quotas
}

function largestRemainder(total: number, fractions: SplitFractions): Record<SplitName, number> {
  const quotas = { train: 0, val: 0, test: 0 }
  let left = total
  for (const side of splitNames) {
    quotas[side] = Math.floor(total * fractions[side] + 1e-9)
    left -= quotas[side]
  }
  // Equal remainders go to the test first: its interval is the figure that suffers most from a missing picture.
  const remainder = (side: SplitName): number => total * fractions[side] - quotas[side]
  const wanting = (['test', 'val', 'train'] as const)
    .filter((side) => fractions[side] > 0)
    .sort((x, y) => {
      const difference = remainder(y) - remainder(x)
      return Math.abs(difference) < 1e-9 ? 0 : difference
    })
  for (let index = 0; left > 0; index = (index + 1) % wanting.length, left--) quotas[wanting[index]!]++
  return quotas
}

function normaliseFractions(fractions: SplitFractions): SplitFractions {
  const sum = splitNames.reduce((total, side) => total + fractions[side], 0)
  const usable =
    splitNames.every((side) => Number.isFinite(fractions[side]) && fractions[side] >= 0) && sum > 0
  if (!usable)
    throw new RangeError(
      `fractions must be ≥ 0 and not all 0, got ${splitNames.map((side) => fractions[side]).join('/')}`,
    )
  return { train: fractions.train / sum, val: fractions.val / sum, test: fractions.test / sum }
}

function sameLength(
  labels: readonly unknown[],
  keys: readonly unknown[],
  fixed: readonly unknown[] = keys,
): void {
  if (labels.length !== keys.length || fixed.length !== keys.length)
    throw new RangeError(
      `labels, keys and fixed must be equally long, got ${labels.length}, ${keys.length} and ${fixed.length}`,
    )
}
