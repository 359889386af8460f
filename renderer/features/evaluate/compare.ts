import type { Metrics, Run } from '#shared/contract/training.ts'

export interface Side {
  run: Pick<Run, 'classes'>
  /** Null while they are read, and where the run has no pictures of the part. */
  metrics: Metrics | null
}

/** Figures of one label in the first and the second run; null where a run does not know the label. */
export interface LabelPair {
  name: string
  colour: number
  recall: [number | null, number | null]
  f1: [number | null, number | null]
}

/** Second minus first; null where one of them is missing. */
export const differenceOf = ([a, b]: readonly [number | null, number | null]): number | null =>
  a === null || b === null ? null : b - a

/**
 * The labels of two runs side by side, those whose F1 changed most first. A label that was renamed between the runs is
 * the same label.
 */
export function labelPairs(a: Side, b: Side): LabelPair[] {
  const pairs = new Map<string, LabelPair>()
  for (const [side, { run, metrics }] of [a, b].entries()) {
    run.classes.forEach(({ labelId, name, colour }, index) => {
      const figures = metrics?.per_class[index]
      const key = labelId === null ? `name ${name}` : `id ${labelId}`
      const pair = pairs.get(key) ?? { name, colour, recall: [null, null], f1: [null, null] }
      // Of a label without pictures in this part nothing is known; 0 % would be a false alarm.
      const known = figures !== undefined && figures.support > 0
      pair.recall[side] = known ? figures.recall : null
      pair.f1[side] = known ? figures.f1 : null
      pairs.set(key, { ...pair, name, colour })
    })
  }
  const size = (pair: LabelPair): number => Math.abs(differenceOf(pair.f1) ?? 0)
  return [...pairs.values()].sort((one, two) => size(two) - size(one) || one.name.localeCompare(two.name))
}
