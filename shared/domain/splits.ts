import { splitNames } from '../contract/trainer.ts'
import type { SplitName } from '../contract/trainer.ts'
import { hash32 } from './random.ts'

export type { SplitName }

/** Shares of train, val and test; any non-negative numbers, only their ratio counts (70/15/15 or 0.7/0.15/0.15). */
export type SplitFractions = Record<SplitName, number>

export interface StratifiedSplitInput {
  /** The class of each picture: a label's id or name. */
  labels: readonly (string | number)[]
  /**
   * A stable key of each picture: the SHA-256 of its file or, for shots there are several pictures of, that of one of them
   * (`shotGroups`). Pictures with equal keys are a group and stay on one side.
   */
  keys: readonly string[]
  seed: number
  fractions: SplitFractions
  /** Sides that are given (by folders, or by a test that is to stay the same); null: free to be placed. */
  fixed?: readonly (SplitName | null)[]
}

/**
 * Cuts pictures into train, val and test, class by class.
 *
 * - Sizes per class by the largest-remainder method over the free pictures, kept as closely as whole groups allow: a
 *   side is off by less than a group.
 * - A class with at least three groups has at least one on every side whose fraction is above 0.
 * - Groups are ordered by a hash of (seed, key), never by position: the result does not depend on the order of the
 *   input, and adding or relabelling a picture moves at most the few others that lie at a border.
 * - Equal keys stay together, whatever their labels say; they count with the most frequent label among them.
 * - What is given stays. The others of its group follow it, to the side farthest from training if it is on several, unless
 *   that side is to get nothing more (fraction 0): then the group lies across, which `sharedAcross` tells.
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
      for (const side of splitNames) counts[side] += group.given[side]
      if (group.free === 0) continue
      const follows = splitNames.findLast((side) => group.given[side] > 0 && fractions[side] > 0)
      if (follows === undefined) free.push(group)
      else {
        counts[follows] += group.free
        sides.set(group.key, follows)
      }
    }
    placeGroups(free, fractions, counts, sides)
  }
  return keys.map((key, index) => fixed?.[index] ?? sides.get(key)!)
}

/** Lays the groups of a class out in their order and cuts where the quotas end. */
function placeGroups(
  free: readonly Group[],
  fractions: SplitFractions,
  counts: Readonly<Record<SplitName, number>>,
  sides: Map<string, SplitName>,
): void {
  const placed: Record<SplitName, Group[]> = { train: [], val: [], test: [] }
  const total = free.reduce((sum, group) => sum + group.free, 0)
  const quotas = sideQuotas(total, free.length, fractions, counts)
  for (const { group, middle } of laidOut(free)) {
    const side = middle < quotas.test ? 'test' : middle < quotas.test + quotas.val ? 'val' : 'train'
    placed[side].push(group)
  }
  // A large group may have gone over the whole of a quota.
  for (const side of ['train', 'test', 'val'] as const) {
    if (quotas[side] === 0 || counts[side] + placed[side].length > 0) continue
    const donor = splitNames
      .filter((other) => placed[other].length > 1 || (placed[other].length > 0 && counts[other] > 0))
      .sort((x, y) => placed[y].length - placed[x].length)[0]
    if (donor === undefined) continue
    const smallest = placed[donor].reduce((least, group) => (group.free < least.free ? group : least))
    placed[donor].splice(placed[donor].indexOf(smallest), 1)
    placed[side].push(smallest)
  }
  for (const side of splitNames) for (const { key } of placed[side]) sides.set(key, side)
}

/** Groups one behind the other; `middle` is the place of a group's middle picture, so that a group of one is at its rank. */
function laidOut(groups: readonly Group[]): { group: Group; middle: number }[] {
  let start = 0
  return groups.map((group) => {
    const middle = start + (group.free - 1) / 2
    start += group.free
    return { group, middle }
  })
}

/**
 * Groups that lie on several sides, because the sides were given or a group was found after the pictures had theirs:
 * pictures of val and test whose group has pictures farther towards training, and how many groups those are.
 */
export function sharedAcross(
  keys: readonly string[],
  sides: readonly SplitName[],
): { groups: number; val: number; test: number } {
  const groups = new Map<string, number[]>()
  keys.forEach((key, i) => {
    const members = groups.get(key)
    if (members) members.push(i)
    else groups.set(key, [i])
  })
  const found = { groups: 0, val: 0, test: 0 }
  for (const members of groups.values()) {
    const of = (side: SplitName): number => members.filter((i) => sides[i] === side).length
    const [train, val, test] = [of('train'), of('val'), of('test')]
    const leaking = { val: train > 0 ? val : 0, test: train + val > 0 ? test : 0 }
    if (leaking.val + leaking.test === 0) continue
    found.groups++
    found.val += leaking.val
    found.test += leaking.test
  }
  return found
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
 * Stratified k folds: within each class the folds differ by at most one picture, or by less than the largest group. As
 * in {@link stratifiedSplit} the place follows from a hash of (seed, key), so one changed label moves few pictures.
 * @returns the fold (0 … k - 1) of each picture, in the order of the input. @throws RangeError
 */
export function assignFolds({ labels, keys, seed, k }: AssignFoldsInput): number[] {
  sameLength(labels, keys)
  if (!Number.isInteger(k) || k < 2) throw new RangeError(`k must be a whole number ≥ 2, got ${k}`)
  const folds = new Map<string, number>()
  for (const [label, members] of byClass(groupByKey(labels, keys, seed))) {
    // Where blocks are unequal the same folds would always get the extra picture: each class begins elsewhere.
    const turn = hash32(label, seed)
    const total = members.reduce((sum, group) => sum + group.free, 0)
    for (const { group, middle } of laidOut(members))
      folds.set(group.key, (Math.floor((middle * k) / total) + turn) % k)
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
  /** Pictures that may be placed. */
  free: number
  /** Pictures whose side is given. */
  given: Record<SplitName, number>
}

/** One group per distinct key, in hash order (ties by key). */
function groupByKey(
  labels: readonly (string | number)[],
  keys: readonly string[],
  seed: number,
  fixed?: readonly (SplitName | null)[],
): Group[] {
  const votes = new Map<string, Map<string, number>>()
  const groups = new Map<string, Group>()
  keys.forEach((key, index) => {
    const label = String(labels[index])
    const ofKey = votes.get(key) ?? new Map<string, number>()
    ofKey.set(label, (ofKey.get(label) ?? 0) + 1)
    votes.set(key, ofKey)
    const group = groups.get(key) ?? {
      ...{ key, label, order: hash32(key, seed), free: 0 },
      given: { train: 0, val: 0, test: 0 },
    }
    const side = fixed?.[index] ?? null
    if (side === null) group.free++
    else group.given[side]++
    groups.set(key, group)
  })
  for (const group of groups.values()) group.label = mostVotes(votes.get(group.key)!)
  return [...groups.values()].sort((x, y) => x.order - y.order || (x.key < y.key ? -1 : 1))
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
  groups: number,
  fractions: SplitFractions,
  counts: Readonly<Record<SplitName, number>>,
): Record<SplitName, number> {
  const quotas = largestRemainder(free, fractions)
  if (groups + counts.train + counts.val + counts.test < 3) return quotas
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
