import {
  projectionOf,
  requireSound,
  squeezedUnits,
  type Initialiser,
  type InnerLayer,
  type Layer,
  type LayerOf,
  type NetworkSpec,
} from '#shared/domain/network/index.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Network } from '../network.ts'
import { activation } from './activations.ts'
import { add, squeezeExcite } from './composites.ts'
import { conv, depthwise } from './convolution.ts'
import { dense, dropout } from './dense.ts'
import { NetworkWriter, type Flow } from './network-writer.ts'
import { batchNorm } from './normalisation.ts'
import { flatten, globalPool, pool } from './pooling.ts'
import { scaleInput, type FittedScaling } from './preprocessing.ts'

export interface BuildOptions {
  /** Of the first weights: same description and seed, same weights. */
  seed: number
  /** What was measured on the training pictures; its kind is the description's. Left out where nothing is. */
  scaling?: FittedScaling
}

/**
 * The network that a description describes: `input` float32 [batch, channels, height, width], −1 … 1 → `logits`
 * [batch, units of the last layer]. Biases and shifts begin at 0, scales at 1.
 * @throws KestrelError `bad-request` where a layer does not fit to the one before it.
 */
export function buildNetwork(spec: NetworkSpec, { seed, scaling = { kind: 'none' } }: BuildOptions): Network {
  requireSound(spec)
  if (scaling.kind !== spec.preprocessing)
    throw new KestrelError(
      'internal',
      `The network wants the preprocessing "${spec.preprocessing}" and gets "${scaling.kind}".`,
    )
  const w = new NetworkWriter(spec.name, seed)
  const { channels, height, width } = spec.input
  const picture = scaleInput(w, w.input([channels, height, width]), scaling)
  const logits = spec.layers.reduce((x, layer, index) => {
    if (startsBlock.has(layer.type)) w.startBlock()
    return writeLayer(w, x, layer, `${index + 1}_${layer.type}`, spec.initialiser)
  }, picture)
  return w.finish(logits)
}

/** Layers with neurons of their own; the rest goes with the layer before it. */
const startsBlock: ReadonlySet<Layer['type']> = new Set<Layer['type']>([
  'conv',
  'depthwise-conv',
  'separable-conv',
  'residual',
  'fc',
])

function writeLayer(w: NetworkWriter, x: Flow, layer: Layer, name: string, usual: Initialiser): Flow {
  switch (layer.type) {
    case 'conv':
      return conv(w, x, name, { ...layer, initialiser: layer.initialiser ?? usual })
    case 'depthwise-conv':
      return depthwise(w, x, name, { ...layer, initialiser: layer.initialiser ?? usual })
    case 'separable-conv':
      return separable(w, x, name, layer, usual)
    case 'activation':
      return activation(w, x, name, layer.function, layer.slope)
    case 'pool':
      return pool(w, x, name, layer)
    case 'batch-norm':
      return batchNorm(w, x, name, layer.epsilon)
    case 'dropout':
      return dropout(w, x, name, layer.rate, layer.drop === 'channels')
    case 'flatten':
      return flatten(w, x, name)
    case 'global-pool':
      return flatten(w, globalPool(w, x, `${name}/pool`, layer.kind), name)
    case 'fc':
      return dense(w, x, name, { ...layer, initialiser: layer.initialiser ?? usual })
    case 'squeeze-excite':
      return squeezeExcite(w, x, name, {
        units: squeezedUnits(x.shape[0] ?? 1, layer.reduction),
        inner: 'relu',
        gate: 'sigmoid',
        initialiser: layer.initialiser ?? usual,
      })
    case 'residual':
      return residual(w, x, name, layer.layers, usual)
  }
}

function separable(
  w: NetworkWriter,
  x: Flow,
  name: string,
  layer: LayerOf<'separable-conv'>,
  usual: Initialiser,
): Flow {
  const { filters, size, stride, padding, bias, initialiser = usual } = layer
  const maps = depthwise(w, x, `${name}/depthwise`, { size, stride, padding, initialiser })
  return conv(w, maps, name, { filters, size: 1, bias, initialiser })
}

function residual(
  w: NetworkWriter,
  x: Flow,
  name: string,
  layers: readonly InnerLayer[],
  usual: Initialiser,
): Flow {
  const made = layers.reduce(
    (flow, layer, index) => writeLayer(w, flow, layer, `${name}/${index + 1}_${layer.type}`, usual),
    x,
  )
  const projection = projectionOf(layers, x.shape, made.shape)
  if (projection === null) return add(w, made, x, name)
  const { filters, stride, normalised } = projection
  const settings = {
    filters,
    stride,
    size: 1,
    padding: 'valid',
    bias: !normalised,
    initialiser: usual,
  } as const
  const shortcut = conv(w, x, `${name}/projection`, settings)
  return add(w, made, normalised ? batchNorm(w, shortcut, `${name}/projection/norm`) : shortcut, name)
}
