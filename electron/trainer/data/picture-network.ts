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

/** The answer of a picture, and its share of the time the network took. */
export interface PictureAnswer {
  values: Float32Array
  milliseconds: number
}

/**
 * A network that is shown pictures, one thread's worth. Small networks are shown eight at a time: between two pictures the
 * decoder drives their weights out of the processor's cache. What a picture's features are must not depend on its
 * neighbours: only networks are shown several whose graph keeps pictures apart, and, tried on the first eight, only those
 * that give each the very same numbers as alone, because sums over more rows may be rounded otherwise.
 */
export class PictureNetwork {
  private readonly session: OnnxSession
  private readonly input: string
  private readonly output: string
  private readonly size: { width: number; height: number }
  private readonly keepsApart: () => Promise<boolean>
  private readonly quick: number
  private runs = 0
  private fastest = Infinity
  private together: 'unknown' | 'tried' | 'same' | 'alone' = 'unknown'

  /**
   * @param session one input float32 [batch, 3, height, width], one output float32 [batch, length]
   * @param keepsApart whether it is certain that no picture has a say in another one's answer; asked once, when it matters
   * @param quick milliseconds
   */
  constructor(
    session: OnnxSession,
    size: { width: number; height: number },
    keepsApart: () => Promise<boolean>,
    quick = QUICK_MS,
  ) {
    this.session = session
    this.size = size
    this.keepsApart = keepsApart
    this.quick = quick
    this.input = session.inputs[0]!.name
    this.output = session.outputs[0]!.name
  }

  /** Pictures that are worth waiting for before the next run; a run with fewer is as right. */
  get most(): number {
    return this.together === 'tried' || this.together === 'same' ? TOGETHER : 1
  }

  /**
   * @param pictures float32 `[count, 3, height, width]`, may be longer
   * @throws whatever the network throws for one of them
   */
  async answer(pictures: Float32Array, count: number): Promise<PictureAnswer[]> {
    const full = count === TOGETHER
    if (full && this.together === 'same') {
      const batch = await this.runTogether(pictures, count)
      if (batch) return batch
    }
    const alone: PictureAnswer[] = []
    for (let at = 0; at < count; at++) alone.push(...(await this.run(pictures, at, 1)))
    for (const { milliseconds } of alone) this.fastest = Math.min(this.fastest, milliseconds)
    this.runs += count
    if (full && this.together === 'tried') {
      const batch = await this.runTogether(pictures, count)
      this.together = batch?.every(({ values }, at) => same(values, alone[at]!.values)) ? 'same' : 'alone'
    } else if (this.together === 'unknown' && this.runs >= RUNS) {
      this.together = 'alone'
      if (this.isFree() && this.fastest < this.quick && (await this.keepsApart())) this.together = 'tried'
    }
    return alone
  }

  private isFree(): boolean {
    const { inputs, outputs } = this.session
    return [inputs[0]!, outputs[0]!].every(({ shape }) => typeof shape[0] === 'string')
  }

  /** @returns null where the network cannot, which is then not asked of it again */
  private async runTogether(pictures: Float32Array, count: number): Promise<PictureAnswer[] | null> {
    try {
      return await this.run(pictures, 0, count)
    } catch {
      this.together = 'alone'
      return null
    }
  }

  private async run(pictures: Float32Array, from: number, count: number): Promise<PictureAnswer[]> {
    const { width, height } = this.size
    const length = 3 * width * height
    const numbers = pictures.subarray(from * length, (from + count) * length)
    const feeds = { [this.input]: float32([count, 3, height, width], numbers) }
    let began = 0
    // The runtime computes in an immediate of its own, the next one: what this thread does before is no part of it.
    setImmediate(() => (began = performance.now()))
    const values = (await this.session.run(feeds, [this.output]))[this.output]?.data
    const milliseconds = (performance.now() - began) / count
    if (!(values instanceof Float32Array))
      throw new KestrelError('backbone-unsupported', 'The network did not answer with numbers.')
    const each = values.length / count
    return Array.from({ length: count }, (_, at) => ({
      values: values.subarray(at * each, (at + 1) * each),
      milliseconds,
    }))
  }
}

/** Bit by bit: NaN is NaN, and 0 is not -0. */
const same = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]))
