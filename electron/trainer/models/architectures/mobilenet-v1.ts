import { convNorm, depthwiseNorm } from '../layers/composites.ts'
import { dense, dropout } from '../layers/dense.ts'
import { NetworkWriter } from '../layers/network-writer.ts'
import { flatten, globalPool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import { rectified, type ArchitectureOptions } from './options.ts'

/** Filters and stride of each depthwise-separable block: Howard et al. 2017, table 1. */
const blocks = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
  [512, 2],
  ...Array.from({ length: 5 }, () => [512, 1] as const),
  [1024, 2],
  [1024, 1],
] as const

/** MobileNet (Howard et al. 2017), padding and rounding as in TensorFlow's reference. */
export function mobilenetV1({ size, classes, seed, width = 1 }: ArchitectureOptions): Network {
  const w = new NetworkWriter('mobilenet_v1', seed)
  const filters = (count: number): number => Math.floor(count * width)
  const common = { initialiser: rectified, activation: 'relu6' } as const
  let x = convNorm(w, w.input([3, size, size]), 'stem', {
    filters: filters(32),
    size: 3,
    stride: 2,
    ...common,
  })
  blocks.forEach(([count, stride], index) => {
    w.startBlock()
    const name = `block_${index + 1}`
    const filtered = depthwiseNorm(w, x, `${name}/depthwise`, { size: 3, stride, ...common })
    x = convNorm(w, filtered, `${name}/pointwise`, { filters: filters(count), size: 1, ...common })
  })
  w.startBlock()
  const features = flatten(w, globalPool(w, x, 'pool', 'average'), 'features')
  const kept = dropout(w, features, 'dropout', 0.001)
  return w.finish(dense(w, kept, 'classifier', { units: classes, initialiser: 'lecun-normal' }))
}
