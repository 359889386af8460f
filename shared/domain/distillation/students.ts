import { requireSound } from '../network/describe.ts'
import { networkSpecSchema, type NetworkSpec, type NetworkSpecInput } from '../network/spec.ts'

/** Small networks that learn from a large one. */
export const studentIds = ['tiny', 'small', 'medium'] as const
export type StudentId = (typeof studentIds)[number]

/** Pixels, width and height, that students look at when nothing else is asked for. */
export const studentSize = 128

export interface StudentFit {
  /** Pixels, width and height; a multiple of 32, at least 64. */
  size: number
  /** Numbers the last layer gives. */
  outputs: number
}

type LayerInput = NetworkSpecInput['layers'][number]
type InnerInput = Extract<LayerInput, { type: 'residual' }>['layers'][number]

/** Maps after the first convolution and of each halving, blocks per halving, and the length of the features. */
const outlines: Record<
  StudentId,
  { stem: number; stages: readonly { maps: number; blocks: number }[]; features: number }
> = {
  tiny: {
    stem: 16,
    stages: [
      { maps: 24, blocks: 1 },
      { maps: 48, blocks: 1 },
      { maps: 96, blocks: 1 },
      { maps: 160, blocks: 1 },
    ],
    features: 256,
  },
  small: {
    stem: 32,
    stages: [
      { maps: 32, blocks: 1 },
      { maps: 64, blocks: 2 },
      { maps: 128, blocks: 2 },
      { maps: 256, blocks: 1 },
    ],
    features: 512,
  },
  medium: {
    stem: 32,
    stages: [
      { maps: 48, blocks: 2 },
      { maps: 96, blocks: 2 },
      { maps: 192, blocks: 2 },
      { maps: 384, blocks: 1 },
    ],
    features: 768,
  },
}

const relu: InnerInput = { type: 'activation', function: 'relu' }
const batchNorm: InnerInput = { type: 'batch-norm' }
/** Without a bias, since a batch normalisation follows, which has one. */
const conv = (filters: number, size = 3, stride = 1): InnerInput => ({
  type: 'conv',
  filters,
  size,
  stride,
  bias: false,
})

/** He et al. 2016, figure 5 left: two 3×3 convolutions and a way around them. */
const block = (maps: number, stride: number): LayerInput[] => [
  { type: 'residual', layers: [conv(maps, 3, stride), batchNorm, relu, conv(maps), batchNorm] },
  relu,
]

/**
 * A student: a small residual network whose pooled features go through one dense layer. Plain 3×3 convolutions, because
 * on processors they do several times more arithmetic per second than depthwise ones, in training as in use.
 * @throws KestrelError `bad-request` where it does not fit the size.
 */
export function studentNetwork(id: StudentId, { size, outputs }: StudentFit): NetworkSpec {
  const { stem, stages, features } = outlines[id]
  const spec = networkSpecSchema.parse({
    version: 1,
    name: `Student, ${id}`,
    input: { width: size, height: size, channels: 3 },
    layers: [
      ...[conv(stem, 3, 2), batchNorm, relu],
      { type: 'pool', kind: 'max', size: 3, stride: 2, padding: 'same' },
      ...stages.flatMap(({ maps, blocks }, stage) =>
        Array.from({ length: blocks }, (_, index) => block(maps, stage > 0 && index === 0 ? 2 : 1)).flat(),
      ),
      ...[conv(features, 1), batchNorm, relu],
      { type: 'global-pool' },
      { type: 'fc', units: outputs, initialiser: 'lecun-normal' },
    ],
  } satisfies NetworkSpecInput)
  requireSound(spec, outputs)
  return spec
}
