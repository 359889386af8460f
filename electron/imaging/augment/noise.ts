/** Mean and standard deviation of the sum of four whole numbers drawn evenly from 0–255. */
const MEAN = 4 * 127.5
const DEVIATION = Math.sqrt((4 * (256 ** 2 - 1)) / 12)

/**
 * Adds noise to planes of grey levels in place and keeps them within 0–255. The same for the three channels, so that a
 * grey picture stays grey. Each pixel's number is the sum of the four bytes of a hash of its place (Irwin–Hall: near
 * normal, at most 3.5 standard deviations), because true normal numbers would take longer than everything else together.
 *
 * @param values float32 planes `[3, plane]` from `offset` on
 * @param deviation standard deviation, grey levels
 * @param seed whole number in [0, 2^32)
 */
export function addNoise(
  values: Float32Array,
  offset: number,
  plane: number,
  deviation: number,
  seed: number,
): void {
  const scale = deviation / DEVIATION
  let place = seed | 0
  for (let at = offset; at < offset + plane; at++) {
    // splitmix: a counter with the golden ratio as its step, through the finaliser of MurmurHash3.
    place = (place + 0x9e3779b9) | 0
    let bits = Math.imul(place ^ (place >>> 16), 0x85ebca6b)
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
    bits ^= bits >>> 16
    const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24)
    const noise = (sum - MEAN) * scale
    values[at] = within(values[at]! + noise)
    values[at + plane] = within(values[at + plane]! + noise)
    values[at + 2 * plane] = within(values[at + 2 * plane]! + noise)
  }
}

const within = (value: number): number => (value < 0 ? 0 : value > 255 ? 255 : value)
