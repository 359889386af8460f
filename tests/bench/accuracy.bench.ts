import { join } from 'node:path'
import { kestrelRun } from './kestrel.ts'
import type { Bench, BenchResult } from './types.ts'

const BACKBONE = 'mobilenet_v2_1.0_224'
const FOLDS = 10
/** What the issue asks for, and what scikit-learn reaches on Keras' features of the same files. */
const sets = [
  { name: 'flowers5', atLeast: 0.85, sklearn: 0.87 },
  { name: 'trashnet6', atLeast: 0.79, sklearn: 0.807 },
  { name: 'sign-digits10', atLeast: 0.935, sklearn: 0.942 },
  { name: 'magnetic-tile6', atLeast: 0.9, sklearn: 0.917 },
]

/** Pooled accuracy of K folds with a frozen backbone. */
export const run: Bench = async ({ shared, temporary, say }) => {
  const backbones = shared('backbones')
  if (!backbones) return []
  const results: BenchResult[] = []
  const folder = await temporary()
  for (const { name, atLeast, sklearn } of sets) {
    const data = shared(`data/${name}`)
    if (!data) continue
    say(name)
    const { result, seconds } = await kestrelRun(
      [data, '--out', join(folder, name), '--backbone', BACKBONE, '--folds', String(FOLDS)],
      { KESTREL_HOME: join(folder, 'home'), KESTREL_BACKBONES: backbones },
    )
    if (!result.folds) throw new Error('no folds in the result')
    results.push({
      group: 'Accuracy: frozen backbone, cross-validation',
      name,
      value: result.folds.pooled.accuracy,
      unit: '',
      target: { atLeast },
      reference: { name: 'scikit-learn on Keras features', value: sklearn, unit: '' },
      note: `${FOLDS} folds over ${result.split.train + result.split.val} pictures, ${BACKBONE}; fold mean ${result.folds.mean.toFixed(3)}, deviation ${result.folds.sd.toFixed(3)}; macro F1 ${result.folds.pooled.macro_f1.toFixed(3)}; ${seconds.toFixed(0)} s`,
    })
  }
  return results
}
