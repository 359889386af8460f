/**
 * Whether two pictures are one shot: the same file saved again, smaller, darker, cropped a little, or the next frame of a
 * burst. Compared are looks, small grey copies, by their structure alone: what is left when the light that changes slowly
 * over the ground is taken away. One is laid onto the other (Lucas and Kanade, "An iterative image registration technique",
 * IJCAI 1981, with scale and shift along both axes, gain and offset), and the structures are correlated.
 * `DECISIONS.md` has the figures behind the thresholds.
 */

/** A look is uint8 `[32, 32]`: the luma of the upright picture, averaged, whatever its shape. */
export const LOOK_EDGE = 32
export const LOOK_BYTES = LOOK_EDGE * LOOK_EDGE

/** Correlation of the structures from which on two pictures are one shot. */
export const SAME_SHOT = 0.96
/** Correlation before anything is aligned, on `[16, 16]`, below which aligning is not tried. */
const WORTH_ALIGNING = 0.7
/** Standard deviation of the structure in grey levels (of 255) below which there is nothing to recognise a picture by. */
const FLAT = 2

const SMALL_EDGE = LOOK_EDGE / 2
const CENTRE = (LOOK_EDGE - 1) / 2
/** Structure is what differs from the mean of so many pixels to either side. */
const GROUND_RADIUS = 4
const ROUNDS = 6
/** Of scale and of shift in pixels of a look: room for crops of up to about a tenth. */
const MOST_SCALE = 0.12
const MOST_SHIFT = 2.5
/** Share of a look that has to lie on the other one. */
const LEAST_OVERLAP = 0.6

export interface Structure {
  /** Float32 `[32, 32]`. */
  fine: Float32Array
  /** Float32 `[16, 16]`, mean 0, length 1. */
  coarse: Float32Array
  /** Nothing to recognise it by: it is nobody's twin. */
  flat: boolean
}

/** @param look uint8 `[32, 32]` @throws RangeError when it has another size */
export function structureOf(look: Uint8Array): Structure {
  if (look.length !== LOOK_BYTES)
    throw new RangeError(`a look has ${LOOK_BYTES} bytes, this one ${look.length}`)
  const smooth = alongBoth(Float32Array.from(look), binomial)
  const ground = alongBoth(smooth, groundMean)
  const fine = smooth.map((value, i) => value - ground[i]!)
  let sum = 0
  let squares = 0
  for (const value of fine) {
    sum += value
    squares += value * value
  }
  const variance = squares / LOOK_BYTES - (sum / LOOK_BYTES) ** 2
  return { fine, coarse: coarseOf(fine), flat: variance < FLAT * FLAT }
}

/** Whether two pictures are one shot; the order of the two may matter in the last decimals, so give it one. */
export function isSameShot(a: Structure, b: Structure): boolean {
  if (a.flat || b.flat) return false
  let coarse = 0
  for (let i = 0; i < a.coarse.length; i++) coarse += a.coarse[i]! * b.coarse[i]!
  return coarse >= WORTH_ALIGNING && alignedCorrelation(a.fine, b.fine, SAME_SHOT) >= SAME_SHOT
}

/**
 * The best correlation found while `a` is moved and scaled onto `b`.
 * @param enough ends the search early. @returns −1 to 1
 */
export function alignedCorrelation(a: Float32Array, b: Float32Array, enough = 1): number {
  const moved = new Float32Array(LOOK_BYTES)
  const placement: Placement = { scaleX: 0, scaleY: 0, shiftX: 0, shiftY: 0 }
  let overlap = move(a, placement, moved)
  let best = correlation(moved, b)
  for (let round = 0; round < ROUNDS && best < enough; round++) {
    if (!improve(placement, moved, b)) break
    overlap = move(a, placement, moved)
    if (overlap < LEAST_OVERLAP * LOOK_BYTES) break
    const reached = correlation(moved, b)
    // Hopeless cases are nearly all of them: they wander about without getting better.
    if (round > 0 && reached < best + 1e-3) break
    best = Math.max(best, reached)
  }
  return best
}

