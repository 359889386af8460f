import type { ActivationName } from '#shared/domain/network/index.ts'
import { add, convNorm, depthwiseNorm, squeezeExcite } from '../layers/composites.ts'
import type { Flow, NetworkWriter } from '../layers/network-writer.ts'
import { rectified } from './options.ts'

export interface InvertedResidual {
  /** Filters inside; as many as come in: no expansion. */
  expanded: number
  filters: number
  size: number
  stride: number
  activation: ActivationName
  squeeze?: { units: number; inner: ActivationName; gate: ActivationName }
}

/**
 * 1×1 expansion → depthwise → squeeze-and-excitation where there is one → linear 1×1 projection, added to what came in
 * where the shapes allow it (Sandler et al. 2018, figure 4; with SE: Howard et al. 2019, figure 4).
 */
export function invertedResidual(w: NetworkWriter, x: Flow, name: string, block: InvertedResidual): Flow {
  const { expanded, filters, size, stride, activation, squeeze } = block
  w.startBlock()
  const common = { initialiser: rectified, activation }
  const wide =
    expanded === x.shape[0] ? x : convNorm(w, x, `${name}/expand`, { filters: expanded, size: 1, ...common })
  const filtered = depthwiseNorm(w, wide, `${name}/depthwise`, { size, stride, ...common })
  const weighed = squeeze
    ? squeezeExcite(w, filtered, `${name}/excite`, { ...squeeze, initialiser: rectified })
    : filtered
  return projected(w, x, weighed, name, filters, stride)
}

/** The linear end of a block, and its shortcut. */
export function projected(
  w: NetworkWriter,
  x: Flow,
  wide: Flow,
  name: string,
  filters: number,
  stride: number,
): Flow {
  const narrow = convNorm(w, wide, `${name}/project`, { filters, size: 1, initialiser: rectified })
  return stride === 1 && filters === x.shape[0] ? add(w, narrow, x, `${name}/add`) : narrow
}
