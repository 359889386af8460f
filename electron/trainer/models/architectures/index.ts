import { KestrelError } from '#shared/errors/index.ts'
import type { Network } from '../network.ts'
import { convnextTiny } from './convnext.ts'
import { efficientnetB0, efficientnetV2B0 } from './efficientnet.ts'
import { mobilenetV1 } from './mobilenet-v1.ts'
import { mobilenetV2 } from './mobilenet-v2.ts'
import { mobilenetV3Large, mobilenetV3Small } from './mobilenet-v3.ts'
import type { ArchitectureOptions } from './options.ts'
import { resnet18, resnet50 } from './resnet.ts'
import { squeezenet } from './squeezenet.ts'
import { vitTiny } from './vit.ts'

export type { ArchitectureOptions } from './options.ts'

/**
 * Published networks, with first weights drawn from a seed: `input` float32 [batch, 3, size, size] → `logits` [batch,
 * classes]. What they want their pictures scaled to is a matter of the weights that are put in.
 */
export const architectures = {
  mobilenet_v1: mobilenetV1,
  mobilenet_v2: mobilenetV2,
  mobilenet_v3_small: mobilenetV3Small,
  mobilenet_v3_large: mobilenetV3Large,
  efficientnet_b0: efficientnetB0,
  efficientnet_v2_b0: efficientnetV2B0,
  resnet18,
  resnet50,
  squeezenet,
  convnext_tiny: convnextTiny,
  vit_tiny: vitTiny,
} satisfies Record<string, (options: ArchitectureOptions) => Network>

export type ArchitectureId = keyof typeof architectures
export const architectureIds = Object.keys(architectures) as ArchitectureId[]

/** Those that are published in several widths. */
const widths: Partial<Record<ArchitectureId, readonly number[]>> = {
  mobilenet_v1: [0.25, 0.5, 0.75, 1],
  mobilenet_v2: [0.35, 0.5, 0.75, 1, 1.3, 1.4],
}

/** @throws KestrelError `bad-request` for a width that is not published. */
export function buildArchitecture(id: ArchitectureId, options: ArchitectureOptions): Network {
  const { width = 1 } = options
  if (!(widths[id] ?? [1]).includes(width))
    throw new KestrelError('bad-request', `There is no ${id} of ${width} times the width.`)
  return architectures[id](options)
}
