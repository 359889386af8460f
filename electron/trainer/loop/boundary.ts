import type { Engine } from '../engines/engine.ts'
import type { Graph } from '../graph/types.ts'
import { Trunk } from './trunk.ts'

/** Values at the boundary are kept up to so many bytes in all. */
const MOST_BYTES = 192 * 2 ** 20

/**
 * What the trunk gives for pictures that stay as they are: computed once for each, then taken from memory. Pictures beyond
 * the budget are computed each time.
 */
export class Boundary {
  private readonly trunk: Trunk
  private readonly kept = new Map<number, Float32Array>()
  private bytes = 0

  constructor(trunk: Trunk) {
    this.trunk = trunk
  }

  /** @param graph the frozen part, pictures in. Close it with `dispose`. */
  static async open(engine: Engine, graph: Graph): Promise<Boundary> {
    return new Boundary(await Trunk.open(engine, graph))
  }

  /** Pictures whose values are there. */
  get size(): number {
    return this.kept.size
  }

  /**
   * @param rows numbers of the pictures.
   * @param x pictures `[rows, 3, height, width]` as they are.
   * @returns `[rows, …]`
   */
  async of(rows: Int32Array, x: Float32Array): Promise<Float32Array> {
    const known = Array.from(rows, (row) => this.kept.get(row))
    const [first] = known
    if (first !== undefined && known.every((values) => values !== undefined)) {
      const result = new Float32Array(rows.length * first.length)
      known.forEach((values, at) => result.set(values, at * first.length))
      return result
    }
    const values = await this.trunk.run(x, rows.length)
    const length = values.length / rows.length
    rows.forEach((row, at) => {
      if (this.kept.has(row) || this.bytes + length * 4 > MOST_BYTES) return
      this.kept.set(row, values.slice(at * length, (at + 1) * length))
      this.bytes += length * 4
    })
    return values
  }

  /** Of pictures that change from epoch to epoch; nothing is kept. */
  ofChanging(rows: number, x: Float32Array): Promise<Float32Array> {
    return this.trunk.run(x, rows)
  }

  async dispose(): Promise<void> {
    this.kept.clear()
    await this.trunk.dispose()
  }
}
