import { scaleTable, type Preprocessing } from '#shared/domain/preprocessing/index.ts'

/** How grey levels become the numbers of a network; see `Preprocessing`. */
export type Scaling = Pick<Preprocessing, 'mean' | 'divisor' | 'channelOrder'>

/**
 * Planes of grey levels to the numbers of a network, in place: `(value − mean) / divisor` per channel, planes in the
 * network's order.
 * @param values float32 planes `[3, plane]` in RGB order from `offset` on
 */
export function scaleInPlace(values: Float32Array, offset: number, plane: number, scaling: Scaling): void {
  for (let channel = 0; channel < 3; channel++) {
    const mean = scaling.mean[channel]!
    const factor = 1 / scaling.divisor[channel]!
    const begin = offset + channel * plane
    for (let at = begin; at < begin + plane; at++) values[at] = (values[at]! - mean) * factor
  }
  if (scaling.channelOrder === 'RGB') return
  for (let at = offset; at < offset + plane; at++) {
    const red = values[at]!
    values[at] = values[at + 2 * plane]!
    values[at + 2 * plane] = red
  }
}

/**
 * Pictures as they are: the very numbers that prediction and export compute for them.
 * @param source uint8 planes `[3, plane]` in RGB order from `from` on
 * @param target float32, written to from `to` on
 */
export function scalePlanes(
  source: Uint8Array,
  from: number,
  plane: number,
  scaling: Scaling,
  target: Float32Array,
  to: number,
): void {
  for (let channel = 0; channel < 3; channel++) {
    const table = scaleTable(scaling.mean[channel]!, scaling.divisor[channel]!)
    const position = scaling.channelOrder === 'BGR' ? 2 - channel : channel
    const [read, write] = [from + channel * plane, to + position * plane]
    for (let i = 0; i < plane; i++) target[write + i] = table[source[read + i]!]!
  }
}
