import { hasRoom, kernelOf } from '../simd-kernel.ts'
import { encodedLevels, ONE, type MatrixProfile } from './colours.ts'
import type { Preprocessing } from './definition.ts'
import { resampleTable, resizeRgb, type ResampleBuffers, type ResampleTable } from './resample.ts'
import type { StoredPicture } from './stored.ts'
import { scaleTable } from './tensor.ts'

/**
 * `rgbOf`, `resizeRgb` and `tensorFromResized`, bit for bit, in WebAssembly: about four times as fast. Where WebAssembly or its
 * SIMD instructions are not to be had, and for sizes that would need much memory, the plain ones do it.
 *
 * The program is simd.wat, assembled and written down here by scripts/assemble-simd.ts; tests compare it with the text, and its
 * answers with the plain ones for every kind of size.
 */
const program =
  'AGFzbQEAAAABLgVgA39/fwBgBH9/f38AYAl/f39/f39/f38AYAh/f39/f39/fwBgBn9/f39/fwADBgUAAQIDBAUDAQAQBzcGBm1lbW9y' +
  'eQIABnNwcmVhZAAAB2NvbG91cnMAAQRyb3dzAAIHY29sdW1ucwADBnBsYW5lcwAECuEKBYcBAQF7AkAgAUEATA0AA0AgAP0ABAAhAyAC' +
  'IAMgA/0NAAAAAQEBAgICAwMDBAQEBf0LBAAgAiADIAP9DQUFBgYGBwcHCAgICQkJCgr9CwQQIAIgAyAD/Q0KCwsLDAwMDQ0NDg4ODw8P' +
  '/QsEICAAQRBqIQAgAkEwaiECIAFBEGsiAUEASg0ACwsLuQEBAXsCQCABRQ0AA0AgAiAALQAAQQR0av0ABAAgAiAALQABQQR0av0ABIAg' +
  '/a4BIAIgAC0AAkEEdGr9AASAQP2uASEEIARBDv2sAf0MAAAAAAAAAAAAAAAAAAAAAP24Af0MAEAAAABAAAAAQAAAAEAAAP22ASEEIAAg' +
  'AyAE/RsAai0AADoAACAAIAMgBP0bAWotAAA6AAEgACADIAT9GwJqLQAAOgACIABBA2ohACABQQFrIgENAAsLC64DAgd/B3sCQCACQQBM' +
  'DQADQCAGIQkgAyEOIAQhDSAHIQ8DQCAAIA4oAgBqIQogCiABaiELIA0gBWohDP0MAAAgAAAAIAAAACAAAAAgACETIBMhFf0MAAAAAAAA' +
  'AAAAAAAAAAAAACEUIBQhFgNAIA39CQIAIRAgDf0JAgQhESAK/V0DAP0MAAAAAAAAAAAAAAAAAAAAAP0NABADEAEQBBACEAUQEBAQECES' +
  'IBMgEiAQ/boB/a4BIRMgFCASIBH9ugH9rgEhFCAL/V0DAP0MAAAAAAAAAAAAAAAAAAAAAP0NABADEAEQBBACEAUQEBAQECESIBUgEiAQ' +
  '/boB/a4BIRUgFiASIBH9ugH9rgEhFiAKQQZqIQogC0EGaiELIA1BCGoiDSAMSQ0ACyATIBRBC/2rAf2uAUEW/awBIRMgFSAWQQv9qwH9' +
  'rgFBFv2sASEVIBMgFf2FASETIBMgE/1mIRMgDyAT/VoCAAAgDyAIaiAT/VoCAAEgD0EDaiEPIA5BBGohDiAJQQFrIgkNAAsgByAIQQF0' +
  'aiEHIAAgAUEBdGohACACQQJrIgJBAEoNAAsLC/wDAgV/DXsCQCAGRQ0AA0AgACADKAIAaiEMIAQgBWohC0EAIQgDQCAMIAhqIQkgBCEK' +
  '/QwAACAAAAAgAAAAIAAAACAAIRIgEiETIBIhFCASIRX9DAAAAAAAAAAAAAAAAAAAAAAhFiAWIRcgFiEYIBYhGQNAIAr9CQIAIQ0gCv0J' +
  'AgQhDiAJ/QAEACEPIAkgAWohCSAJ/QAEACEQIAkgAWohCSAPIBD9DQAQARECEgMTBBQFFQYWBxchESAPIBD9DQgYCRkKGgsbDBwNHQ4e' +
  'Dx8hECAR/YkBIQ8gEiAPIA39ugH9rgEhEiAWIA8gDv26Af2uASEWIBH9igEhDyATIA8gDf26Af2uASETIBcgDyAO/boB/a4BIRcgEP2J' +
  'ASEPIBQgDyAN/boB/a4BIRQgGCAPIA79ugH9rgEhGCAQ/YoBIQ8gFSAPIA39ugH9rgEhFSAZIA8gDv26Af2uASEZIApBCGoiCiALSQ0A' +
  'CyASIBZBC/2rAf2uAUEW/awBIRIgEyAXQQv9qwH9rgFBFv2sASETIBQgGEEL/asB/a4BQRb9rAEhFCAVIBlBC/2rAf2uAUEW/awBIRUg' +
  'ByAIaiASIBP9hQEgFCAV/YUB/Wb9CwQAIAhBEGoiCCACSQ0ACyAHIAJqIQcgA0EEaiEDIAQgBWohBCAGQQFrIgYNAAsLC20AAkAgAUUN' +
  'AANAIAMgAiAALQAAQQJ0aioCADgCACAEIAIgAC0AAUECdGoqAoAIOAIAIAUgAiAALQACQQJ0aioCgBA4AgAgAEEDaiEAIANBBGohAyAE' +
  'QQRqIQQgBUEEaiEFIAFBAWsiAQ0ACwsL'

