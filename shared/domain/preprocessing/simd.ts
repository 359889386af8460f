import type { Preprocessing } from './definition.ts'
import { resampleTable, resizeRgb, type ResampleBuffers, type ResampleTable } from './resample.ts'
import { scaleTable } from './tensor.ts'

/**
 * `resizeRgb` and `tensorFromResized`, bit for bit, in WebAssembly: about four times as fast. Where WebAssembly or its
 * SIMD instructions are not to be had, and for sizes that would need much memory, the plain ones do it.
 *
 * The program is simd.wat, assembled and written down here by scripts/assemble-simd.ts; tests compare it with the text, and its
 * answers with the plain ones for every kind of size.
 */
const program =
  'AGFzbQEAAAABIQNgCX9/f39/f39/fwBgCH9/f39/f39/AGAGf39/f39/AAMEAwABAgUDAQAQByQEBm1lbW9yeQIABHJvd3MAAAdjb2x1' +
  'bW5zAAEGcGxhbmVzAAIKnQgDrgMCB38HewJAIAJBAEwNAANAIAYhCSADIQ4gBCENIAchDwNAIAAgDigCAGohCiAKIAFqIQsgDSAFaiEM' +
  '/QwAACAAAAAgAAAAIAAAACAAIRMgEyEV/QwAAAAAAAAAAAAAAAAAAAAAIRQgFCEWA0AgDf0JAgAhECAN/QkCBCERIAr9XQMA/QwAAAAA' +
  'AAAAAAAAAAAAAAAA/Q0AEAMQARAEEAIQBRAQEBAQIRIgEyASIBD9ugH9rgEhEyAUIBIgEf26Af2uASEUIAv9XQMA/QwAAAAAAAAAAAAA' +
  'AAAAAAAA/Q0AEAMQARAEEAIQBRAQEBAQIRIgFSASIBD9ugH9rgEhFSAWIBIgEf26Af2uASEWIApBBmohCiALQQZqIQsgDUEIaiINIAxJ' +
  'DQALIBMgFEEL/asB/a4BQRb9rAEhEyAVIBZBC/2rAf2uAUEW/awBIRUgEyAV/YUBIRMgEyAT/WYhEyAPIBP9WgIAACAPIAhqIBP9WgIA' +
  'ASAPQQNqIQ8gDkEEaiEOIAlBAWsiCQ0ACyAHIAhBAXRqIQcgACABQQF0aiEAIAJBAmsiAkEASg0ACwsL/AMCBX8NewJAIAZFDQADQCAA' +
  'IAMoAgBqIQwgBCAFaiELQQAhCANAIAwgCGohCSAEIQr9DAAAIAAAACAAAAAgAAAAIAAhEiASIRMgEiEUIBIhFf0MAAAAAAAAAAAAAAAA' +
  'AAAAACEWIBYhFyAWIRggFiEZA0AgCv0JAgAhDSAK/QkCBCEOIAn9AAQAIQ8gCSABaiEJIAn9AAQAIRAgCSABaiEJIA8gEP0NABABEQIS' +
  'AxMEFAUVBhYHFyERIA8gEP0NCBgJGQoaCxsMHA0dDh4PHyEQIBH9iQEhDyASIA8gDf26Af2uASESIBYgDyAO/boB/a4BIRYgEf2KASEP' +
  'IBMgDyAN/boB/a4BIRMgFyAPIA79ugH9rgEhFyAQ/YkBIQ8gFCAPIA39ugH9rgEhFCAYIA8gDv26Af2uASEYIBD9igEhDyAVIA8gDf26' +
  'Af2uASEVIBkgDyAO/boB/a4BIRkgCkEIaiIKIAtJDQALIBIgFkEL/asB/a4BQRb9rAEhEiATIBdBC/2rAf2uAUEW/awBIRMgFCAYQQv9' +
  'qwH9rgFBFv2sASEUIBUgGUEL/asB/a4BQRb9rAEhFSAHIAhqIBIgE/2FASAUIBX9hQH9Zv0LBAAgCEEQaiIIIAJJDQALIAcgAmohByAD' +
  'QQRqIQMgBCAFaiEEIAZBAWsiBg0ACwsLbQACQCABRQ0AA0AgAyACIAAtAABBAnRqKgIAOAIAIAQgAiAALQABQQJ0aioCgAg4AgAgBSAC' +
  'IAAtAAJBAnRqKgKAEDgCACAAQQNqIQAgA0EEaiEDIARBBGohBCAFQQRqIQUgAUEBayIBDQALCws='

