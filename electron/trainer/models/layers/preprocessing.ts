import { KestrelError } from '#shared/errors/index.ts'
import type { InputScaling } from '#shared/domain/network/index.ts'
import { float32 } from '../../graph/tensor.ts'
import type { Flow, NetworkWriter } from './network-writer.ts'

/** What was measured on the training pictures, for numbers from −1 to 1. */
export type FittedScaling =
  | { kind: 'none' }
  /** `mean`: [channels · height · width] */
  | { kind: 'mean-image'; mean: Float32Array }
  /** `mean`: [channels] */
  | { kind: 'per-channel-mean'; mean: Float32Array }
  /** Both [channels]; a deviation of 0 (all pictures alike) counts as 1. */
  | { kind: 'standardise'; mean: Float32Array; deviation: Float32Array }

/** Measures what a network's preprocessing needs, batch by batch, in 64 bits. Training pictures only. */
export class ScalingFit {
  private readonly kind: InputScaling
  private readonly shape: readonly [number, number, number]
  private readonly sums: Float64Array
  private readonly squares: Float64Array
  private pictures = 0

  /** @param shape of a picture, `[channels, height, width]` */
  constructor(kind: InputScaling, shape: readonly [number, number, number]) {
    this.kind = kind
    this.shape = shape
    this.sums = new Float64Array(shape[0] * shape[1] * shape[2])
    this.squares = new Float64Array(shape[0])
  }

  /** @param pictures any number of them, one after the other, each `[channels, height, width]` */
  add(pictures: Float32Array): void {
    const { sums, squares } = this
    const plane = this.shape[1] * this.shape[2]
    for (let from = 0; from < pictures.length; from += sums.length) {
      for (let index = 0; index < sums.length; index++) {
        const value = pictures[from + index]!
        sums[index]! += value
        squares[Math.floor(index / plane)]! += value * value
      }
      this.pictures++
    }
  }

  /** @throws KestrelError `internal` before the first picture, unless nothing is measured. */
  result(): FittedScaling {
    const { kind, pictures } = this
    if (kind === 'none') return { kind }
    if (pictures === 0) throw new KestrelError('internal', 'Preprocessing was fitted to no picture at all.')
    if (kind === 'mean-image') return { kind, mean: Float32Array.from(this.sums, (sum) => sum / pictures) }
    const [channels, height, width] = this.shape
    const count = pictures * height * width
    const means = Array.from({ length: channels }, (_, channel) => {
      const part = this.sums.subarray(channel * height * width, (channel + 1) * height * width)
      return part.reduce((a, b) => a + b, 0) / count
    })
    const mean = Float32Array.from(means)
    if (kind === 'per-channel-mean') return { kind, mean }
    // Numbers from −1 to 1 leave E[x²] − m² enough digits in 64 bits.
    const deviation = Float32Array.from(means, (m, channel) =>
      Math.sqrt(Math.max(0, this.squares[channel]! / count - m * m)),
    )
    return { kind, mean, deviation }
  }
}

/** Writes the scaling down as constants before the first layer. They are measured, so they are no parameters. */
export function scaleInput(w: NetworkWriter, x: Flow, fitted: FittedScaling): Flow {
  if (fitted.kind === 'none') return x
  const [channels = 1] = x.shape
  const shape = fitted.kind === 'mean-image' ? [1, ...x.shape] : [1, channels, 1, 1]
  const mean = w.builder.constant('preprocessing/mean', float32(shape, fitted.mean))
  const centred = w.op('preprocessing/centred', 'Sub', [x.value, mean], x.shape)
  if (fitted.kind !== 'standardise') return centred
  const usable = fitted.deviation.map((value) => (value > 0 ? value : 1))
  const deviation = w.builder.constant('preprocessing/deviation', float32(shape, usable))
  return w.op('preprocessing/scaled', 'Div', [centred.value, deviation], x.shape)
}
