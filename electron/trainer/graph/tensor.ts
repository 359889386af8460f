import { KestrelError } from '#shared/errors/index.ts'
import type { DataOf, DataType, Tensor } from './types.ts'

/** Bytes of one element; 0 for strings, which have no fixed size. */
export const bytesPerElement: Record<DataType, number> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
  string: 0,
}

export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Puts data of a type and a shape together. Throws `bad-request` when the sizes do not agree. */
export function tensor<T extends DataType>(
  type: T,
  shape: readonly number[],
  data: DataOf[T],
): Extract<Tensor, { type: T }> {
  if (data.length !== elementCount(shape)) {
    throw new KestrelError(
      'bad-request',
      `A tensor of shape [${shape.join(', ')}] needs ${elementCount(shape)} values and got ${data.length}.`,
    )
  }
  return { type, shape, data } as Extract<Tensor, { type: T }>
}

export const float32 = (
  shape: readonly number[],
  data: ArrayLike<number>,
): Extract<Tensor, { type: 'float32' }> =>
  tensor('float32', shape, data instanceof Float32Array ? data : Float32Array.from(data))

export const scalar = (value: number): Tensor => float32([], [value])

const int64Limit = 2n ** 63n

/**
 * A whole number as a 64-bit integer. What lies beyond the range is held at its end instead of wrapping around: 2^63 − 1,
 * which ONNX uses for "to the end", is 2^63 as a number.
 */
export function toInt64(value: number): bigint {
  const exact = BigInt(value)
  return exact >= int64Limit ? int64Limit - 1n : exact < -int64Limit ? -int64Limit : exact
}

/** One-dimensional int64 constant, as ONNX wants for shapes, axes and pads. */
export const int64s = (values: readonly number[]): Tensor =>
  tensor('int64', [values.length], BigInt64Array.from(values, toInt64))

/**
 * A typed array over bytes that are little-endian and may stand unaligned in a file. Copies only when it must.
 */
export function fromBytes(
  type: Exclude<DataType, 'string'>,
  bytes: Uint8Array,
): DataOf[Exclude<DataType, 'string'>] {
  const size = bytesPerElement[type]
  const whole = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes)
  const { buffer, byteOffset } = whole
  const length = Math.floor(whole.byteLength / size)
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, byteOffset, length)
    case 'float64':
      return new Float64Array(buffer, byteOffset, length)
    case 'float16':
    case 'bfloat16':
    case 'uint16':
      return new Uint16Array(buffer, byteOffset, length)
    case 'int8':
      return new Int8Array(buffer, byteOffset, length)
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, byteOffset, length)
    case 'int16':
      return new Int16Array(buffer, byteOffset, length)
    case 'int32':
      return new Int32Array(buffer, byteOffset, length)
    case 'uint32':
      return new Uint32Array(buffer, byteOffset, length)
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, length)
    case 'uint64':
      return new BigUint64Array(buffer, byteOffset, length)
  }
}

export function toBytes(data: Exclude<DataOf[DataType], string[]>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** Bits of an IEEE 754 half-precision number to its value. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** Bits of the half-precision number nearest to a value (of two equally near, the even one); beyond 65,504 infinite. */
export function numberToHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  // Halfway to the next number there would be.
  if (size >= 65_520) return sign | 0x7c00
  // Numbers from 2^e to 2^(e+1) lie 2^(e-10) apart; below 2^-14 all of them 2^-24.
  const exponent = Math.max(-14, Math.floor(Math.log2(size)))
  const steps = roundToEven(size / 2 ** (exponent - 10))
  // Rounded up to the next power of two the carry runs into the exponent, as it should.
  return sign | (size < 2 ** -14 ? steps : ((exponent + 15) << 10) + (steps - 1024))
}

function roundToEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below
}

/** Any numeric tensor as plain numbers (64-bit integers beyond 2^53 lose their last bits). */
export function numbers(value: Tensor): number[] {
  switch (value.type) {
    case 'string':
      throw new KestrelError('backbone-unsupported', 'Text stands where numbers are needed.')
    case 'int64':
    case 'uint64':
      return Array.from(value.data, Number)
    case 'float16':
      return Array.from(value.data, halfToNumber)
    case 'bfloat16': {
      const bits = Uint32Array.from(value.data, (half) => half << 16)
      return Array.from(new Float32Array(bits.buffer))
    }
    default:
      return Array.from(value.data)
  }
}

/** The values as 32-bit floats, without a copy where they are already. */
export function toFloat32(value: Tensor): Float32Array {
  if (value.type === 'float32') return value.data
  return Float32Array.from(numbers(value))
}

/** Swaps axes of a dense tensor: `result.shape[i] = value.shape[order[i]]`. */
export function transpose(value: Extract<Tensor, { type: 'float32' }>, order: readonly number[]) {
  const shape = order.map((axis) => value.shape[axis] ?? 1)
  const strides = value.shape.map((_, axis) => elementCount(value.shape.slice(axis + 1)))
  const steps = order.map((axis) => strides[axis] ?? 1)
  const out = new Float32Array(value.data.length)
  // The last axis in a loop of its own: weights have tens of millions of numbers.
  const inner = shape.at(-1) ?? 1
  const innerStep = steps.at(-1) ?? 1
  const outer = shape.length - 1
  const index = new Array<number>(Math.max(outer, 0)).fill(0)
  const { data } = value
  let from = 0
  for (let to = 0; to < out.length; to += inner) {
    for (let i = 0, read = from; i < inner; i++, read += innerStep) out[to + i] = data[read]!
    for (let axis = outer - 1; axis >= 0; axis--) {
      index[axis]! += 1
      from += steps[axis]!
      if (index[axis]! < shape[axis]!) break
      from -= steps[axis]! * shape[axis]!
      index[axis] = 0
    }
  }
  return tensor('float32', shape, out)
}
