import { KestrelError } from '#shared/errors/index.ts'
import type { OnnxSession } from '../engines/onnx/session.ts'
import { float32 } from '../graph/tensor.ts'

/** Pictures of one run, where several go through the network together. */
const TOGETHER = 8
/**
 * A network that takes less time for one picture. Larger ones gain nothing: what is between their layers no longer fits
 * the processor's cache (MobileNetV2 at 224 pixels: 6.1 ms one by one, 6.9 each in eights).
 */
const QUICK_MS = 2
/** Runs after which it is known how long a picture takes; the first ones take longer. */
const RUNS = 4

/**
 * A network that is shown pictures, one thread's worth. Small networks are shown eight at a time: between two pictures the
 * decoder drives their weights out of the processor's cache. That is tried once, on the first eight, and kept only where
 * each of them gets the very same answer as alone: what a picture's features are must not depend on its neighbours.
 */
export class PictureNetwork {
  private readonly session: OnnxSession
  private readonly input: string
  private readonly output: string
  private readonly size: { width: number; height: number }
  private readonly free: boolean
  private readonly quick: number
  private runs = 0
  private fastest = Infinity
  private together: 'unknown' | 'tried' | 'same' | 'other' = 'unknown'

  /**
   * @param session one input float32 [batch, 3, height, width], one output float32 [batch, length]
   * @param quick milliseconds
   */
  constructor(session: OnnxSession, size: { width: number; height: number }, quick = QUICK_MS) {
    const [input, output] = [session.inputs[0]!, session.outputs[0]!]
    this.session = session
    this.size = size
    this.quick = quick
    this.input = input.name
    this.output = output.name
    this.free = [input, output].every(({ shape }) => typeof shape[0] === 'string')
  }

  /** Pictures that are worth waiting for before the next run; a run with fewer is as right. */
  get most(): number {
    return this.together === 'tried' || this.together === 'same' ? TOGETHER : 1
  }

  /**
   * @param pictures float32 `[count, 3, height, width]`, may be longer
   * @returns the answer of each
   */
  async answer(pictures: Float32Array, count: number): Promise<Float32Array[]> {
    const full = count === TOGETHER
    if (full && this.together === 'same') return this.run(pictures, 0, count)
    const alone: Float32Array[] = []
    for (let at = 0; at < count; at++) {
      alone.push(...(await this.timed(pictures, at)))
    }
    if (full && this.together === 'tried') {
      const batch = await this.run(pictures, 0, count)
      this.together = batch.every((answer, at) => same(answer, alone[at]!)) ? 'same' : 'other'
    } else if (this.together === 'unknown' && this.runs >= RUNS) {
      this.together = this.free && this.fastest < this.quick ? 'tried' : 'other'
    }
    return alone
  }

  private async timed(pictures: Float32Array, at: number): Promise<Float32Array[]> {
    let began = 0
    // The runtime computes in an immediate of its own, the next one: what this thread does before is no part of it.
    setImmediate(() => (began = performance.now()))
    const answers = await this.run(pictures, at, 1)
    this.fastest = Math.min(this.fastest, performance.now() - began)
    this.runs += 1
    return answers
  }

  private async run(pictures: Float32Array, from: number, count: number): Promise<Float32Array[]> {
    const { width, height } = this.size
    const length = 3 * width * height
    const numbers = pictures.subarray(from * length, (from + count) * length)
    const feeds = { [this.input]: float32([count, 3, height, width], numbers) }
    const values = (await this.session.run(feeds, [this.output]))[this.output]?.data
    if (!(values instanceof Float32Array))
      throw new KestrelError('backbone-unsupported', 'The network did not answer with numbers.')
    const each = values.length / count
    return Array.from({ length: count }, (_, at) => values.subarray(at * each, (at + 1) * each))
  }
}

/** Bit by bit: NaN is NaN, and 0 is not -0. */
const same = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]))
