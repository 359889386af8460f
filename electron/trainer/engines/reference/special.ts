/**
 * The error function 2/√π ∫₀ˣ e^(−t²) dt to the last digits of 64 bits: erf x = 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!
 * (Abramowitz & Stegun, "Handbook of Mathematical Functions", 7.1.6, p. 297), whose terms are all of one sign.
 */
export function erf(x: number): number {
  // 1 − erf 6 is 2e-17.
  if (Math.abs(x) > 6) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

/** To the nearest whole number, halves to the even one (IEEE 754 roundTiesToEven). */
export function roundToEven(x: number): number {
  const down = Math.floor(x)
  if (x - down !== 0.5) return Math.round(x)
  return down % 2 === 0 ? down : down + 1
}
