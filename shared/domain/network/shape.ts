import { KestrelError } from '../../errors/index.ts'
import { isMisfit, placeWindow, type Window } from './sizes.ts'
import type { InnerLayer, Layer } from './spec.ts'
import { shapeWords } from './words.ts'

/** Of one picture: `[channels, height, width]`, or `[length]` once it is a list of numbers. */
export type Shape = readonly number[]

export interface LayerResult {
  shape: Shape
  /** Learned numbers. */
  parameters: number
  /** Running statistics, which are measured and not learned. */
  statistics: number
}

/** Why a layer cannot stand where it stands, and what would help. */
const problem = (message: string, remedy: string): KestrelError =>
  new KestrelError('bad-request', message, { remedy })

type Map3 = readonly [number, number, number]

function mapsOf(shape: Shape): Map3 {
  const [channels, height, width] = shape
  if (channels === undefined || height === undefined || width === undefined)
    throw problem(
      `it needs maps, and gets a list of ${shapeWords(shape)}.`,
      'Put it before FLATTEN or GLOBAL POOL.',
    )
  return [channels, height, width]
}

function slid(shape: Shape, window: Window): Map3 {
  const [channels, height, width] = mapsOf(shape)
  const along = (size: number): number => {
    const placed = placeWindow(size, window)
    if (isMisfit(placed)) throw problem(placed.message, placed.remedy)
    return placed.output
  }
  return [channels, along(height), along(width)]
}

const biasOf = (layer: { bias: boolean }, units: number): number => (layer.bias ? units : 0)
const free = (shape: Shape): LayerResult => ({ shape, parameters: 0, statistics: 0 })

/** Units between the two dense layers of a squeeze-excite. */
export const squeezedUnits = (channels: number, reduction: number): number =>
  Math.max(1, Math.round(channels / reduction))

/**
 * What comes out of a layer, and how many numbers it learns. For a residual block: of its projection alone; its layers
 * count for themselves.
 * @throws KestrelError `bad-request` where it does not fit to what goes in.
 */
export function layerResult(layer: Layer, input: Shape): LayerResult {
  switch (layer.type) {
    case 'conv': {
      const [channels, height, width] = slid(input, layer)
      const parameters = layer.filters * channels * layer.size ** 2 + biasOf(layer, layer.filters)
      return { shape: [layer.filters, height, width], parameters, statistics: 0 }
    }
    case 'depthwise-conv': {
      const shape = slid(input, layer)
      return { shape, parameters: shape[0] * layer.size ** 2 + biasOf(layer, shape[0]), statistics: 0 }
    }
    case 'separable-conv': {
      const [channels, height, width] = slid(input, layer)
      const parameters = channels * layer.size ** 2 + channels * layer.filters + biasOf(layer, layer.filters)
      return { shape: [layer.filters, height, width], parameters, statistics: 0 }
    }
    case 'activation':
      // PReLU learns one slope per map (He et al. 2015).
      return { shape: input, parameters: layer.function === 'prelu' ? input[0]! : 0, statistics: 0 }
    case 'pool':
      return free(slid(input, layer))
    case 'batch-norm':
      return { shape: input, parameters: 2 * input[0]!, statistics: 2 * input[0]! }
    case 'dropout':
      if (layer.drop === 'channels') mapsOf(input)
      return free(input)
    case 'flatten':
      return free([mapsOf(input).reduce((a, b) => a * b, 1)])
    case 'global-pool':
      return free([mapsOf(input)[0]])
    case 'fc': {
      const [length = 0, ...others] = input
      if (others.length > 0)
        throw problem(
          `it needs a list of numbers, and gets ${shapeWords(input)}.`,
          'Put FLATTEN or GLOBAL POOL before it.',
        )
      const parameters = length * layer.units + biasOf(layer, layer.units)
      return { shape: [layer.units], parameters, statistics: 0 }
    }
    case 'squeeze-excite': {
      const [channels] = mapsOf(input)
      const units = squeezedUnits(channels, layer.reduction)
      return { shape: input, parameters: 2 * channels * units + units + channels, statistics: 0 }
    }
    case 'residual':
      return residualResult(layer.layers, input)
  }
}

/** How what goes into a residual block gets the shape of what comes out: null where it has it already. */
export interface Projection {
  filters: number
  stride: number
  normalised: boolean
}

/** @throws KestrelError `bad-request` where no 1×1 convolution leads from one shape to the other. */
export function projectionOf(layers: readonly InnerLayer[], input: Shape, output: Shape): Projection | null {
  const [channels, height, width] = mapsOf(input)
  const [filters, outHeight, outWidth] = mapsOf(output)
  if (channels === filters && height === outHeight && width === outWidth) return null
  const strideFor = (stride: number): boolean =>
    Math.ceil(height / stride) === outHeight && Math.ceil(width / stride) === outWidth
  const stride = Array.from({ length: Math.max(height, width) }, (_, index) => index + 1).find(strideFor)
  if (stride === undefined)
    throw problem(
      `its layers make ${shapeWords(output)} of ${shapeWords(input)}, which no shortcut can follow.`,
      'Use padding "same" inside, so that only strides change the size.',
    )
  return { filters, stride, normalised: layers.some((layer) => layer.type === 'batch-norm') }
}

function residualResult(layers: readonly InnerLayer[], input: Shape): LayerResult {
  mapsOf(input)
  const output = layers.reduce<Shape>((shape, layer) => layerResult(layer, shape).shape, input)
  const projection = projectionOf(layers, input, output)
  if (projection === null) return free(output)
  // With a normalisation behind it, a bias would do nothing.
  const weights = projection.filters * input[0]!
  return projection.normalised
    ? { shape: output, parameters: weights + 2 * projection.filters, statistics: 2 * projection.filters }
    : { shape: output, parameters: weights + projection.filters, statistics: 0 }
}
