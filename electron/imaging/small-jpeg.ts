import { createRequire } from 'node:module'
import type { PictureHeader } from './header.ts'

/**
 * Small JPEGs without libvips, which takes longer to be set up than they take to decode. libjpeg-turbo, as WebAssembly,
 * gives the same pixels as the one in libvips: both use its exact integer transform and its smooth upsampling. Only where a
 * file was damaged so that nothing complains (coefficients no encoder writes) native code, which saturates 16 bits, gives
 * other ones.
 */
interface Decoder {
  /** Where the file goes; good until the next call. */
  getEncodedBuffer(bytes: number): Uint8Array
  /** @throws whatever the decoder complains about, nearly all warnings too */
  decode(): void
  getFrameInfo(): { width: number; height: number; componentCount: number }
  /** uint8 `[height, width, components]`: a copy. */
  getDecodedBuffer(): Uint8ClampedArray
}
interface Turbo {
  JPEGDecoder: new () => Decoder
}

export interface StoredPixels {
  /** uint8 `[height, width, channels]`, not turned */
  data: Uint8Array
  /** 1: grey, 3: RGB */
  channels: 1 | 3
}

/** Above, libvips' native code saves more than it takes to be set up. */
const MOST_PIXELS = 200_000
/** Of a file with so few pixels. */
const MOST_BYTES = 1_000_000
/** An encoder makes about ten. A thousand times as many would keep this thread for a quarter of a minute. */
const MOST_SCANS = 64
/** What a damaged file held of the decoder's memory stays held, a few KB each. */
const MOST_COMPLAINTS = 256

let opening: Promise<Decoder> | null = null
let complaints = 0

async function open(): Promise<Decoder> {
  const load = createRequire(import.meta.url)(
    '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs',
  ) as () => Promise<Turbo>
  const { JPEGDecoder } = await load()
  return new JPEGDecoder()
}

/** Whether `decodeSmallJpeg` is the faster way. Colours are those that are stored: a profile is the caller's. */
export const isSmallJpeg = ({ format, lean, width, height }: PictureHeader, bytes: Uint8Array): boolean =>
  format === 'jpeg' &&
  lean &&
  width * height <= MOST_PIXELS &&
  bytes.length <= MOST_BYTES &&
  !hasManyScans(bytes)

const scanMarker = Uint8Array.of(0xff, 0xda)

function hasManyScans({ buffer, byteOffset, byteLength }: Uint8Array): boolean {
  const bytes = Buffer.from(buffer, byteOffset, byteLength)
  let scans = 0
  for (let at = bytes.indexOf(scanMarker); at >= 0; at = bytes.indexOf(scanMarker, at + 2)) {
    scans += 1
    if (scans > MOST_SCANS) return true
  }
  return false
}

/** @returns null when the decoder complains, or is not there: libvips then says what can be had of the file */
export async function decodeSmallJpeg(
  bytes: Uint8Array,
  header: PictureHeader,
): Promise<StoredPixels | null> {
  const decoder = await (opening ??= open()).catch(() => null)
  if (decoder === null) return null
  const { width, height } = header
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes)
    decoder.decode()
    const frame = decoder.getFrameInfo()
    const { componentCount: channels } = frame
    if (frame.width !== width || frame.height !== height || (channels !== 1 && channels !== 3)) return null
    const { buffer, byteOffset, byteLength } = decoder.getDecodedBuffer()
    return { data: new Uint8Array(buffer, byteOffset, byteLength), channels }
  } catch {
    complaints += 1
    if (complaints % MOST_COMPLAINTS === 0) opening = null
    return null
  }
}
