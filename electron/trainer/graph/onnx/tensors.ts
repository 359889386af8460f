import { elementCount, fromBytes, tensor } from '../tensor.ts'
import type { DataType, Tensor } from '../types.ts'
import { dataTypeOf, tensorFields as tf } from './schema.ts'
import { damaged, unsupported, wireTypes } from './wire.ts'
import type { WireReader } from './wire.ts'

const maxElements = 2 ** 29

const { varint, bytes } = wireTypes

/** A TensorProto: its values stand as raw bytes, or one by one in a list that depends on their type. */
export function readTensor(message: WireReader): { name: string; value: Tensor } {
  let name = ''
  let typeNumber = 0
  let raw: Uint8Array | undefined
  const shape: number[] = []
  const listed: number[] = []
  const bigs: bigint[] = []
  const strings: string[] = []
  message.fields((field, wire) => {
    if (field === tf.dims) message.repeated(wire, (reader) => reader.signed(), shape)
    else if (field === tf.dataType) typeNumber = message.expect(wire, varint).varint()
    else if (field === tf.floatData) message.repeated(wire, (reader) => reader.float(), listed)
    else if (field === tf.int32Data) message.repeated(wire, (reader) => reader.signed(), listed)
    else if (field === tf.doubleData) message.repeated(wire, (reader) => reader.double(), listed)
    else if (field === tf.int64Data || field === tf.uint64Data)
      message.repeated(wire, (reader) => reader.bigint(), bigs)
    else if (field === tf.stringData) strings.push(message.expect(wire, bytes).text())
    else if (field === tf.name) name = message.expect(wire, bytes).text()
    else if (field === tf.rawData) raw = message.expect(wire, bytes).block()
    else if (field === tf.segment) throw unsupported('its weights are stored in pieces')
    else if (field === tf.dataLocation && message.expect(wire, varint).varint() !== 0) {
      throw unsupported('its weights lie in other files')
    }
  })
  const type = dataTypeOf(typeNumber)
  if (type === undefined) {
    throw unsupported(`the values "${name}" have a number type that Kestrel does not read (${typeNumber})`)
  }
  const count = elementCount(shape)
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0) || !(count <= maxElements)) {
    throw damaged(`the values "${name}" have an impossible shape`)
  }
  const value = tensorOf(type, shape, raw, listed, bigs, strings)
  if (value === undefined) throw damaged(`the values "${name}" do not fit their shape`)
  return { name, value }
}

/** Undefined when the number of values is not what the shape says. */
function tensorOf(
  type: DataType,
  shape: number[],
  raw: Uint8Array | undefined,
  listed: number[],
  bigs: bigint[],
  strings: string[],
): Tensor | undefined {
  const count = elementCount(shape)
  if (type === 'string') return strings.length === count ? tensor('string', shape, strings) : undefined
  if (raw !== undefined) {
    const data = fromBytes(type, raw)
    return data.length === count && data.byteLength === raw.byteLength
      ? ({ type, shape, data } as Tensor)
      : undefined
  }
  const values = type === 'int64' || type === 'uint64' || type === 'uint32' ? bigs : listed
  if (values.length !== count) return undefined
  switch (type) {
    case 'int64':
      return tensor(type, shape, BigInt64Array.from(bigs))
    case 'uint64':
      return tensor(
        type,
        shape,
        BigUint64Array.from(bigs, (value) => BigInt.asUintN(64, value)),
      )
    case 'uint32':
      return tensor(type, shape, Uint32Array.from(bigs, Number))
    case 'float32':
      return tensor(type, shape, Float32Array.from(listed))
    case 'float64':
      return tensor(type, shape, Float64Array.from(listed))
    case 'float16':
    case 'bfloat16':
      return tensor(type, shape, Uint16Array.from(listed))
    case 'uint16':
      return tensor(type, shape, Uint16Array.from(listed))
    case 'int16':
      return tensor(type, shape, Int16Array.from(listed))
    case 'int32':
      return tensor(type, shape, Int32Array.from(listed))
    case 'int8':
      return tensor(type, shape, Int8Array.from(listed))
    case 'uint8':
    case 'bool':
      return tensor(type, shape, Uint8Array.from(listed))
  }
}
