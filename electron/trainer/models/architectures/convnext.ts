import { add } from '../layers/composites.ts'
import { conv, depthwise } from '../layers/convolution.ts'
import { dense } from '../layers/dense.ts'
import { NetworkWriter, type Flow } from '../layers/network-writer.ts'
import { layerNorm } from '../layers/normalisation.ts'
import { flatten, globalPool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import type { ArchitectureOptions } from './options.ts'
import { feedForward, narrow, turn } from './tokens.ts'

/** Blocks and filters of each stage: Liu et al. 2022, section 3, ConvNeXt-T. */
const stages = [
  [3, 96],
  [3, 192],
  [9, 384],
  [3, 768],
] as const

const channelsLast = (w: NetworkWriter, x: Flow, name: string): Flow => turn(w, x, name, [2, 3, 1])
const channelsFirst = (w: NetworkWriter, x: Flow, name: string): Flow => turn(w, x, name, [3, 1, 2])

/** Layer normalisation of a map, over its channels. */
function mapNorm(w: NetworkWriter, x: Flow, name: string): Flow {
  const normal = layerNorm(w, channelsLast(w, x, `${name}/to_last`), name)
  return channelsFirst(w, normal, `${name}/to_first`)
}

/** Liu et al. 2022, figure 4, with a learned weight per channel on the branch ("layer scale", 1e-6 at first). */
function block(w: NetworkWriter, x: Flow, name: string): Flow {
  const settings = { size: 7, padding: 3, bias: true, initialiser: narrow } as const
  const filtered = depthwise(w, x, `${name}/depthwise`, settings)
  const normal = layerNorm(w, channelsLast(w, filtered, `${name}/to_last`), `${name}/norm`)
  const mixed = feedForward(w, normal, `${name}/mlp`)
  const scale = w.filled(`${name}/layer_scale`, [x.shape[0] ?? 1], 'scale', 1e-6)
  const scaled = w.op(`${name}/scaled`, 'Mul', [mixed.value, scale], mixed.shape)
  return add(w, x, channelsFirst(w, scaled, `${name}/to_first`), `${name}/add`)
}

/** ConvNeXt-T (Liu et al. 2022). */
export function convnextTiny({ size, classes, seed }: ArchitectureOptions): Network {
  const w = new NetworkWriter('convnext_tiny', seed)
  const patches = { padding: 'valid', bias: true, initialiser: narrow } as const
  const picture = w.input([3, size, size])
  let x = mapNorm(w, conv(w, picture, 'stem', { filters: 96, size: 4, stride: 4, ...patches }), 'stem/norm')
  let count = 0
  stages.forEach(([repeats, filters], stage) => {
    for (let repeat = 0; repeat < repeats; repeat++) {
      w.startBlock()
      if (stage > 0 && repeat === 0) {
        const normal = mapNorm(w, x, `downsample_${stage}/norm`)
        x = conv(w, normal, `downsample_${stage}`, { filters, size: 2, stride: 2, ...patches })
      }
      x = block(w, x, `block_${++count}`)
    }
  })
  w.startBlock()
  const features = flatten(w, globalPool(w, x, 'pool', 'average'), 'features')
  const normal = layerNorm(w, features, 'norm')
  return w.finish(dense(w, normal, 'classifier', { units: classes, initialiser: narrow }))
}
