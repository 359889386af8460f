import { join } from 'node:path'
import { kestrelRun } from './kestrel.ts'
import type { Bench, BenchResult } from './types.ts'

const BACKBONE = 'mobilenet_v2_1.0_224'
const FOLDS = 10
/** What is wanted, and what scikit-learn reaches with its best regularisation on Keras' features of the same files. */
const sets = [
  { name: 'flowers5', atLeast: 0.86, sklearn: 0.87 },
  { name: 'trashnet6', atLeast: 0.8, sklearn: 0.807 },
  { name: 'sign-digits10', atLeast: 0.94, sklearn: 0.942 },
  { name: 'magnetic-tile6', atLeast: 0.91, sklearn: 0.917, balanced: { atLeast: 0.84, sklearn: 0.854 } },
  // A small set of two alike classes: its interval says how little the figure does.
  { name: 'caltech-boats' },
]
const balancedOf = ({ per_class }: { per_class: readonly { recall: number }[] }): number =>
  per_class.reduce((sum, { recall }) => sum + recall, 0) / per_class.length
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`

/**
 * Pooled accuracy of K folds with a frozen backbone. Held against figures of folds that know files only, so those are made
 * here, too (`--together copies`); beside them what is found when near-duplicates stay together, as they do by default.
 */
export const run: Bench = async ({ shared, temporary, say }) => {
  const backbones = shared('backbones')
  if (!backbones) return []
  const results: BenchResult[] = []
  const folder = await temporary()
  for (const { name, atLeast, sklearn, balanced } of sets) {
    const data = shared(`data/${name}`)
    if (!data) continue
    say(name)
    const train = (together: string) =>
      kestrelRun(
        [
          ...[data, '--out', join(folder, name), '--backbone', BACKBONE, '--folds', String(FOLDS)],
          ...['--together', together],
        ],
        { KESTREL_HOME: join(folder, 'home'), KESTREL_BACKBONES: backbones },
      )
    const { result, seconds } = await train('copies')
    if (!result.folds) throw new Error('no folds in the result')
    const { pooled, mean, sd } = result.folds
    const [low, high] = pooled.accuracy_ci95
    const group = 'Accuracy: frozen backbone, cross-validation'
    const reference = (value: number) => ({ name: 'scikit-learn on Keras features', value, unit: '' })
    results.push({
      group,
      name,
      value: pooled.accuracy,
      unit: '',
      ...(atLeast === undefined ? {} : { target: { atLeast } }),
      ...(sklearn === undefined ? {} : { reference: reference(sklearn) }),
      note: `${FOLDS} folds over ${result.split.train + result.split.val} pictures, ${BACKBONE}; 95 % interval ${percent(low)} to ${percent(high)}; fold mean ${mean.toFixed(3)}, deviation ${sd.toFixed(3)}; macro F1 ${pooled.macro_f1.toFixed(3)}; ${seconds.toFixed(0)} s`,
    })
    if ((result.sharedShots?.groups ?? 0) > 0) {
      const honest = (await train('shots')).result
      if (!honest.folds) throw new Error('no folds in the result')
      results.push({
        group,
        name: `${name}: near-duplicates kept together`,
        value: honest.folds.pooled.accuracy,
        unit: '',
        note: `${result.sharedShots!.pictures} pictures in ${result.sharedShots!.groups} groups; balanced accuracy ${balancedOf(honest.folds.pooled).toFixed(3)}`,
      })
    }
    if (balanced)
      results.push({
        group,
        name: `${name}: balanced accuracy`,
        value: balancedOf(pooled),
        unit: '',
        target: { atLeast: balanced.atLeast },
        reference: reference(balanced.sklearn),
        note: 'mean of the recalls of the classes',
      })
  }
  return results
}
