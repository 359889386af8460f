import type { Random } from '../random.ts'

/**
 * The natural logarithm of a number from the gamma distribution with this shape and scale 1, by Marsaglia & Tsang 2000, "A
 * Simple Method for Generating Gamma Variables" (ACM TOMS 26, 3), section 6 for shapes below 1. In logarithms because small
 * shapes give numbers far below the smallest double: shape 0.01 one draw in a thousand.
 */
export function logGamma(random: Random, shape: number): number {
  if (shape < 1) return logGamma(random, shape + 1) + Math.log(1 - random.float()) / shape
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = random.normal()
    const v = (1 + c * x) ** 3
    if (v <= 0) continue
    // 1 − float lies in (0, 1]: its logarithm is finite.
    if (Math.log(1 - random.float()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v)
  }
}

/**
 * A number in [0, 1] from the Beta(a, b) distribution: X ÷ (X + Y) of two gamma numbers.
 * @throws RangeError when a shape is not a positive number.
 */
export function drawBeta(random: Random, a: number, b: number): number {
  if (!(a > 0 && b > 0 && a < Infinity && b < Infinity))
    throw new RangeError(`The shapes of a Beta distribution are positive, not ${a} and ${b}.`)
  const x = logGamma(random, a)
  return 1 / (1 + Math.exp(logGamma(random, b) - x))
}