interface Placement {
  /** Added to 1. */
  scaleX: number
  scaleY: number
  shiftX: number
  shiftY: number
}

/** Bilinear; places that lie outside become NaN. @returns how many do not */
function move(from: Float32Array, { scaleX, scaleY, shiftX, shiftY }: Placement, into: Float32Array): number {
  let inside = 0
  for (let y = 0, at = 0; y < LOOK_EDGE; y++) {
    const fromY = (y - CENTRE) * (1 + scaleY) + CENTRE + shiftY
    const top = Math.min(LOOK_EDGE - 2, Math.floor(fromY))
    const down = fromY - top
    for (let x = 0; x < LOOK_EDGE; x++, at++) {
      const fromX = (x - CENTRE) * (1 + scaleX) + CENTRE + shiftX
      if (fromX < 0 || fromY < 0 || fromX > LOOK_EDGE - 1 || fromY > LOOK_EDGE - 1) {
        into[at] = Number.NaN
        continue
      }
      const left = Math.min(LOOK_EDGE - 2, Math.floor(fromX))
      const right = fromX - left
      const k = top * LOOK_EDGE + left
      const upper = from[k]! + (from[k + 1]! - from[k]!) * right
      const lower = from[k + LOOK_EDGE]! + (from[k + LOOK_EDGE + 1]! - from[k + LOOK_EDGE]!) * right
      into[at] = upper + (lower - upper) * down
      inside++
    }
  }
  return inside
}

/** Pearson's, over the places that lie inside. */
function correlation(moved: Float32Array, b: Float32Array): number {
  let [n, sumA, sumB, aa, bb, ab] = [0, 0, 0, 0, 0, 0]
  for (let i = 0; i < LOOK_BYTES; i++) {
    const u = moved[i]!
    if (Number.isNaN(u)) continue
    const v = b[i]!
    n++
    sumA += u
    sumB += v
    aa += u * u
    bb += v * v
    ab += u * v
  }
  const variances = (aa - (sumA * sumA) / n) * (bb - (sumB * sumB) / n)
  return variances > 0 ? (ab - (sumA * sumB) / n) / Math.sqrt(variances) : 0
}

const UNKNOWNS = 6
const normal = new Float64Array(UNKNOWNS * UNKNOWNS)
const right = new Float64Array(UNKNOWNS)
const terms = new Float64Array(UNKNOWNS)

/** One step of Gauss and Newton: `b ≈ gain · moved(placement + step) + offset`. @returns false when it cannot be told */
function improve(placement: Placement, moved: Float32Array, b: Float32Array): boolean {
  normal.fill(0)
  right.fill(0)
  for (let y = 1; y < LOOK_EDGE - 1; y++) {
    // Every other pixel says enough about where the next step goes.
    for (let x = 1 + (y % 2); x < LOOK_EDGE - 1; x += 2) {
      const i = y * LOOK_EDGE + x
      const dx = (moved[i + 1]! - moved[i - 1]!) / 2
      const dy = (moved[i + LOOK_EDGE]! - moved[i - LOOK_EDGE]!) / 2
      const value = moved[i]!
      if (Number.isNaN(dx + dy + value)) continue
      terms[0] = dx * (x - CENTRE)
      terms[1] = dy * (y - CENTRE)
      terms[2] = dx
      terms[3] = dy
      terms[4] = value
      terms[5] = 1
      for (let j = 0; j < UNKNOWNS; j++) {
        const term = terms[j]!
        right[j]! += term * b[i]!
        for (let k = j; k < UNKNOWNS; k++) normal[j * UNKNOWNS + k]! += term * terms[k]!
      }
    }
  }
  if (!solve()) return false
  const gain = Math.abs(right[4]!) > 1e-3 ? right[4]! : 1
  const bounded = (value: number, step: number, most: number): number =>
    Math.max(-most, Math.min(most, value + step / gain))
  placement.scaleX = bounded(placement.scaleX, right[0]!, MOST_SCALE)
  placement.scaleY = bounded(placement.scaleY, right[1]!, MOST_SCALE)
  placement.shiftX = bounded(placement.shiftX, right[2]!, MOST_SHIFT)
  placement.shiftY = bounded(placement.shiftY, right[3]!, MOST_SHIFT)
  return true
}

