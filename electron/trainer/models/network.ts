import type { Graph } from '../graph/types.ts'

/**
 * A network that can learn: a graph in inference form together with what in it learns. The graph is all there is: what is
 * trained, looked into and exported is this very graph with other numbers in it.
 */
export interface Network {
  /**
   * `input` float32 [batch, channels, height, width] → `logits` [batch, classes]. Parameters and statistics are
   * initialisers; `BatchNormalization` stands in its inference form; places of dropout are marked
   * (`kestrel::Dropout`, see graph/training-operators.ts).
   */
  graph: Graph
  /** In the order of the graph, from the picture to the logits. */
  parameters: readonly Parameter[]
  /** Running statistics of the batch normalisations that are trained with the statistics of each batch. */
  statistics: readonly RunningStatistics[]
}

export interface Parameter {
  /** Name of the initialiser. */
  name: string
  shape: readonly number[]
  /** `weight` is decayed by default; the rest (bias, scale and shift of a normalisation, slope of a PReLU, tokens) is not. */
  role: 'weight' | 'bias' | 'scale' | 'shift' | 'slope' | 'embedding'
  /** Which block it belongs to, counted from the picture; the head is the last. For "train the top n blocks". */
  block: number
}

/** Names of two initialisers, and the output of their `BatchNormalization`. */
export interface RunningStatistics {
  mean: string
  variance: string
  output: string
}
