import type { Graph } from '../../../graph/types.ts'
import { masksBehindClip } from './clip-masks.ts'
import { normalisationBehindPooling } from './pooled-normalisation.ts'
import { reluBehindPooling } from './pooled-relu.ts'

/** Rewritings of a training graph that leave what it computes as it is and spare passes over large maps. */
export const simplify = (graph: Graph): Graph =>
  normalisationBehindPooling(reluBehindPooling(masksBehindClip(graph)))
