import { activation } from '../layers/activations.ts'
import { add, convNorm, type ConvNormSettings } from '../layers/composites.ts'
import { dense } from '../layers/dense.ts'
import { NetworkWriter, type Flow } from '../layers/network-writer.ts'
import { flatten, globalPool, pool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import { rectified, type ArchitectureOptions } from './options.ts'

/** Zeros on both sides alike and ε as in PyTorch's reference. */
const norm = (
  w: NetworkWriter,
  x: Flow,
  name: string,
  settings: Pick<ConvNormSettings, 'filters' | 'size' | 'stride' | 'activation'>,
): Flow =>
  convNorm(w, x, name, {
    ...settings,
    padding: (settings.size - 1) / 2,
    initialiser: rectified,
    epsilon: 1e-5,
  })

type Body = (w: NetworkWriter, x: Flow, name: string, filters: number, stride: number) => Flow

/** Two 3×3 convolutions: He et al. 2016, figure 5 left. */
const basic: Body = (w, x, name, filters, stride) => {
  const first = norm(w, x, `${name}/conv_1`, { filters, size: 3, stride, activation: 'relu' })
  return norm(w, first, `${name}/conv_2`, { filters, size: 3 })
}

/** 1×1, 3×3, 1×1: figure 5 right, the stride in the 3×3 one ("v1.5"). */
const bottleneck: Body = (w, x, name, filters, stride) => {
  const narrow = norm(w, x, `${name}/reduce`, { filters, size: 1, activation: 'relu' })
  const filtered = norm(w, narrow, `${name}/filter`, { filters, size: 3, stride, activation: 'relu' })
  return norm(w, filtered, `${name}/expand`, { filters: 4 * filters, size: 1 })
}

function resnet(
  name: string,
  body: Body,
  repeats: readonly number[],
  { size, classes, seed }: ArchitectureOptions,
): Network {
  const w = new NetworkWriter(name, seed)
  const picture = w.input([3, size, size])
  const stem = norm(w, picture, 'stem', { filters: 64, size: 7, stride: 2, activation: 'relu' })
  let x = pool(w, stem, 'stem/pool', { kind: 'max', size: 3, stride: 2, padding: 1 })
  repeats.forEach((count, stage) => {
    for (let repeat = 0; repeat < count; repeat++) {
      const title = `stage_${stage + 1}/block_${repeat + 1}`
      const stride = stage > 0 && repeat === 0 ? 2 : 1
      w.startBlock()
      const made = body(w, x, title, 64 * 2 ** stage, stride)
      const filters = made.shape[0] ?? 1
      const shortcut =
        stride === 1 && filters === x.shape[0]
          ? x
          : norm(w, x, `${title}/shortcut`, { filters, size: 1, stride })
      x = activation(w, add(w, made, shortcut, `${title}/add`), `${title}/relu`, 'relu')
    }
  })
  w.startBlock()
  const features = flatten(w, globalPool(w, x, 'pool', 'average'), 'features')
  return w.finish(dense(w, features, 'classifier', { units: classes, initialiser: 'lecun-normal' }))
}

/** He et al. 2016, table 1. */
export const resnet18 = (options: ArchitectureOptions): Network =>
  resnet('resnet18', basic, [2, 2, 2, 2], options)

export const resnet50 = (options: ArchitectureOptions): Network =>
  resnet('resnet50', bottleneck, [3, 4, 6, 3], options)