/** Gaussian elimination of the normal equations, of which the upper half is filled; the solution takes the place of `right`. */
function solve(): boolean {
  let trace = 0
  for (let j = 0; j < UNKNOWNS; j++) trace += normal[j * UNKNOWNS + j]!
  // Stripes say nothing about moving along them: a little is added so that they stay where they are.
  for (let j = 0; j < UNKNOWNS; j++) normal[j * UNKNOWNS + j]! += (1e-6 * trace) / UNKNOWNS
  for (let j = 0; j < UNKNOWNS; j++) {
    const pivot = normal[j * UNKNOWNS + j]!
    if (!(pivot > 1e-9)) return false
    for (let row = j + 1; row < UNKNOWNS; row++) {
      const factor = normal[j * UNKNOWNS + row]! / pivot
      for (let k = row; k < UNKNOWNS; k++) normal[row * UNKNOWNS + k]! -= factor * normal[j * UNKNOWNS + k]!
      right[row]! -= factor * right[j]!
    }
  }
  for (let j = UNKNOWNS - 1; j >= 0; j--) {
    let sum = right[j]!
    for (let k = j + 1; k < UNKNOWNS; k++) sum -= normal[j * UNKNOWNS + k]! * right[k]!
    right[j] = sum / normal[j * UNKNOWNS + j]!
  }
  return true
}

/** Means of 2 × 2 pixels, brought to mean 0 and length 1. */
function coarseOf(fine: Float32Array): Float32Array {
  const coarse = new Float32Array(SMALL_EDGE * SMALL_EDGE)
  for (let y = 0, at = 0; y < SMALL_EDGE; y++)
    for (let x = 0; x < SMALL_EDGE; x++, at++) {
      const k = 2 * y * LOOK_EDGE + 2 * x
      coarse[at] = fine[k]! + fine[k + 1]! + fine[k + LOOK_EDGE]! + fine[k + LOOK_EDGE + 1]!
    }
  const mean = coarse.reduce((sum, value) => sum + value, 0) / coarse.length
  const length = Math.sqrt(coarse.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1
  return coarse.map((value) => (value - mean) / length)
}

/** Filters one line: reads and writes `start + i * stride` for i = 0 … 31. */
type LineFilter = (from: Float32Array, into: Float32Array, start: number, stride: number) => void

function alongBoth(picture: Float32Array, filter: LineFilter): Float32Array {
  const across = new Float32Array(LOOK_BYTES)
  const both = new Float32Array(LOOK_BYTES)
  for (let y = 0; y < LOOK_EDGE; y++) filter(picture, across, y * LOOK_EDGE, 1)
  for (let x = 0; x < LOOK_EDGE; x++) filter(across, both, x, LOOK_EDGE)
  return both
}

const binomial: LineFilter = (from, into, start, stride) => {
  for (let i = 0; i < LOOK_EDGE; i++) {
    const before = from[start + Math.max(0, i - 1) * stride]!
    const after = from[start + Math.min(LOOK_EDGE - 1, i + 1) * stride]!
    into[start + i * stride] = (before + 2 * from[start + i * stride]! + after) / 4
  }
}

/** As wide to one side as to the other, also near an edge: light that falls off evenly leaves nothing behind. */
const groundMean: LineFilter = (from, into, start, stride) => {
  for (let i = 0; i < LOOK_EDGE; i++) {
    const radius = Math.min(GROUND_RADIUS, i, LOOK_EDGE - 1 - i)
    let sum = 0
    for (let k = i - radius; k <= i + radius; k++) sum += from[start + k * stride]!
    into[start + i * stride] = sum / (2 * radius + 1)
  }
}
