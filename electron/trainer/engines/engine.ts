import type { Graph, Tensor } from '../graph/types.ts'

/**
 * What runs a graph. Everything that computes with a network (features, a training step, a prediction, a gradient
 * check) asks for it through this interface, so that the same graph runs on ONNX Runtime, on TensorFlow.js or on plain
 * 64-bit TypeScript, and their answers can be compared.
 *
 * A graph given to an engine may hold the training operators of `graph/training-operators.ts`; each engine lowers them
 * to what its device does best (`autodiff/lowering`).
 */
export interface Engine {
  readonly id: EngineId
  /** What it computes on, in the passport and beside figures: `cpu`, `cuda`, `webgpu` … */
  readonly device: string
  /** Numbers that leave a session have this type, whatever the graph calls them (`float32` in a graph means "real"). */
  readonly real: 'float32' | 'float64'
  /**
   * Every size in the graph that decides about memory must be known; `batch` may be free where no training operator
   * depends on it.
   * @throws KestrelError `operator-unsupported` naming the operators it lacks, `model-unreadable` when the runtime refuses.
   */
  open(graph: Graph, options?: SessionOptions): Promise<GraphSession>
}

export type EngineId = 'onnx' | 'tfjs' | 'reference'

export interface SessionOptions {
  /** Threads inside one operator. Default: all cores. */
  threads?: number
  /** `training`: weights change between runs. `inference`: everything constant may be folded and laid out anew. */
  purpose?: 'training' | 'inference'
}

export type Feeds = Readonly<Record<string, Tensor>>

export interface GraphSession {
  /**
   * Feeds are read in place, never kept. Arrays in `wanted` (output name → tensor of the right size) receive those
   * outputs in place; `null` asks for an array of its own. Without `wanted` all outputs come in arrays of their own.
   */
  run(feeds: Feeds, wanted?: Readonly<Record<string, Tensor | null>>): Promise<Record<string, Tensor>>
  /** Frees what it holds. Safe to call twice. */
  dispose(): Promise<void>
}
