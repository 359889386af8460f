/**
 * Pillow's antialiased bilinear resize on interleaved uint8 RGB, bit for bit, in plain TypeScript without imports
 * (the same file runs in trainer, tests and the shipped JavaScript snippet).
 *
 * Method (Pillow's documentation, "Filters": BILINEAR; the same numbers as `Image.resize(size, BILINEAR)`):
 * a triangle filter of half-width max(1, in/out), weights normalised to 1 and rounded to 22-bit fixed point; first all
 * rows are resized horizontally, then all columns vertically; each pass rounds and clips to uint8; a pass whose size
 * does not change is left out.
 */
const PRECISION_BITS = 22
const HALF = 1 << (PRECISION_BITS - 1)
const CHANNELS = 3
/** Triangle filter, 1 at 0 and 0 from ±1. */
const triangle = (x) => (x < 0 ? (x > -1 ? 1 + x : 0) : x < 1 ? 1 - x : 0)
const checkSize = (name, value) => {
  if (!Number.isInteger(value) || value < 1)
    throw new RangeError(`${name} must be a whole number from 1, got ${value}`)
}
/**
 * Weights of one axis, computed in float64 in the order Pillow does it, so that rounding agrees.
 * @throws RangeError when a size is not a whole number from 1
 */
export function computeResampleTable(inSize, outSize) {
  checkSize('inSize', inSize)
  checkSize('outSize', outSize)
  const scale = inSize / outSize
  const filterScale = scale < 1 ? 1 : scale
  const support = filterScale
  const stride = Math.ceil(support) * 2 + 1
  const first = new Int32Array(outSize)
  const count = new Int32Array(outSize)
  const weights = new Int32Array(outSize * stride)
  const exact = new Float64Array(stride)
  const inverse = 1 / filterScale
  for (let out = 0; out < outSize; out++) {
    const center = (out + 0.5) * scale
    const from = Math.max(0, Math.trunc(center - support + 0.5))
    const to = Math.min(inSize, Math.trunc(center + support + 0.5))
    const taps = to - from
    let sum = 0
    for (let i = 0; i < taps; i++) {
      const weight = triangle((i + from - center + 0.5) * inverse)
      exact[i] = weight
      sum += weight
    }
    let used = 0
    for (let i = 0; i < taps; i++) {
      const weight = exact[i] ?? 0
      const fixed = Math.trunc(0.5 + (sum === 0 ? weight : weight / sum) * (1 << PRECISION_BITS))
      weights[out * stride + i] = fixed
      if (fixed !== 0) used = i + 1
    }
    first[out] = from
    // A last weight of zero changes nothing; leaving it out saves work.
    count[out] = used
  }
  return { inSize, outSize, first, count, weights, stride }
}
const tables = new Map()
const MAX_TABLES = 256
/** `computeResampleTable`, remembered for the pairs used last (data sets have few different sizes). */
export function resampleTable(inSize, outSize) {
  const key = `${inSize}>${outSize}`
  const known = tables.get(key)
  if (known !== undefined) {
    if (tables.size > MAX_TABLES / 2) {
      tables.delete(key)
      tables.set(key, known)
    }
    return known
  }
  const table = computeResampleTable(inSize, outSize)
  if (tables.size >= MAX_TABLES) {
    const oldest = tables.keys().next()
    if (!oldest.done) tables.delete(oldest.value)
  }
  tables.set(key, table)
  return table
}
/** Rounds a 22-bit fixed-point sum (HALF already added) to uint8. All weights are ≥ 0 here, so only 255 can be passed. */
const clip = (sum) => {
  const value = sum >> PRECISION_BITS
  return value > 255 ? 255 : value
}
/** `source` [rows, table.inSize, 3] → `target` [rows, table.outSize, 3]. */
function resampleRows(source, rows, table, target) {
  const { inSize, outSize, first, count, weights, stride } = table
  let write = 0
  for (let y = 0; y < rows; y++) {
    const rowStart = y * inSize * CHANNELS
    for (let x = 0; x < outSize; x++) {
      let read = rowStart + first[x] * CHANNELS
      let k = x * stride
      const end = k + count[x]
      let r = HALF
      let g = HALF
      let b = HALF
      for (; k < end; k++) {
        const weight = weights[k]
        r = (r + Math.imul(source[read], weight)) | 0
        g = (g + Math.imul(source[read + 1], weight)) | 0
        b = (b + Math.imul(source[read + 2], weight)) | 0
        read += CHANNELS
      }
      target[write] = clip(r)
      target[write + 1] = clip(g)
      target[write + 2] = clip(b)
      write += CHANNELS
    }
  }
}
/** `source` [table.inSize, width, 3] → `target` [table.outSize, width, 3]. */
function resampleColumns(source, width, table, target) {
  const { outSize, first, count, weights, stride } = table
  const rowBytes = width * CHANNELS
  const sums = new Int32Array(rowBytes)
  for (let y = 0; y < outSize; y++) {
    const write = y * rowBytes
    const taps = count[y]
    const k = y * stride
    let row = first[y] * rowBytes
    sums.fill(HALF)
    let tap = 0
    // Several rows at a time: fewer trips through `sums`.
    for (; tap + 4 <= taps; tap += 4) {
      const w0 = weights[k + tap]
      const w1 = weights[k + tap + 1]
      const w2 = weights[k + tap + 2]
      const w3 = weights[k + tap + 3]
      const row1 = row + rowBytes
      const row2 = row1 + rowBytes
      const row3 = row2 + rowBytes
      for (let i = 0; i < rowBytes; i++) {
        sums[i] =
          sums[i] +
          Math.imul(source[row + i], w0) +
          Math.imul(source[row1 + i], w1) +
          Math.imul(source[row2 + i], w2) +
          Math.imul(source[row3 + i], w3)
      }
      row = row3 + rowBytes
    }
    for (; tap < taps; tap++) {
      const weight = weights[k + tap]
      for (let i = 0; i < rowBytes; i++) sums[i] = sums[i] + Math.imul(source[row + i], weight)
      row += rowBytes
    }
    for (let i = 0; i < rowBytes; i++) target[write + i] = clip(sums[i])
  }
}
/**
 * Resizes interleaved RGB as Pillow's `Image.resize((outWidth, outHeight), Image.BILINEAR)` does, bit for bit.
 *
 * @param source uint8 `[height, width, 3]`
 * @returns uint8 `[outHeight, outWidth, 3]`; `buffers.target` when it fits, never `source` itself
 * @throws RangeError when sizes are not whole numbers from 1 or `source` has another length
 */
export function resizeRgb(source, width, height, outWidth, outHeight, buffers = {}) {
  checkSize('width', width)
  checkSize('height', height)
  checkSize('outWidth', outWidth)
  checkSize('outHeight', outHeight)
  if (source.length !== width * height * CHANNELS) {
    throw new RangeError(`expected ${width * height * CHANNELS} bytes of RGB, got ${source.length}`)
  }
  const bytes = outWidth * outHeight * CHANNELS
  const target = buffers.target?.length === bytes ? buffers.target : new Uint8Array(bytes)
  const horizontal = outWidth !== width
  const vertical = outHeight !== height
  if (!horizontal && !vertical) {
    target.set(source)
    return target
  }
  if (!vertical) {
    resampleRows(source, height, resampleTable(width, outWidth), target)
    return target
  }
  let between = source
  if (horizontal) {
    const needed = height * outWidth * CHANNELS
    if (buffers.between === undefined || buffers.between.length < needed)
      buffers.between = new Uint8Array(needed)
    between = buffers.between
    resampleRows(source, height, resampleTable(width, outWidth), between)
  }
  resampleColumns(between, outWidth, resampleTable(height, outHeight), target)
  return target
}
