import type { Layer } from './spec.ts'

const square = (size: number): string => `${size}×${size}`

/** A layer in the field's short form: `CONV 3×3, 32 filters`. */
export function layerName(layer: Layer): string {
  switch (layer.type) {
    case 'conv':
      return `CONV ${square(layer.size)}, ${layer.filters} filters`
    case 'depthwise-conv':
      return `DEPTHWISE CONV ${square(layer.size)}`
    case 'separable-conv':
      return `SEPARABLE CONV ${square(layer.size)}, ${layer.filters} filters`
    case 'activation':
      return activationWords[layer.function]
    case 'pool':
      return `${layer.kind === 'max' ? 'MAX' : 'AVERAGE'} POOL ${square(layer.size)}`
    case 'batch-norm':
      return 'BATCH NORM'
    case 'dropout':
      return `DROPOUT ${layer.rate}${layer.drop === 'channels' ? ' of whole channels' : ''}`
    case 'flatten':
      return 'FLATTEN'
    case 'global-pool':
      return `GLOBAL ${layer.kind === 'max' ? 'MAX' : 'AVERAGE'} POOL`
    case 'fc':
      return `FC ${layer.units}`
    case 'squeeze-excite':
      return `SQUEEZE-EXCITE 1:${layer.reduction}`
    case 'residual':
      return 'RESIDUAL'
  }
}

const activationWords: Record<Extract<Layer, { type: 'activation' }>['function'], string> = {
  sigmoid: 'SIGMOID',
  tanh: 'TANH',
  relu: 'RELU',
  relu6: 'RELU 6',
  'leaky-relu': 'LEAKY RELU',
  prelu: 'PRELU',
  elu: 'ELU',
  gelu: 'GELU',
  silu: 'SILU',
  'hard-sigmoid': 'HARD SIGMOID',
  'hard-swish': 'HARD SWISH',
  'hard-tanh': 'HARD TANH',
}

/** Where a layer stands, counted from 1: `layer 3`, `layer 3.2` inside a residual block. */
export const layerPlace = (path: readonly number[]): string =>
  `layer ${path.map((index) => index + 1).join('.')}`

/** `16 maps of 28×28`, `120 numbers` */
export function shapeWords(shape: readonly number[]): string {
  const [channels = 0, height, width] = shape
  return height === undefined ? `${channels} numbers` : `${channels} maps of ${width}×${height}`
}
