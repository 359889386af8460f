import { KestrelError } from '#shared/errors/index.ts'
import { elementCount, numbers, toInt64 } from '../../graph/tensor.ts'
import type { DataType, Tensor } from '../../graph/types.ts'

/**
 * A value while the reference engine computes: every kind of real number (`float16`, `bfloat16`, `float32`, `float64`)
 * is a 64-bit one, everything else is what the graph says. Kernels never write into a value that they were given, so
 * that several values may share their numbers.
 */
export type Value = Exclude<Tensor, { type: 'float32' | 'float16' | 'bfloat16' }>
export type Real = Extract<Value, { type: 'float64' }>
type Whole = Exclude<Value, { type: 'float64' | 'string' }>

/** The type in which the engine keeps values of a type. */
export const kept = (type: DataType): Value['type'] =>
  type === 'float32' || type === 'float16' || type === 'bfloat16' ? 'float64' : type

export const real = (shape: readonly number[], data: Float64Array): Real => ({ type: 'float64', shape, data })

/** A tensor from outside: shares the numbers where the type stays. */
export function valueOf(tensor: Tensor): Value {
  switch (tensor.type) {
    case 'float32':
      return real(tensor.shape, Float64Array.from(tensor.data))
    case 'float16':
    case 'bfloat16':
      return real(tensor.shape, Float64Array.from(numbers(tensor)))
    default:
      return tensor
  }
}

/** The entries as numbers; 64-bit integers beyond 2^53 lose their last bits. Not to be written to. */
export function numbersOf(value: Value): Exclude<Value['data'], BigInt64Array | BigUint64Array | string[]> {
  switch (value.type) {
    case 'string':
      throw new KestrelError('operator-unsupported', 'Text stands where numbers are needed.')
    case 'int64':
    case 'uint64':
      return Float64Array.from(value.data, Number)
    default:
      return value.data
  }
}

/** The entries of a small integer value, such as a shape or a list of axes. */
export const integersOf = (value: Value): number[] => Array.from(numbersOf(value))

/**
 * Numbers of a type: integers are cut towards zero and wrap around, as a conversion in C does; but 64-bit ones are held at
 * the ends of their range, since 2^63 − 1 is 2^63 as a number.
 */
export function fromNumbers(type: Value['type'], shape: readonly number[], data: ArrayLike<number>): Value {
  switch (type) {
    case 'float64':
      return real(shape, data instanceof Float64Array ? data : Float64Array.from(data))
    case 'bool':
      return { type, shape, data: Uint8Array.from(data, (each) => (each === 0 ? 0 : 1)) }
    case 'int8':
      return { type, shape, data: Int8Array.from(data) }
    case 'uint8':
      return { type, shape, data: Uint8Array.from(data) }
    case 'int16':
      return { type, shape, data: Int16Array.from(data) }
    case 'uint16':
      return { type, shape, data: Uint16Array.from(data) }
    case 'int32':
      return { type, shape, data: Int32Array.from(data) }
    case 'uint32':
      return { type, shape, data: Uint32Array.from(data) }
    case 'int64':
      return {
        type,
        shape,
        data: BigInt64Array.from(data, (each) => (Number.isFinite(each) ? toInt64(Math.trunc(each)) : 0n)),
      }
    case 'uint64':
      return { type, shape, data: BigUint64Array.from(data, bigint) }
    case 'string':
      throw new KestrelError('operator-unsupported', 'Text stands where numbers are needed.')
  }
}

/** What is not finite has no integer; C leaves open what comes out. */
const bigint = (each: number): bigint => (Number.isFinite(each) ? BigInt(Math.trunc(each)) : 0n)

export const int64 = (shape: readonly number[], data: ArrayLike<number>): Value =>
  fromNumbers('int64', shape, data)

/** The same entries in another shape of as many. */
export function reshaped<V extends Value>(value: V, shape: readonly number[]): V {
  if (elementCount(shape) !== value.data.length)
    throw new KestrelError(
      'bad-request',
      `A value of ${value.data.length} entries cannot have the shape [${shape.join(', ')}].`,
    )
  return { ...value, shape }
}

interface Cells {
  [index: number]: number | bigint | string
}

function emptyLike(type: Value['type'], count: number): Value['data'] {
  return type === 'string'
    ? new Array<string>(count).fill('')
    : fromNumbers(type, [count], new Float64Array(count)).data
}

/**
 * Moves entries without computing with them, whatever their type: entry `i` of the result is entry `indices[i]` of the
 * value, or the one entry of `filler` (zero without one) where the index is −1.
 */
export function take(
  value: Value,
  shape: readonly number[],
  indices: ArrayLike<number>,
  filler?: Value,
): Value {
  const data = emptyLike(value.type, indices.length)
  // Both arrays are of the value's own type, which the checker cannot follow through the index.
  const [from, to] = [value.data as Cells, data as Cells]
  const fill = (filler?.data as Cells | undefined)?.[0]
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!
    if (index >= 0) to[i] = from[index]!
    else if (fill !== undefined) to[i] = fill
  }
  return { type: value.type, shape, data } as Value
}

/** All entries of several values of one type, one after the other. */
export function append(values: readonly Value[]): Value {
  const [first] = values
  if (first === undefined) throw new KestrelError('bad-request', 'There is nothing to put together.')
  const count = values.reduce((sum, value) => sum + value.data.length, 0)
  const data = emptyLike(first.type, count)
  const to = data as Cells
  let at = 0
  for (const value of values) {
    if (value.type !== first.type)
      throw new KestrelError(
        'bad-request',
        `Values of types ${first.type} and ${value.type} are put together.`,
      )
    const from = value.data as Cells
    for (let i = 0; i < value.data.length; i++) to[at++] = from[i]!
  }
  return { type: first.type, shape: [count], data } as Value
}

export const isWhole = (value: Value): value is Whole => value.type !== 'float64' && value.type !== 'string'
