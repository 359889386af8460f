import { convNorm } from '../layers/composites.ts'
import { dense, dropout } from '../layers/dense.ts'
import { NetworkWriter } from '../layers/network-writer.ts'
import { flatten, globalPool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import { invertedResidual } from './inverted-residual.ts'
import { rectified, roundFilters, type ArchitectureOptions } from './options.ts'

/** Expansion, filters, repeats, stride of the first: Sandler et al. 2018, table 2. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const

/** MobileNetV2 (Sandler et al. 2018): 17 inverted residual blocks. The last convolution never gets narrower. */
export function mobilenetV2({ size, classes, seed, width = 1 }: ArchitectureOptions): Network {
  const w = new NetworkWriter('mobilenet_v2', seed)
  const common = { initialiser: rectified, activation: 'relu6' } as const
  const stem = { filters: roundFilters(32 * width), size: 3, stride: 2, ...common }
  let x = convNorm(w, w.input([3, size, size]), 'stem', stem)
  let count = 0
  for (const [expansion, filters, repeats, stride] of stages)
    for (let repeat = 0; repeat < repeats; repeat++)
      x = invertedResidual(w, x, `block_${++count}`, {
        expanded: expansion * (x.shape[0] ?? 1),
        filters: roundFilters(filters * width),
        size: 3,
        stride: repeat === 0 ? stride : 1,
        activation: 'relu6',
      })
  x = convNorm(w, x, 'last', { filters: roundFilters(1280 * Math.max(1, width)), size: 1, ...common })
  w.startBlock()
  const features = flatten(w, globalPool(w, x, 'pool', 'average'), 'features')
  const kept = dropout(w, features, 'dropout', 0.2)
  return w.finish(dense(w, kept, 'classifier', { units: classes, initialiser: 'lecun-normal' }))
}
