/**
 * Length-prefixed frames over a byte stream: 4 bytes little-endian length, then the payload. Used between studio and
 * trainer, where a message must arrive whole whatever the socket does with the bytes.
 */

/** Largest frame accepted, in bytes. A larger length means a broken or hostile peer. */
export const MAX_FRAME_BYTES = 512 * 1024 * 1024

/** Puts a length in front of a payload. @throws RangeError when the payload is over MAX_FRAME_BYTES. */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  if (payload.byteLength > MAX_FRAME_BYTES)
    throw new RangeError(`frame of ${payload.byteLength} bytes is over the limit`)
  const frame = new Uint8Array(4 + payload.byteLength)
  new DataView(frame.buffer).setUint32(0, payload.byteLength, true)
  frame.set(payload, 4)
  return frame
}

/** Collects bytes and hands out whole payloads, in order. */
export class FrameDecoder {
  private chunks: Uint8Array[] = []
  private buffered = 0

  /** Adds received bytes. @returns the payloads that are now complete. @throws RangeError on an impossible length. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.chunks.push(chunk)
    this.buffered += chunk.byteLength
    const frames: Uint8Array[] = []
    for (;;) {
      if (this.buffered < 4) return frames
      const header = this.peek(4)
      const length = new DataView(header.buffer, header.byteOffset, 4).getUint32(0, true)
      if (length > MAX_FRAME_BYTES) throw new RangeError(`frame of ${length} bytes is over the limit`)
      if (this.buffered < 4 + length) return frames
      frames.push(this.take(4 + length).subarray(4))
    }
  }

  private peek(count: number): Uint8Array {
    const first = this.chunks[0]
    if (first && first.byteLength >= count) return first.subarray(0, count)
    this.chunks = [concat(this.chunks, this.buffered)]
    return this.chunks[0]!.subarray(0, count)
  }

  private take(count: number): Uint8Array {
    const all = this.chunks.length === 1 ? this.chunks[0]! : concat(this.chunks, this.buffered)
    const rest = all.subarray(count)
    this.chunks = rest.byteLength ? [rest] : []
    this.buffered = rest.byteLength
    // A copy, so that a consumer that keeps the payload does not keep the whole receive buffer alive.
    return all.slice(0, count)
  }
}

function concat(chunks: Uint8Array[], total: number): Uint8Array {
  const all = new Uint8Array(total)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.byteLength
  }
  return all
}
