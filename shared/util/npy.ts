import { KestrelError } from '../errors/index.ts'

/**
 * NumPy's file format for one array (numpy.org/doc/stable/reference/generated/numpy.lib.format.html), version 1.0–3.0,
 * for little-endian numbers in row-major order.
 */

export type NpyData = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array
export interface NpyArray<T extends NpyData = NpyData> {
  shape: number[]
  data: T
}

const magic = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59)
const maxHeaderBytes = 65_536

const damaged = (what: string): KestrelError =>
  new KestrelError('bad-request', `This is not a NumPy file that Kestrel can read: ${what}.`)

function typedArray(descr: string, buffer: ArrayBuffer): NpyData {
  switch (descr) {
    case '<f4':
      return new Float32Array(buffer)
    case '<f8':
      return new Float64Array(buffer)
    case '<i4':
      return new Int32Array(buffer)
    case '<i8':
      return new BigInt64Array(buffer)
    case '|u1':
      return new Uint8Array(buffer)
    default:
      throw damaged(`its numbers are of the type ${descr}`)
  }
}

const itemBytes: Record<string, number> = { '<f4': 4, '<f8': 8, '<i4': 4, '<i8': 8, '|u1': 1 }

/** Throws `bad-request` when the bytes are not such a file. */
export function readNpy(bytes: Uint8Array): NpyArray {
  if (bytes.length < 12 || magic.some((byte, index) => bytes[index] !== byte))
    throw damaged('it does not begin as one')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const wide = view.getUint8(6) >= 2
  const headerLength = wide ? view.getUint32(8, true) : view.getUint16(8, true)
  const start = (wide ? 12 : 10) + headerLength
  if (headerLength > maxHeaderBytes || start > bytes.length) throw damaged('its header is cut off')
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, start))
  const descr = /'descr':\s*'([^']+)'/.exec(header)?.[1]
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1]
  const sizes = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1]
  if (descr === undefined || order === undefined || sizes === undefined)
    throw damaged('its header is incomplete')
  if (order === 'True') throw damaged('it is in column-major order')
  const shape = sizes
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number)
  const count = shape.reduce((a, b) => a * b, 1)
  const length = count * (itemBytes[descr] ?? 1)
  if (!Number.isSafeInteger(count) || count < 0 || bytes.length - start !== length) {
    throw damaged('it does not hold as many numbers as it says')
  }
  return { shape, data: typedArray(descr, new Uint8Array(bytes.subarray(start)).buffer) }
}

const descrOf = (data: NpyData): string => {
  if (data instanceof Float32Array) return '<f4'
  if (data instanceof Float64Array) return '<f8'
  if (data instanceof Int32Array) return '<i4'
  return data instanceof BigInt64Array ? '<i8' : '|u1'
}

/** The header that goes before `data` of this shape; for files that are written piece by piece. */
export function npyHeader(descr: string, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ')
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`
  // The data begins at a multiple of 64 bytes; the header ends in a line break.
  const padded =
    text.padEnd(Math.ceil((magic.length + 4 + text.length + 1) / 64) * 64 - magic.length - 5) + '\n'
  const bytes = new Uint8Array(magic.length + 4 + padded.length)
  bytes.set(magic)
  bytes[6] = 1
  new DataView(bytes.buffer).setUint16(8, padded.length, true)
  bytes.set(new TextEncoder().encode(padded), 10)
  return bytes
}

/** Throws `bad-request` when data and shape do not fit. */
export function writeNpy(shape: readonly number[], data: NpyData): Uint8Array {
  if (shape.reduce((a, b) => a * b, 1) !== data.length) throw damaged('the shape does not fit the data')
  const header = npyHeader(descrOf(data), shape)
  const bytes = new Uint8Array(header.length + data.byteLength)
  bytes.set(header)
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length)
  return bytes
}