interface Kernel {
  memory: WebAssembly.Memory
  spread: (...numbers: number[]) => void
  colours: (...numbers: number[]) => void
  rows: (...numbers: number[]) => void
  columns: (...numbers: number[]) => void
  planes: (...numbers: number[]) => void
}

const CHANNELS = 3
/** Values a channel can have. */
const LEVELS = 256
/** Source rows are handed over in stretches of about this many bytes, which also fit the processor's cache. */
const BAND_BYTES = 512 * 1024
/** WebAssembly memory is never given back, so it must stay small. */
const MOST_MEMORY = 48 * 1024 * 1024
/** Vectors are read and written whole, up to 47 bytes past the end. */
const SLACK = 64

const kernel = kernelOf<Kernel>(program)

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

/** Of each profile, what `colours` in simd.wat calls light: int32 `[3, 256, 4]`. */
const lights = new WeakMap<MatrixProfile, Int32Array>()

function lightOf(profile: MatrixProfile): Int32Array {
  const known = lights.get(profile)
  if (known !== undefined) return known
  const { linear, matrix } = profile
  const light = new Int32Array(CHANNELS * LEVELS * 4)
  for (let from = 0; from < CHANNELS; from++)
    for (let level = 0; level < LEVELS; level++)
      for (let to = 0; to < CHANNELS; to++) {
        // Half a level more, once: the sum is rounded. Sums wrap around 32 bits as those of `applyMatrixProfile` do.
        const half = from === 0 ? ONE / 2 : 0
        light[(from * LEVELS + level) * 4 + to] =
          Math.imul(matrix[to * CHANNELS + from]!, linear[from * LEVELS + level]!) + half
      }
  lights.set(profile, light)
  return light
}

/**
 * Both passes of the resize, within the module's memory.
 * @param arena what the caller needs there besides has been taken
 * @returns where uint8 `[outHeight, outWidth, 3]` lies; null when the plain way is to be gone: too much memory, or
 * arguments that it refuses
 */
function resizeInside(
  simd: Kernel,
  arena: Arena,
  { data, width, height, channels = CHANNELS, profile = null }: StoredPicture,
  outWidth: number,
  outHeight: number,
): number | null {
  const sizes = [width, height, outWidth, outHeight]
  if (!sizes.every((size) => Number.isInteger(size) && size > 0)) return null
  if (data.length !== width * height * channels) return null
  const across = packed(resampleTable(width, outWidth))
  const down = packed(resampleTable(height, outHeight))
  const sourceRow = width * CHANNELS
  const targetRow = outWidth * CHANNELS
  const bandRows = Math.min(height, Math.max(1, Math.floor(BAND_BYTES / sourceRow)))

  const light = profile && { table: lightOf(profile), at: arena.take(CHANNELS * LEVELS * 16) }
  const levels = profile ? arena.take(ONE + 1) : 0
  const grey = channels === 1 ? arena.take(bandRows * width) : 0
  const placedAcross = place(arena, across)
  const placedDown = place(arena, down)
  // Room for what is read behind the last sample, times zero, and for the row that is written behind an odd last one.
  const band = arena.take((bandRows + 1) * sourceRow + across.reach * CHANNELS)
  const betweenRow = (targetRow + 16) & ~15
  const between = arena.take(Math.max(height + 1, down.reach) * betweenRow)
  const result = arena.take(outHeight * targetRow)
  if (arena.size > MOST_MEMORY) return null
  if (!hasRoom(simd, arena.size)) return null

  const memory = simd.memory.buffer
  const bytes = new Uint8Array(memory)
  write(memory, placedAcross, CHANNELS)
  write(memory, placedDown, betweenRow)
  if (light) {
    new Int32Array(memory, light.at, light.table.length).set(light.table)
    bytes.set(encodedLevels(), levels)
  }
  for (let row = 0; row < height; row += bandRows) {
    const rows = Math.min(bandRows, height - row)
    const stored = data.subarray(row * width * channels, (row + rows) * width * channels)
    bytes.set(stored, channels === 1 ? grey : band)
    if (channels === 1) simd.spread(grey, rows * width, band)
    if (light) simd.colours(band, rows * width, light.at, levels)
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
  const at = simd && resizeInside(simd, new Arena(), { data: source, width, height }, outWidth, outHeight)
  if (at === null) return resizeRgb(source, width, height, outWidth, outHeight, buffers)
  const length = outHeight * outWidth * CHANNELS
  const target = buffers.target?.length === length ? buffers.target : new Uint8Array(length)
  target.set(new Uint8Array(simd!.memory.buffer, at, length))
  return target
}

/**
 * `toNetworkInput` in one go.
 *
 * @param target has room for `[3, size.height, size.width]` from `offset` on
 * @returns false when nothing was done, and the plain way is to be gone
 */
export function networkInputBySimd(
  picture: StoredPicture,
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
  const at = resizeInside(simd, arena, picture, size.width, size.height)
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
