import { evaluationGraph } from '../autodiff/step.ts'
import type { ParameterGroup } from '../autodiff/layout.ts'
import type { Engine, GraphSession } from '../engines/engine.ts'
import { elementCount, float32 } from '../graph/tensor.ts'
import type { Tensor } from '../graph/types.ts'
import type { Network } from '../models/network.ts'
import type { Vector, Vectors } from './state.ts'

export interface JudgedBatch {
  /** What the network takes, `[rows, …]`. */
  x: Float32Array
  rows: number
}

/**
 * Answers of a network whose numbers are fed in: the session stays open while the numbers change from epoch to epoch. It
 * has one size, because each size would take memory of its own; shorter batches are filled up.
 */
export class Judge {
  private readonly engine: Engine
  private readonly network: Network
  private readonly groups: readonly ParameterGroup[]
  private readonly size: number
  private opening: Promise<GraphSession> | null = null

  /** @param size rows of the longest batch it will be given */
  constructor(engine: Engine, network: Network, groups: readonly ParameterGroup[], size: number) {
    this.engine = engine
    this.network = network
    this.groups = groups
    this.size = size
  }

  /**
   * @param numbers vectors `parameters/G` and `statistics` (others are left alone). With `average/G` among them and
   *   `averaged`, those stand for the parameters.
   * @returns logits [rows, classes] of all batches, one behind the other.
   */
  async logits(
    batches: AsyncIterable<JudgedBatch>,
    numbers: Vectors,
    averaged = false,
  ): Promise<Float32Array> {
    const feeds = this.numberFeeds(numbers, averaged)
    const parts: Float32Array[] = []
    const [input] = this.network.graph.inputs
    const shape = [this.size, ...input!.shape!.slice(1).map(Number)]
    const session = await this.session()
    for await (const { x, rows } of batches) {
      const result = await session.run({ ...feeds, [input!.name]: float32(shape, filled(x, rows, shape)) })
      const logits = result['logits']!.data as Float32Array | Float64Array
      parts.push(Float32Array.from(logits.subarray(0, (logits.length / this.size) * rows)))
    }
    const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }

  async dispose(): Promise<void> {
    const opening = this.opening
    this.opening = null
    await (await opening)?.dispose()
  }

  private numberFeeds(numbers: Vectors, averaged: boolean): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {}
    const feed = (name: string, vector: Vector): void => {
      feeds[name] = float32([vector.length], vector)
    }
    this.groups.forEach((_, group) => {
      const kind = averaged ? 'average' : 'parameters'
      feed(`parameters/${group}`, numbers.get(`${kind}/${group}`)!)
    })
    const statistics = numbers.get('statistics')
    if (statistics) feed('statistics', statistics)
    return feeds
  }

  private session(): Promise<GraphSession> {
    this.opening ??= this.engine.open(evaluationGraph(this.network, this.groups, this.size), {
      purpose: 'training',
    })
    return this.opening
  }
}

/** The first rows of a batch, with zeros behind them up to the shape. */
function filled(x: Float32Array, rows: number, shape: readonly number[]): Float32Array {
  const length = elementCount(shape)
  const wanted = (length / shape[0]!) * rows
  if (wanted === length) return x.subarray(0, length)
  const whole = new Float32Array(length)
  whole.set(x.subarray(0, wanted))
  return whole
}

/** Mean cross-entropy (natural logarithm) and share right, of logits [rows, classes]; ties count as wrong. */
export function judgeLogits(
  logits: Float32Array,
  labels: ArrayLike<number>,
  classes: number,
): { loss: number; accuracy: number } {
  let loss = 0
  let right = 0
  for (let row = 0; row < labels.length; row++) {
    const of = logits.subarray(row * classes, (row + 1) * classes)
    const top = Math.max(...of)
    let total = 0
    for (const logit of of) total += Math.exp(logit - top)
    const truth = of[labels[row]!]!
    loss += Math.log(total) + top - truth
    if (of.every((other, k) => k === labels[row] || other < truth)) right += 1
  }
  const rows = Math.max(1, labels.length)
  return { loss: loss / rows, accuracy: right / rows }
}

/** Softmax per row, in 64 bits. */
export function probabilitiesOf(logits: Float32Array, classes: number): Float32Array {
  const result = new Float32Array(logits.length)
  for (let at = 0; at < logits.length; at += classes) {
    const of = logits.subarray(at, at + classes)
    const top = Math.max(...of)
    let total = 0
    for (const logit of of) total += Math.exp(logit - top)
    for (let k = 0; k < classes; k++) result[at + k] = Math.exp(of[k]! - top) / total
  }
  return result
}
