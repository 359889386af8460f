import type { Engine, GraphSession } from '../engines/engine.ts'
import { elementCount, float32 } from '../graph/tensor.ts'
import type { Graph } from '../graph/types.ts'

/** The frozen part of a network: constants all the way, so that the runtime may optimise it as it likes. */
export class Trunk {
  private readonly graph: Graph
  private readonly session: GraphSession

  private constructor(graph: Graph, session: GraphSession) {
    this.graph = graph
    this.session = session
  }

  static async open(engine: Engine, graph: Graph): Promise<Trunk> {
    return new Trunk(graph, await engine.open(graph, { purpose: 'inference' }))
  }

  /** @param x pictures `[rows, 3, height, width]`. @returns the values at the boundary, `[rows, …]`. */
  async run(x: Float32Array, rows: number): Promise<Float32Array> {
    const [input] = this.graph.inputs
    const [output] = this.graph.outputs
    const shape = [rows, ...input!.shape!.slice(1).map(Number)]
    const result = await this.session.run({
      [input!.name]: float32(shape, x.subarray(0, elementCount(shape))),
    })
    return Float32Array.from(result[output!.name]!.data as ArrayLike<number>)
  }

  dispose(): Promise<void> {
    return this.session.dispose()
  }
}
