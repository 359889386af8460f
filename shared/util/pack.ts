/**
 * Several small files in one answer: per part its length as a little-endian 32-bit number, then its bytes. A part that
 * is not there has length 0.
 */
const LENGTH_BYTES = 4

export function packParts(parts: readonly (Uint8Array | null)[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + LENGTH_BYTES + (part?.length ?? 0), 0)
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const part of parts) {
    view.setUint32(at, part?.length ?? 0, true)
    at += LENGTH_BYTES
    if (part) packed.set(part, at)
    at += part?.length ?? 0
  }
  return packed
}

/**
 * The parts as views of `packed`; null for those that are not there.
 * @throws RangeError when `packed` is cut short
 */
export function unpackParts(packed: ArrayBuffer): (Uint8Array<ArrayBuffer> | null)[] {
  const view = new DataView(packed)
  const parts: (Uint8Array<ArrayBuffer> | null)[] = []
  for (let at = 0; at < packed.byteLength;) {
    const length = view.getUint32(at, true)
    at += LENGTH_BYTES
    parts.push(length === 0 ? null : new Uint8Array(packed, at, length))
    at += length
  }
  return parts
}
