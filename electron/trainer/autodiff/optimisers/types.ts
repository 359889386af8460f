import type { GraphBuilder } from '../../graph/builder.ts'

/**
 * An optimiser as a piece of a graph. Parameters of one group are one flat vector: a step is a handful of operators,
 * whatever the network looks like, and its state is as many vectors as it has slots.
 */
export interface Optimiser {
  /** State vectors, each as long as the parameters and zero at first: `momentum`, `first`, `second` … */
  readonly slots: readonly string[]
  /**
   * Numbers that change with the step (bias corrections …), computed in 64 bits outside the graph and fed in.
   * @param step counted from 1.
   */
  scalars(step: number): Readonly<Record<string, number>>
  /** Writes the update down. */
  build(place: OptimiserPlace): { parameters: string; slots: Record<string, string> }
}

/** Names of values, all float32. */
export interface OptimiserPlace {
  builder: GraphBuilder
  /** [length] */
  parameters: string
  /** [length], regularisation and clipping already in it. */
  gradient: string
  /** By slot, [length]. */
  slots: Readonly<Record<string, string>>
  /** By name, []. */
  scalars: Readonly<Record<string, string>>
  /** []: of the schedule, times the factor of the group. */
  learningRate: string
  /** Decoupled weight decay (AdamW, SGDW); 0 for none. Coupled L2 is part of the gradient already. */
  weightDecay: number
}
