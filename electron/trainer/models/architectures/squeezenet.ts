import { int } from '../../graph/types.ts'
import { activation } from '../layers/activations.ts'
import { conv, type ConvSettings } from '../layers/convolution.ts'
import { dropout } from '../layers/dense.ts'
import { NetworkWriter, type Flow } from '../layers/network-writer.ts'
import { flatten, globalPool, pool } from '../layers/pooling.ts'
import type { Network } from '../network.ts'
import { rectified, type ArchitectureOptions } from './options.ts'

/** Squeezed filters and those of each half of the expansion; null: pooling. SqueezeNet 1.1 of its authors' repository. */
const modules = [
  null,
  [16, 64],
  [16, 64],
  null,
  [32, 128],
  [32, 128],
  null,
  [48, 192],
  [48, 192],
  [64, 256],
  [64, 256],
] as const

const convRelu = (
  w: NetworkWriter,
  x: Flow,
  name: string,
  settings: Omit<ConvSettings, 'initialiser'>,
): Flow =>
  activation(w, conv(w, x, name, { ...settings, bias: true, initialiser: rectified }), `${name}/relu`, 'relu')

/** Iandola et al. 2016, figure 1: a 1×1 squeeze, then 1×1 and 3×3 filters side by side. */
function fire(w: NetworkWriter, x: Flow, name: string, squeezed: number, expanded: number): Flow {
  w.startBlock()
  const narrow = convRelu(w, x, `${name}/squeeze`, { filters: squeezed, size: 1 })
  const points = convRelu(w, narrow, `${name}/expand_1x1`, { filters: expanded, size: 1 })
  const windows = convRelu(w, narrow, `${name}/expand_3x3`, { filters: expanded, size: 3 })
  const shape = [2 * expanded, ...narrow.shape.slice(1)]
  return w.op(name, 'Concat', [points.value, windows.value], shape, { axis: int(1) })
}

/**
 * SqueezeNet 1.1. Its class scores are a map that is pooled, so that its features are the map before. Poolings round
 * down; at 224 pixels that is the same as rounding up, as Caffe and PyTorch do.
 */
export function squeezenet({ size, classes, seed }: ArchitectureOptions): Network {
  const w = new NetworkWriter('squeezenet', seed)
  const picture = w.input([3, size, size])
  let x = convRelu(w, picture, 'stem', { filters: 64, size: 3, stride: 2, padding: 'valid' })
  modules.forEach((module, index) => {
    x =
      module === null
        ? pool(w, x, `pool_${index + 1}`, { kind: 'max', size: 3, stride: 2, padding: 'valid' })
        : fire(w, x, `fire_${index + 1}`, module[0], module[1])
  })
  w.startBlock()
  const kept = dropout(w, x, 'dropout', 0.5)
  const scores = convRelu(w, kept, 'classifier', { filters: classes, size: 1 })
  return w.finish(flatten(w, globalPool(w, scores, 'pool', 'average'), 'flat'))
}
