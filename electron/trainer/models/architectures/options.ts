import type { Initialiser } from '#shared/domain/network/index.ts'

export interface ArchitectureOptions {
  /** Pixels, width and height of the picture. */
  size: number
  classes: number
  /** Of the first weights. */
  seed: number
  /** Factor on the number of filters ("alpha"), for the MobileNets 1 and 2. Default 1. */
  width?: number
}

/** What the published networks of convolution and ReLU begin with (He et al. 2015). */
export const rectified: Initialiser = 'he-normal'

/**
 * The multiple of 8 that is nearest to `filters`, never more than a tenth below it: the rule of all MobileNets and
 * EfficientNets since the second (Sandler et al. 2018, reference implementation).
 */
export function roundFilters(filters: number): number {
  const rounded = Math.max(8, Math.floor((filters + 4) / 8) * 8)
  return rounded < 0.9 * filters ? rounded + 8 : rounded
}
