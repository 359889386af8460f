import { readExif, readXmpOrientation, type Orientation } from './orientation.ts'

export interface PlainJpegHeader {
  width: number
  height: number
  /** Grey or colour. */
  channels: 1 | 3
  /** By EXIF; 1 when nothing is said. */
  orientation: Orientation
  /** The ICC profile. */
  profile: Uint8Array | null
  exifBroken: boolean
}

const EXIF = 'Exif\0\0'
const XMP = 'http://ns.adobe.com/xap/1.0/'
const ICC = 'ICC_PROFILE\0'

/**
 * The header of an ordinary JPEG: grey or colour, 8 bits. Layout: ITU-T T.81, annex B; profiles: ICC.1, annex B.4.
 * @returns null when the file is not ordinary (CMYK, turned by XMP, told twice how to turn) or its header is not understood
 */
export function readPlainJpegHeader(bytes: Uint8Array): PlainJpegHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const profileParts: Uint8Array[] = []
  let frame: Pick<PlainJpegHeader, 'width' | 'height' | 'channels'> | null = null
  let exif: ReturnType<typeof readExif> | null = null
  let at = 2
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return null
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at++
      continue
    }
    // Markers without a length have no place here.
    if (marker <= 0x01 || (marker >= 0xd0 && marker <= 0xd9)) return null
    const length = view.getUint16(at + 2)
    const end = at + 2 + length
    if (length < 2 || end > bytes.length) return null
    if (marker === 0xda) break
    const segment = bytes.subarray(at + 4, end)
    // Frame headers; C4, C8 and CC are tables.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const channels = segment[5]
      if (segment.length < 6 || segment[0] !== 8 || (channels !== 1 && channels !== 3)) return null
      frame = { height: view.getUint16(at + 5), width: view.getUint16(at + 7), channels }
    } else if (marker === 0xe1 && startsWith(segment, EXIF)) {
      if (exif !== null) return null
      exif = readExif(segment)
    } else if (marker === 0xe1 && startsWith(segment, XMP)) {
      const orientation = readXmpOrientation(segment)
      if (orientation !== null && orientation !== 1) return null
    } else if (marker === 0xe2 && startsWith(segment, ICC) && segment.length > 14) {
      // Long profiles come in numbered pieces, counted from 1.
      profileParts[segment[12]! - 1] = segment.subarray(14)
    }
    at = end
  }
  // A height of 0 is said later in the file (DNL); libvips may know.
  if (frame === null || frame.width === 0 || frame.height === 0) return null
  return {
    ...frame,
    orientation: exif?.orientation ?? 1,
    profile: joined(profileParts),
    exifBroken: exif?.broken ?? false,
  }
}

/** APP0 and APP14 tell how the colours are stored; all other application segments, and comments, are about the picture. */
const isAboutThePicture = (marker: number): boolean =>
  (marker >= 0xe1 && marker <= 0xef && marker !== 0xee) || marker === 0xfe
/** APP2, where the colour profile is. */
const PROFILE_SEGMENT = 0xe2

/**
 * The same picture without what is said about it: libvips reads every EXIF and XMP entry into a value of its own, which takes
 * several times as long as decoding a small picture. How it is to be turned stays, as the only entry of a new EXIF segment.
 * @param bytes a file that `readPlainJpegHeader` understands
 * @param withProfile the colour profile stays as well
 */
export function leanJpeg(bytes: Uint8Array, orientation: Orientation, withProfile = false): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const kept: Uint8Array[] = [bytes.subarray(0, 2)]
  if (orientation !== 1) kept.push(orientationSegment(orientation))
  let at = 2
  while (at + 4 <= bytes.length) {
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at++
      continue
    }
    if (marker === 0xda) break
    const end = at + 2 + view.getUint16(at + 2)
    if (!isAboutThePicture(marker) || (withProfile && marker === PROFILE_SEGMENT))
      kept.push(bytes.subarray(at, end))
    at = end
  }
  kept.push(bytes.subarray(at))
  return Buffer.concat(kept)
}

/** EXIF 2.3, section 4.6.4: tag 0112, one short, in the first directory of a little-endian TIFF. */
function orientationSegment(orientation: Orientation): Uint8Array {
  const tiff = [
    0x49,
    0x49,
    42,
    0,
    8,
    0,
    0,
    0,
    1,
    0,
    0x12,
    0x01,
    3,
    0,
    1,
    0,
    0,
    0,
    orientation,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ]
  const content = [...Buffer.from(EXIF, 'latin1'), ...tiff]
  return Uint8Array.from([0xff, 0xe1, 0, content.length + 2, ...content])
}

function joined(parts: Uint8Array[]): Uint8Array | null {
  if (parts.length === 0) return null
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of Object.values(parts)) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false
  return true
}
