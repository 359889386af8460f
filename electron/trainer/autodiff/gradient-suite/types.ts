import type { GradientProblem } from '../gradient-check.ts'
import type { Sketch } from './sketch.ts'

export type CaseKind = 'layer' | 'block' | 'activation' | 'operator' | 'loss' | 'regulariser'

/** A named small graph on which every gradient is checked. */
export interface GradientCase extends GradientProblem {
  kind: CaseKind
  /** Unique in the suite. */
  name: string
}

export type Drawing = (sketch: Sketch) => string

/** By name: what draws the graph, and the operator set where it is newer than the one Kestrel writes. */
export type CaseTable = Readonly<Record<string, Drawing | { opset: number; draw: Drawing }>>
