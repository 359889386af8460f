import { KestrelError } from '#shared/errors/index.ts'
import { toInt64 } from '../tensor.ts'

/**
 * The protocol-buffer wire format, as far as ONNX files use it (protobuf.dev/programming-guides/encoding): a message
 * is a run of fields, each a tag (number and wire type) and a value. Unknown fields are skipped.
 */

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

export const damaged = (what: string): KestrelError =>
  new KestrelError('backbone-damaged', `This ONNX file is damaged: ${what}.`, {
    remedy: 'Fetch the file again from where it came.',
  })

export const unsupported = (what: string): KestrelError =>
  new KestrelError('backbone-unsupported', `This ONNX file cannot be used: ${what}.`, {
    remedy: 'Save the model again as one ONNX file with 32-bit weights inside.',
  })

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** One message of the file. Numbers come back as doubles: integers beyond 2^53 are rounded. */
export class WireReader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Calls `visit` with the number and wire type of each field; `visit` must read the value or leave it alone. */
  fields(visit: (field: number, wire: number) => void): void {
    while (this.at < this.bytes.length) {
      const tag = this.varint()
      const field = Math.floor(tag / 8)
      const wire = tag % 8
      if (field === 0) throw damaged('a field has the number 0')
      const before = this.at
      visit(field, wire)
      if (this.at === before) this.skip(wire)
    }
  }

  private skip(wire: number): void {
    if (wire === wireTypes.varint) this.varint()
    else if (wire === wireTypes.fixed64) this.take(8)
    else if (wire === wireTypes.bytes) this.block()
    else if (wire === wireTypes.fixed32) this.take(4)
    else throw damaged(`a field has the unknown wire type ${wire}`)
  }

  private take(count: number): number {
    const start = this.at
    if (!(count >= 0) || start + count > this.bytes.length) throw damaged('it ends in the middle of a value')
    this.at = start + count
    return start
  }

  private halves(): { low: number; high: number } {
    let low = 0
    let high = 0
    for (let index = 0; index < 10; index++) {
      const byte = this.bytes[this.take(1)]!
      const part = byte & 0x7f
      if (index < 4) low |= part << (7 * index)
      else if (index === 4) {
        low |= part << 28
        high |= part >> 4
      } else high |= index < 9 ? part << (7 * index - 32) : part << 31
      if (byte < 0x80) return { low: low >>> 0, high: high >>> 0 }
    }
    throw damaged('a number is longer than 64 bits')
  }

  /** Unsigned. */
  varint(): number {
    const { low, high } = this.halves()
    return high * 2 ** 32 + low
  }

  /** Two's complement, 64 bits. */
  signed(): number {
    const { low, high } = this.halves()
    return (high | 0) * 2 ** 32 + low
  }

  bigint(): bigint {
    const { low, high } = this.halves()
    return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))
  }

  float(): number {
    return this.view.getFloat32(this.take(4), true)
  }

  double(): number {
    return this.view.getFloat64(this.take(8), true)
  }

  /** A view into the file, not a copy. */
  block(): Uint8Array {
    const length = this.varint()
    const start = this.take(length)
    return this.bytes.subarray(start, start + length)
  }

  text(): string {
    return decoder.decode(this.block())
  }

  message(): WireReader {
    return new WireReader(this.block())
  }

  /** A repeated number, packed into one block or one value at a time. */
  repeated<T>(wire: number, read: (reader: WireReader) => T, into: T[]): void {
    if (wire !== wireTypes.bytes) {
      into.push(read(this))
      return
    }
    const packed = this.message()
    while (packed.at < packed.bytes.length) into.push(read(packed))
  }

  /** Throws `backbone-damaged` when a field does not have the wire type that its meaning asks for. */
  expect(wire: number, wanted: number): this {
    if (wire !== wanted) throw damaged('a field has another type than ONNX gives it')
    return this
  }
}

/** Gathers a message; large blocks are kept by reference until `bytes()` joins them once. */
export class WireWriter {
  private readonly parts: Uint8Array[] = []
  private small: number[] = []
  private total = 0

  private flush(): void {
    if (this.small.length === 0) return
    this.parts.push(Uint8Array.from(this.small))
    this.small = []
  }

  get length(): number {
    return this.total
  }

  private byte(value: number): void {
    this.small.push(value)
    this.total++
  }

  private raw(bytes: Uint8Array): void {
    this.flush()
    this.parts.push(bytes)
    this.total += bytes.length
  }

  private unsigned(value: number): void {
    let rest = value
    while (rest >= 0x80) {
      this.byte((rest % 0x80) | 0x80)
      rest = Math.floor(rest / 0x80)
    }
    this.byte(rest)
  }

  /** 64-bit two's complement; what lies beyond its range is held at its end (ONNX uses 2^63 − 1 for "to the end"). */
  private signed(value: number): void {
    if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) {
      this.unsigned(value)
      return
    }
    let rest = BigInt.asUintN(64, toInt64(value))
    while (rest >= 0x80n) {
      this.byte(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.byte(Number(rest))
  }

  private tag(field: number, wire: number): void {
    this.unsigned(field * 8 + wire)
  }

  int(field: number, value: number): void {
    this.tag(field, wireTypes.varint)
    this.signed(value)
  }

  ints(field: number, values: readonly number[]): void {
    const packed = new WireWriter()
    for (const value of values) packed.signed(value)
    this.nested(field, packed)
  }

  float(field: number, value: number): void {
    this.tag(field, wireTypes.fixed32)
    this.raw(new Uint8Array(Float32Array.of(value).buffer))
  }

  floats(field: number, values: readonly number[]): void {
    this.block(field, new Uint8Array(Float32Array.from(values).buffer))
  }

  text(field: number, value: string): void {
    this.block(field, encoder.encode(value))
  }

  block(field: number, bytes: Uint8Array): void {
    this.tag(field, wireTypes.bytes)
    this.unsigned(bytes.length)
    this.raw(bytes)
  }

  nested(field: number, message: WireWriter): void {
    this.tag(field, wireTypes.bytes)
    this.unsigned(message.total)
    message.flush()
    this.flush()
    // One by one: a training graph has more parts than a call may have arguments.
    for (const part of message.parts) this.parts.push(part)
    this.total += message.total
  }

  message(field: number, fill: (message: WireWriter) => void): void {
    const message = new WireWriter()
    fill(message)
    this.nested(field, message)
  }

  bytes(): Uint8Array {
    this.flush()
    const out = new Uint8Array(this.total)
    let at = 0
    for (const part of this.parts) {
      out.set(part, at)
      at += part.length
    }
    return out
  }
}
