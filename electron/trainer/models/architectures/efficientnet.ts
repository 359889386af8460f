import { convNorm } from '../layers/composites.ts'
import { dense, dropout } from '../layers/dense.ts'
import { NetworkWriter, type Flow } from '../layers/network-writer.ts'
import { flatten, globalPool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import { invertedResidual, projected } from './inverted-residual.ts'
import { rectified, type ArchitectureOptions } from './options.ts'

interface Stage {
  /** One whole convolution in place of expansion and depthwise one (Gupta & Akin 2019). */
  fused: boolean
  size: number
  repeats: number
  filters: number
  expansion: number
  stride: number
}

const stage = (
  fused: boolean,
  [size, repeats, filters, expansion, stride]: readonly [number, number, number, number, number],
): Stage => ({ fused, size, repeats, filters, expansion, stride })

/** Tan & Le 2019, table 1. */
const b0 = [
  stage(false, [3, 1, 16, 1, 1]),
  stage(false, [3, 2, 24, 6, 2]),
  stage(false, [5, 2, 40, 6, 2]),
  stage(false, [3, 3, 80, 6, 2]),
  stage(false, [5, 3, 112, 6, 1]),
  stage(false, [5, 4, 192, 6, 2]),
  stage(false, [3, 1, 320, 6, 1]),
]

/** EfficientNetV2-B0 of Tan & Le 2021's reference implementation. */
const v2b0 = [
  stage(true, [3, 1, 16, 1, 1]),
  stage(true, [3, 2, 32, 4, 2]),
  stage(true, [3, 2, 48, 4, 2]),
  stage(false, [3, 3, 96, 4, 2]),
  stage(false, [3, 5, 112, 6, 1]),
  stage(false, [3, 8, 192, 6, 2]),
]

function fusedBlock(w: NetworkWriter, x: Flow, name: string, block: Omit<Stage, 'fused' | 'repeats'>): Flow {
  const { size, filters, expansion, stride } = block
  w.startBlock()
  const common = { size, stride, initialiser: rectified, activation: 'silu' } as const
  if (expansion === 1) return convNorm(w, x, `${name}/project`, { filters, ...common })
  const expanded = expansion * (x.shape[0] ?? 1)
  const wide = convNorm(w, x, `${name}/expand`, { filters: expanded, ...common })
  return projected(w, x, wide, name, filters, stride)
}

function efficientnet(
  name: string,
  stages: readonly Stage[],
  { size, classes, seed }: ArchitectureOptions,
): Network {
  const w = new NetworkWriter(name, seed)
  const common = { initialiser: rectified, activation: 'silu' } as const
  let x = convNorm(w, w.input([3, size, size]), 'stem', { filters: 32, size: 3, stride: 2, ...common })
  let count = 0
  for (const { fused, repeats, ...each } of stages)
    for (let repeat = 0; repeat < repeats; repeat++) {
      const block = { ...each, stride: repeat === 0 ? each.stride : 1 }
      const title = `block_${++count}`
      const channels = x.shape[0] ?? 1
      x = fused
        ? fusedBlock(w, x, title, block)
        : invertedResidual(w, x, title, {
            ...block,
            expanded: block.expansion * channels,
            activation: 'silu',
            // A quarter of what comes in, not of what is expanded.
            squeeze: { units: Math.max(1, Math.floor(channels / 4)), inner: 'silu', gate: 'sigmoid' },
          })
    }
  x = convNorm(w, x, 'last', { filters: 1280, size: 1, ...common })
  w.startBlock()
  const features = flatten(w, globalPool(w, x, 'pool', 'average'), 'features')
  const kept = dropout(w, features, 'dropout', 0.2)
  return w.finish(dense(w, kept, 'classifier', { units: classes, initialiser: 'lecun-normal' }))
}

export const efficientnetB0 = (options: ArchitectureOptions): Network =>
  efficientnet('efficientnet_b0', b0, options)

export const efficientnetV2B0 = (options: ArchitectureOptions): Network =>
  efficientnet('efficientnet_v2_b0', v2b0, options)
