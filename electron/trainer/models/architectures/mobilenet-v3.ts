import type { ActivationName } from '#shared/domain/network/index.ts'
import { activation } from '../layers/activations.ts'
import { convNorm } from '../layers/composites.ts'
import { dense, dropout } from '../layers/dense.ts'
import { NetworkWriter } from '../layers/network-writer.ts'
import { flatten, globalPool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import { invertedResidual } from './inverted-residual.ts'
import { rectified, roundFilters, type ArchitectureOptions } from './options.ts'

/** Size, filters inside, filters, squeeze-and-excitation, activation, stride. */
type Row = readonly [3 | 5, number, number, boolean, ActivationName, 1 | 2]

/** Howard et al. 2019, table 1. */
const large: readonly Row[] = [
  [3, 16, 16, false, 'relu', 1],
  [3, 64, 24, false, 'relu', 2],
  [3, 72, 24, false, 'relu', 1],
  [5, 72, 40, true, 'relu', 2],
  [5, 120, 40, true, 'relu', 1],
  [5, 120, 40, true, 'relu', 1],
  [3, 240, 80, false, 'hard-swish', 2],
  [3, 200, 80, false, 'hard-swish', 1],
  [3, 184, 80, false, 'hard-swish', 1],
  [3, 184, 80, false, 'hard-swish', 1],
  [3, 480, 112, true, 'hard-swish', 1],
  [3, 672, 112, true, 'hard-swish', 1],
  [5, 672, 160, true, 'hard-swish', 2],
  [5, 960, 160, true, 'hard-swish', 1],
  [5, 960, 160, true, 'hard-swish', 1],
]

/** Howard et al. 2019, table 2. */
const small: readonly Row[] = [
  [3, 16, 16, true, 'relu', 2],
  [3, 72, 24, false, 'relu', 2],
  [3, 88, 24, false, 'relu', 1],
  [5, 96, 40, true, 'hard-swish', 2],
  [5, 240, 40, true, 'hard-swish', 1],
  [5, 240, 40, true, 'hard-swish', 1],
  [5, 120, 48, true, 'hard-swish', 1],
  [5, 144, 48, true, 'hard-swish', 1],
  [5, 288, 96, true, 'hard-swish', 2],
  [5, 576, 96, true, 'hard-swish', 1],
  [5, 576, 96, true, 'hard-swish', 1],
]

function mobilenetV3(
  name: string,
  rows: readonly Row[],
  hidden: number,
  { size, classes, seed }: ArchitectureOptions,
): Network {
  const w = new NetworkWriter(name, seed)
  const common = { initialiser: rectified, activation: 'hard-swish' } as const
  let x = convNorm(w, w.input([3, size, size]), 'stem', { filters: 16, size: 3, stride: 2, ...common })
  rows.forEach(([window, expanded, filters, excited, kind, stride], index) => {
    const squeeze = { units: roundFilters(expanded / 4), inner: 'relu', gate: 'hard-sigmoid' } as const
    x = invertedResidual(w, x, `block_${index + 1}`, {
      ...{ expanded, filters, size: window, stride, activation: kind },
      ...(excited ? { squeeze } : {}),
    })
  })
  x = convNorm(w, x, 'last', { filters: rows.at(-1)![1], size: 1, ...common })
  w.startBlock()
  const features = flatten(w, globalPool(w, x, 'pool', 'average'), 'features')
  const mixed = dense(w, features, 'hidden', { units: hidden, initialiser: rectified })
  const active = dropout(w, activation(w, mixed, 'hidden/hard-swish', 'hard-swish'), 'dropout', 0.2)
  return w.finish(dense(w, active, 'classifier', { units: classes, initialiser: 'lecun-normal' }))
}

export const mobilenetV3Large = (options: ArchitectureOptions): Network =>
  mobilenetV3('mobilenet_v3_large', large, 1280, options)

export const mobilenetV3Small = (options: ArchitectureOptions): Network =>
  mobilenetV3('mobilenet_v3_small', small, 1024, options)
