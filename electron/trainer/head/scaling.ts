/**
 * Features are centred and brought to a common size before a fit: L-BFGS did not converge on raw features, and the
 * strength of the regularisation means the same for every backbone only when their features have the same size.
 *
 * Centring changes nothing about the optimum (the biases are free); only the factors do.
 */
export interface FeatureScaling {
  /** Length `features`. */
  mean: Float64Array
  /** Length `features`; scaled = (raw − mean) · factor. */
  factor: Float64Array
}

/**
 * Measures mean and size of the features of some rows.
 * One factor for all features: the mean square of the centred features becomes 1. Factors per feature would blow up
 * those that are almost always zero, of which a convolutional network has many.
 *
 * @param x `[rows, features]`, row-major.
 * @returns null when any value is NaN or infinite.
 */
export function measureScaling(
  x: Float32Array,
  features: number,
  includes: (row: number) => boolean,
): FeatureScaling | null {
  const rows = features === 0 ? 0 : x.length / features
  const sum = new Float64Array(features)
  const squares = new Float64Array(features)
  let count = 0
  for (let row = 0; row < rows; row++) {
    if (!includes(row)) continue
    count += 1
    const at = row * features
    for (let j = 0; j < features; j++) {
      const value = x[at + j]!
      sum[j]! += value
      squares[j]! += value * value
    }
  }
  const mean = new Float64Array(features)
  let variance = 0
  for (let j = 0; j < features; j++) {
    mean[j] = count === 0 ? 0 : sum[j]! / count
    variance += count === 0 ? 0 : Math.max(0, squares[j]! / count - mean[j]! * mean[j]!)
  }
  if (!Number.isFinite(variance)) return null
  // Constant features carry nothing; any factor will do, and 1 keeps the numbers finite.
  const common = variance > 1e-12 * features ? 1 / Math.sqrt(variance / features) : 1
  return { mean, factor: new Float64Array(features).fill(common) }
}

/** Replaces raw features `[rows, features]` by scaled ones, in place. */
export function applyScaling(x: Float32Array, { mean, factor }: FeatureScaling): void {
  const features = mean.length
  for (let at = 0; at < x.length; at += features)
    for (let j = 0; j < features; j++) x[at + j] = (x[at + j]! - mean[j]!) * factor[j]!
}

/**
 * Parameters of the same classifier for raw features: `weights[c][j] · factor[j]`, `bias[c] − Σ weights · mean`.
 * @param point flat: weights `[classes, features]`, then one bias per class.
 */
export function toRaw(point: Float64Array, { mean, factor }: FeatureScaling): Float64Array {
  const features = mean.length
  const classes = point.length / (features + 1)
  const raw = new Float64Array(point.length)
  for (let c = 0; c < classes; c++) {
    let shift = 0
    for (let j = 0; j < features; j++) {
      const weight = point[c * features + j]! * factor[j]!
      raw[c * features + j] = weight
      shift += weight * mean[j]!
    }
    raw[classes * features + c] = point[classes * features + c]! - shift
  }
  return raw
}

/** The inverse of {@link toRaw}. */
export function fromRaw(raw: Float64Array, { mean, factor }: FeatureScaling): Float64Array {
  const features = mean.length
  const classes = raw.length / (features + 1)
  const point = new Float64Array(raw.length)
  for (let c = 0; c < classes; c++) {
    let shift = 0
    for (let j = 0; j < features; j++) {
      const weight = raw[c * features + j]!
      point[c * features + j] = weight / factor[j]!
      shift += weight * mean[j]!
    }
    point[classes * features + c] = raw[classes * features + c]! + shift
  }
  return point
}
