/** A Gaussian is cut off where it has fallen to 1.1 % of its height. */
const REACH = 3

let kernel = new Float32Array(0)
let line = new Float32Array(0)
let between = new Float32Array(0)

/**
 * Gaussian blur in place, the border repeated: along rows, then along columns.
 *
 * @param values float32 planes `[3, height, width]` from `offset` on
 * @param sigma standard deviation, pixels
 */
export function blurPlanes(
  values: Float32Array,
  offset: number,
  { width, height }: { width: number; height: number },
  sigma: number,
): void {
  const radius = Math.ceil(REACH * sigma)
  if (radius < 1) return
  prepare(sigma, radius, width, width * height)
  for (let channel = 0; channel < 3; channel++) {
    const plane = offset + channel * width * height
    for (let y = 0; y < height; y++) blurRow(values, plane + y * width, width, radius, y * width)
    for (let y = 0; y < height; y++) blurColumns(values, plane + y * width, y, width, height, radius)
  }
}

/** Weights from the middle outwards, `kernel[0]` once and the others on both sides; together 1. */
function prepare(sigma: number, radius: number, width: number, plane: number): void {
  if (kernel.length < radius + 1) kernel = new Float32Array(radius + 1)
  if (line.length < width + 2 * radius) line = new Float32Array(width + 2 * radius)
  if (between.length < plane) between = new Float32Array(plane)
  let sum = 0
  for (let i = 0; i <= radius; i++) {
    kernel[i] = Math.exp(-(i * i) / (2 * sigma * sigma))
    sum += i === 0 ? kernel[i]! : 2 * kernel[i]!
  }
  for (let i = 0; i <= radius; i++) kernel[i] = kernel[i]! / sum
}

/** One row of `values` to `between` at `to`. */
function blurRow(values: Float32Array, from: number, width: number, radius: number, to: number): void {
  line.fill(values[from]!, 0, radius)
  for (let x = 0; x < width; x++) line[radius + x] = values[from + x]!
  line.fill(values[from + width - 1]!, radius + width, width + 2 * radius)
  for (let x = 0; x < width; x++) {
    let sum = kernel[0]! * line[radius + x]!
    for (let i = 1; i <= radius; i++) sum += kernel[i]! * (line[radius + x - i]! + line[radius + x + i]!)
    between[to + x] = sum
  }
}

/** Row `y` of `values`, at `to`, from the rows of `between` around it. */
function blurColumns(
  values: Float32Array,
  to: number,
  y: number,
  width: number,
  height: number,
  radius: number,
): void {
  const middle = kernel[0]!
  for (let x = 0; x < width; x++) values[to + x] = middle * between[y * width + x]!
  for (let i = 1; i <= radius; i++) {
    const weight = kernel[i]!
    const above = Math.max(0, y - i) * width
    const below = Math.min(height - 1, y + i) * width
    for (let x = 0; x < width; x++)
      values[to + x] = values[to + x]! + weight * (between[above + x]! + between[below + x]!)
  }
}