interface Kernel {
  memory: WebAssembly.Memory
  rows: (...numbers: number[]) => void
  columns: (...numbers: number[]) => void
  planes: (...numbers: number[]) => void
}

const CHANNELS = 3
/** Source rows are handed over in stretches of about this many bytes, which also fit the processor's cache. */
const BAND_BYTES = 512 * 1024
/** WebAssembly memory is never given back, so it must stay small. */
const MOST_MEMORY = 48 * 1024 * 1024
/** Vectors are read and written whole, up to 15 bytes past the end. */
const SLACK = 32

let loaded: Kernel | null | undefined

function kernel(): Kernel | null {
  if (loaded !== undefined) return loaded
  try {
    const bytes = Uint8Array.from(atob(program), (letter) => letter.charCodeAt(0))
    loaded = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Kernel
  } catch (error) {
    // No WebAssembly here (old runtime, content policy): not an error, the other way gives the same numbers.
    if (!(error instanceof Error)) throw error
    loaded = null
  }
  return loaded
}

/** Gives out memory from the beginning, 16-byte aligned, with slack behind every piece. */
class Arena {
  private used = 0

  take(bytes: number): number {
    const at = this.used
    this.used = (at + bytes + SLACK + 15) & ~15
    return at
  }

  get size(): number {
    return this.used
  }
}

/** A table as the program reads it: see simd.wat. */
interface PackedTable {
  first: Int32Array
  /** Pairs of taps as low and high halves, `[outSize, pairs, 4]`; as many for each output sample, of weight 0 at the end. */
  weights: Int16Array
  /** Bytes from the weights of one output sample to those of the next. */
  stride: number
  /** Input samples that are read, those of weight 0 behind the last one too. */
  reach: number
}

const packedTables = new WeakMap<ResampleTable, PackedTable>()
const LOW_BITS = 11
const PAIR_BYTES = 8

function packed(table: ResampleTable): PackedTable {
  const known = packedTables.get(table)
  if (known !== undefined) return known
  const { outSize, first, count } = table
  const pairs = Math.ceil(count.reduce((most, taps) => Math.max(most, taps), 1) / 2)
  const weights = new Int16Array(outSize * pairs * 4)
  for (let out = 0; out < outSize; out++)
    for (let tap = 0; tap < count[out]!; tap++) {
      const weight = table.weights[out * table.stride + tap]!
      const at = (out * pairs + (tap >> 1)) * 4 + (tap & 1)
      weights[at] = weight & ((1 << LOW_BITS) - 1)
      weights[at + 2] = weight >> LOW_BITS
    }
  const result = { first, weights, stride: pairs * PAIR_BYTES, reach: first[outSize - 1]! + 2 * pairs }
  packedTables.set(table, result)
  return result
}

interface PlacedTable {
  table: PackedTable
  first: number
  weights: number
}

const place = (arena: Arena, table: PackedTable): PlacedTable => ({
  table,
  first: arena.take(table.first.byteLength),
  weights: arena.take(table.weights.byteLength),
})

/** @param step from one input sample to the next, in bytes */
function write(memory: ArrayBufferLike, { table, first, weights }: PlacedTable, step: number): void {
  const offsets = new Int32Array(memory, first, table.first.length)
  for (let i = 0; i < offsets.length; i++) offsets[i] = table.first[i]! * step
  new Int16Array(memory, weights, table.weights.length).set(table.weights)
}

/**
 * Both passes of the resize, within the module's memory.
 * @param arena what the caller needs there besides has been taken
 * @returns where uint8 `[outHeight, outWidth, 3]` lies; null when the plain way is to be gone: nothing to win, too much
 * memory, or arguments that it refuses
 */
