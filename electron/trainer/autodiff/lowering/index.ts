import { prune } from '../../graph/edit.ts'
import { trainingDomain } from '../../graph/training-operators.ts'
import type { Graph } from '../../graph/types.ts'
import { simplify } from './peepholes/index.ts'
import { rewrite } from './rewrite.ts'
import { shareCommon } from './share.ts'

/**
 * What a device computes best. Found out once per process by a probe (`probeCpu`), never assumed: the block size of the
 * runtime's own layout depends on the processor, and its operators are not documented.
 */
export interface LoweringTarget {
  kind: 'standard' | 'nchwc'
  /** Channels per block of the runtime's own layout; 1 with `standard`. */
  block: number
}

export const standardTarget: LoweringTarget = { kind: 'standard', block: 1 }

/**
 * Turns the training operators of a graph into operators that ONNX Runtime has, and, with `nchwc`, convolutions whose
 * weights change into its own layout. All shapes must be known. A graph without training operators is returned as it is.
 * @throws KestrelError `operator-unsupported` for windows of other than two axes, `internal` where a shape is not known.
 */
export function lower(graph: Graph, target: LoweringTarget = standardTarget): Graph {
  if (!graph.nodes.some(({ domain }) => domain === trainingDomain)) return graph
  return shareCommon(rewrite(prune(simplify(shareCommon(prune(graph)))), target))
}
