import { KestrelError } from '../../errors/index.ts'
import { requireSound } from './describe.ts'
import { networkLimits, networkSpecSchema, type NetworkSpec, type NetworkSpecInput } from './spec.ts'

/** Networks to begin with. */
export const templateIds = ['small-cnn', 'lenet-5', 'small-vgg', 'small-resnet', 'mobilenet-like'] as const
export type TemplateId = (typeof templateIds)[number]

/** The picture size of "From scratch": what learns in minutes on two cores. */
export const scratchSize = 64

export interface TemplateFit {
  /** Pixels, width and height. */
  size: number
  classes: number
  /** 3: colour; 1: grey. */
  channels?: 1 | 3
}

type LayerInput = NetworkSpecInput['layers'][number]
type InnerInput = Extract<LayerInput, { type: 'residual' }>['layers'][number]
type Outline = Pick<NetworkSpecInput, 'name' | 'preprocessing' | 'initialiser' | 'layers'>

/** Below this, a template has nothing left to look at after its poolings. */
const smallest = 16

/**
 * A template fitted to the size of the pictures and the number of classes: the larger the pictures, the more often the
 * maps are halved.
 * @throws KestrelError `bad-request` for pictures under 16 pixels or too large for it, and for fewer than two classes.
 */
export function templateNetwork(id: TemplateId, { size, classes, channels = 3 }: TemplateFit): NetworkSpec {
  if (size < smallest)
    throw new KestrelError('bad-request', `Pictures of ${size} pixels are too small for this network.`, {
      remedy: `Use at least ${smallest} pixels.`,
    })
  if (classes < 2) throw new KestrelError('bad-request', 'A network needs at least two labels to tell apart.')
  const parsed = networkSpecSchema.safeParse({
    version: 1,
    input: { width: size, height: size, channels },
    ...outlines[id](size, classes),
  })
  if (!parsed.success)
    throw new KestrelError(
      'bad-request',
      `No network can be made for pictures of ${size} pixels and ${classes} labels.`,
      { remedy: `Use pictures of at most ${networkLimits.side} pixels.` },
    )
  requireSound(parsed.data, classes)
  return parsed.data
}

/** Halvings after which about 8 × 8 pixels are left. */
const halvings = (size: number): number => Math.min(6, Math.max(1, Math.round(Math.log2(size / 8))))

const relu: InnerInput = { type: 'activation', function: 'relu' }
const relu6: InnerInput = { type: 'activation', function: 'relu6' }
const batchNorm: InnerInput = { type: 'batch-norm' }
/** `same` only matters for maps of odd size, whose last row would be lost. */
const halve: InnerInput = { type: 'pool', kind: 'max', size: 2, stride: 2, padding: 'same' }
/** Without a bias, since a batch normalisation follows, which has one. */
const conv = (filters: number, size = 3, stride = 1): InnerInput => ({
  type: 'conv',
  filters,
  size,
  stride,
  bias: false,
})
/** The last layer has no ReLU behind it: weights of deviation 1/√n keep the first logits near 0 … 1 in size. */
const classifier = (classes: number): LayerInput => ({
  type: 'fc',
  units: classes,
  initialiser: 'lecun-normal',
})

/** Widths that double with each halving, up to four times the first. */
const width = (first: number, step: number): number => first * 2 ** Math.min(step, 2)

const outlines: Record<TemplateId, (size: number, classes: number) => Outline> = {
  /**
   * 3×3 convolution → pooling → batch normalisation → ReLU, as often as the size wants. Normalising after the pooling
   * is a quarter of the work.
   */
  'small-cnn': (size, classes) => ({
    name: 'Small CNN',
    layers: [
      ...Array.from({ length: halvings(size) }, (_, step) => [
        conv(width(32, step)),
        halve,
        batchNorm,
        relu,
      ]).flat(),
      { type: 'global-pool' },
      classifier(classes),
    ],
  }),

  /** LeCun et al. 1998, section II.B, with plain average pooling: 61,706 numbers for 32 × 32 grey and 10 classes. */
  'lenet-5': (_size, classes) => {
    const tanh: LayerInput = { type: 'activation', function: 'tanh' }
    const pool: LayerInput = { type: 'pool', kind: 'average', size: 2, stride: 2, padding: 'same' }
    return {
      name: 'LeNet-5',
      initialiser: 'lecun-normal',
      layers: [
        { type: 'conv', filters: 6, size: 5, padding: 'valid' },
        tanh,
        pool,
        { type: 'conv', filters: 16, size: 5, padding: 'valid' },
        tanh,
        pool,
        { type: 'flatten' },
        { type: 'fc', units: 120 },
        tanh,
        { type: 'fc', units: 84 },
        tanh,
        classifier(classes),
      ],
    }
  },

  /** Simonyan & Zisserman 2015: pairs of 3×3 convolutions, then halved and widened; batch-normalised, in small. */
  'small-vgg': (size, classes) => ({
    name: 'Small VGG',
    layers: [
      ...Array.from({ length: halvings(size) }, (_, step): LayerInput[] => [
        ...[conv(width(32, step)), batchNorm, relu],
        ...[conv(width(32, step)), batchNorm, relu],
        halve,
      ]).flat(),
      { type: 'flatten' },
      { type: 'dropout', rate: 0.5 },
      { type: 'fc', units: 128 },
      relu,
      { type: 'dropout', rate: 0.5 },
      classifier(classes),
    ],
  }),

  /** He et al. 2016, section 4.2 (the networks for CIFAR), with two blocks per stage and wider. */
  'small-resnet': (size, classes) => {
    const block = (filters: number, stride: number): LayerInput[] => [
      { type: 'residual', layers: [conv(filters, 3, stride), batchNorm, relu, conv(filters), batchNorm] },
      relu,
    ]
    // The first halvings of large pictures are left to the stem: residual blocks at full size cost the most.
    const stages = Math.min(3, halvings(size))
    const early = halvings(size) - stages
    return {
      name: 'Small ResNet',
      layers: [
        ...[conv(32, 3, 2), batchNorm, relu],
        ...Array.from({ length: early }, () => halve),
        ...Array.from({ length: stages }, (_, step) => [
          ...block(width(32, step), step === 0 ? 1 : 2),
          ...block(width(32, step), 1),
        ]).flat(),
        { type: 'global-pool' },
        classifier(classes),
      ],
    }
  },

  /** Howard et al. 2017: depthwise and 1×1 convolutions in turn. */
  'mobilenet-like': (size, classes) => {
    const block = (filters: number, stride: number): LayerInput[] => [
      { type: 'depthwise-conv', size: 3, stride, bias: false },
      ...[batchNorm, relu6, conv(filters, 1), batchNorm, relu6],
    ]
    return {
      name: 'MobileNet-like',
      layers: [
        ...[conv(32, 3, 2), batchNorm, relu6],
        ...block(64, 1),
        ...Array.from({ length: Math.max(1, halvings(size) - 1) }, (_, step) => [
          ...block(width(128, step), 2),
          ...block(width(128, step), 1),
        ]).flat(),
        { type: 'global-pool' },
        { type: 'dropout', rate: 0.2 },
        classifier(classes),
      ],
    }
  },
}
