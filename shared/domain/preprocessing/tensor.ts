import type { Preprocessing } from './definition.ts'

/** Numbers of one picture for the network: 3 × height × width. */
export const networkInputLength = (definition: Preprocessing): number =>
  3 * definition.size.width * definition.size.height

/**
 * Scales resized pixels and lays them out as planes: `(value - mean[c]) / divisor[c]`, computed in float64 and rounded
 * to float32 once.
 *
 * @param resized uint8 `[height, width, 3]`, RGB, of the definition's size
 * @param target a batch buffer, `[batch, 3, height, width]`; a new `[3, height, width]` when left out
 * @param offset where in `target` this picture begins, in numbers
 * @returns `target`
 * @throws RangeError when lengths do not fit
 */
export function tensorFromResized(
  resized: Uint8Array,
  definition: Preprocessing,
  target: Float32Array = new Float32Array(networkInputLength(definition)),
  offset = 0,
): Float32Array {
  const plane = definition.size.width * definition.size.height
  if (resized.length !== plane * 3)
    throw new RangeError(`expected ${plane * 3} bytes of RGB, got ${resized.length}`)
  requireRoom(target, offset, plane * 3)
  for (let channel = 0; channel < 3; channel++) {
    const table = scaleTable(definition.mean[channel] ?? 0, definition.divisor[channel] ?? 1)
    const position = definition.channelOrder === 'BGR' ? 2 - channel : channel
    let write = offset + position * plane
    for (let read = channel; read < resized.length; read += 3) target[write++] = table[resized[read]!]!
  }
  return target
}

const scaleTables = new Map<string, Float32Array>()

/** There are only 256 possible values: a table is exact and faster than dividing. */
export function scaleTable(mean: number, divisor: number): Float32Array {
  const key = `${mean}/${divisor}`
  const known = scaleTables.get(key)
  if (known !== undefined) return known
  const table = Float32Array.from({ length: 256 }, (_, value) => (value - mean) / divisor)
  if (scaleTables.size >= 64) scaleTables.clear()
  scaleTables.set(key, table)
  return table
}

/** @throws RangeError when `length` numbers from `offset` on do not lie within `target` */
export function requireRoom(target: Float32Array, offset: number, length: number): void {
  if (offset < 0 || offset + length > target.length) throw new RangeError('the batch buffer is too small')
}