function resizeInside(
  simd: Kernel,
  arena: Arena,
  source: Uint8Array,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
): number | null {
  if (width === outWidth || height === outHeight || source.length !== width * height * CHANNELS) return null
  const across = packed(resampleTable(width, outWidth))
  const down = packed(resampleTable(height, outHeight))
  const sourceRow = width * CHANNELS
  const targetRow = outWidth * CHANNELS
  const bandRows = Math.min(height, Math.max(1, Math.floor(BAND_BYTES / sourceRow)))

  const placedAcross = place(arena, across)
  const placedDown = place(arena, down)
  // Room for what is read behind the last sample, times zero, and for the row that is written behind an odd last one.
  const band = arena.take((bandRows + 1) * sourceRow + across.reach * CHANNELS)
  const betweenRow = (targetRow + 16) & ~15
  const between = arena.take(Math.max(height + 1, down.reach) * betweenRow)
  const result = arena.take(outHeight * targetRow)
  if (arena.size > MOST_MEMORY) return null
  const missing = arena.size - simd.memory.buffer.byteLength
  if (missing > 0) simd.memory.grow(Math.ceil(missing / 65536))

  const memory = simd.memory.buffer
  const bytes = new Uint8Array(memory)
  write(memory, placedAcross, CHANNELS)
  write(memory, placedDown, betweenRow)
  for (let row = 0; row < height; row += bandRows) {
    const rows = Math.min(bandRows, height - row)
    bytes.set(source.subarray(row * sourceRow, (row + rows) * sourceRow), band)
    const to = between + row * betweenRow
    const { first, weights } = placedAcross
    simd.rows(band, sourceRow, rows, first, weights, across.stride, outWidth, to, betweenRow)
  }
  const { first, weights } = placedDown
  simd.columns(between, betweenRow, targetRow, first, weights, down.stride, outHeight, result)
  return result
}

/**
 * `resizeRgb`, faster.
 *
 * @param source uint8 `[height, width, 3]`
 * @returns uint8 `[outHeight, outWidth, 3]`; `buffers.target` when it fits, never `source` itself
 * @throws RangeError as `resizeRgb`
 */
export function resizeRgbFast(
  source: Uint8Array,
  width: number,
  height: number,
  outWidth: number,
  outHeight: number,
  buffers: ResampleBuffers = {},
): Uint8Array {
  const simd = kernel()
  const at = simd && resizeInside(simd, new Arena(), source, width, height, outWidth, outHeight)
  if (at === null) return resizeRgb(source, width, height, outWidth, outHeight, buffers)
  const length = outHeight * outWidth * CHANNELS
  const target = buffers.target?.length === length ? buffers.target : new Uint8Array(length)
  target.set(new Uint8Array(simd!.memory.buffer, at, length))
  return target
}

/** Values a channel can have. */
const LEVELS = 256

/**
 * `toNetworkInput` in one go.
 *
 * @param picture uint8 `[height, width, 3]`
 * @param target has room for `[3, size.height, size.width]` from `offset` on
 * @returns false when nothing was done, and the plain way is to be gone
 */
export function networkInputBySimd(
  picture: { data: Uint8Array; width: number; height: number },
  { size, mean, divisor, channelOrder }: Preprocessing,
  target: Float32Array,
  offset: number,
): boolean {
  const simd = kernel()
  if (simd === null) return false
  const pixels = size.width * size.height
  const arena = new Arena()
  const tables = arena.take(CHANNELS * LEVELS * 4)
  const planes = arena.take(CHANNELS * pixels * 4)
  const { data, width, height } = picture
  const at = resizeInside(simd, arena, data, width, height, size.width, size.height)
  if (at === null) return false
  const memory = simd.memory.buffer
  const table = new Float32Array(memory, tables, CHANNELS * LEVELS)
  const places = [0, 1, 2].map((channel) => {
    table.set(scaleTable(mean[channel]!, divisor[channel]!), channel * LEVELS)
    return planes + (channelOrder === 'BGR' ? 2 - channel : channel) * pixels * 4
  })
  simd.planes(at, pixels, tables, ...places)
  target.set(new Float32Array(memory, planes, CHANNELS * pixels), offset)
  return true
}
