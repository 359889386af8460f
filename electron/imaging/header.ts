import { readBmpHeader } from './bmp.ts'
import { probeHeic } from './heic.ts'
import { readExif, readXmpOrientation, swapsSides, type Orientation } from './orientation.ts'
import { checkSize, damaged } from './refusals.ts'
import { openEncoded } from './sharp.ts'
import type { PictureFormat } from './sniff.ts'

/** What a file says about its picture before anything is decoded. */
export interface PictureHeader {
  format: PictureFormat
  /** Pixels as stored, before turning upright. */
  width: number
  height: number
  /** 1 when nothing is said. For HEIC and AVIF the decoder turns by itself, so it is 1 there. */
  orientation: Orientation
  /** Who turns the picture upright: nobody has to, libvips by EXIF, or we by XMP, which libvips does not know. */
  turnedBy: 'nobody' | 'libvips' | 'us'
  hasAlpha: boolean
  hasProfile: boolean
  /** Printing colours, which browsers show wrongly or not at all. */
  cmyk: boolean
  exifBroken: boolean
}

/** Upright width and height. */
export const uprightSize = (header: PictureHeader): { width: number; height: number } =>
  swapsSides(header.orientation)
    ? { width: header.height, height: header.width }
    : { width: header.width, height: header.height }

/**
 * Reads the header and applies the size limits.
 * @throws KestrelError picture-too-large, picture-damaged (no header to be read), format-unsupported
 */
export async function readHeader(bytes: Uint8Array, format: PictureFormat): Promise<PictureHeader> {
  const header = (format === 'jpeg' ? plainJpegHeader(bytes) : null) ?? (await thoroughHeader(bytes, format))
  checkSize(header.width, header.height)
  return header
}

async function thoroughHeader(bytes: Uint8Array, format: PictureFormat): Promise<PictureHeader> {
  const upright = { orientation: 1, turnedBy: 'nobody', cmyk: false, exifBroken: false } as const
  if (format === 'bmp') {
    const { width, height, hasAlpha } = readBmpHeader(bytes)
    return { format, width, height, hasAlpha, hasProfile: false, ...upright }
  }
  if (format === 'heic') {
    const { width, height } = await probeHeic(bytes)
    return { format, width, height, hasAlpha: false, hasProfile: false, ...upright }
  }
  const claimed = claimedSize(bytes, format)
  if (claimed !== null) checkSize(claimed.width, claimed.height)
  const metadata = await openEncoded(bytes, 'tolerant', { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw damaged(error)
    })
  const exif = metadata.exif === undefined ? null : readExif(metadata.exif)
  const byExif = format === 'avif' ? null : asOrientation(metadata.orientation)
  // As Pillow's exif_transpose does it: XMP counts where EXIF says nothing.
  const byXmp =
    byExif === null && format !== 'avif' && metadata.xmp !== undefined
      ? readXmpOrientation(metadata.xmp)
      : null
  const orientation = byExif ?? byXmp ?? 1
  return {
    format,
    width: metadata.width,
    height: metadata.pageHeight ?? metadata.height,
    orientation,
    turnedBy: orientation === 1 ? 'nobody' : byExif !== null ? 'libvips' : 'us',
    hasAlpha: metadata.hasAlpha,
    hasProfile: metadata.icc !== undefined,
    cmyk: metadata.space === 'cmyk',
    exifBroken: exif?.broken ?? false,
  }
}

const asOrientation = (value: number | undefined): Orientation | null =>
  value !== undefined && value >= 1 && value <= 8 ? (value as Orientation) : null

/** Sizes that formats say at a fixed place, for files whose decoder would not even open them. */
function claimedSize(bytes: Uint8Array, format: PictureFormat): { width: number; height: number } | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (format === 'png' && bytes.length >= 24) return { width: view.getUint32(16), height: view.getUint32(20) }
  if (format === 'gif' && bytes.length >= 10) {
    return { width: view.getUint16(6, true), height: view.getUint16(8, true) }
  }
  return null
}

/**
 * The header of an ordinary JPEG, read here because it is several times faster than asking libvips and most pictures
 * are one. Layout: ITU-T T.81, annex B.
 * @returns null when the file is not ordinary (turned, CMYK, XMP orientation, header not understood)
 */
function plainJpegHeader(bytes: Uint8Array): PictureHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 2
  let size: { width: number; height: number } | null = null
  let hasProfile = false
  let exifBroken = false
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return null
    const marker = bytes[at + 1]!
    if (marker === 0xff) {
      at++
      continue
    }
    const length = view.getUint16(at + 2)
    const end = at + 2 + length
    if (length < 2 || end > bytes.length) return null
    if (marker === 0xda) break
    // Frame headers; C4, C8 and CC are tables.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const components = bytes[at + 9]
      if (length < 8 || bytes[at + 4] !== 8 || (components !== 1 && components !== 3)) return null
      size = { height: view.getUint16(at + 5), width: view.getUint16(at + 7) }
    } else if (marker === 0xe1) {
      const segment = bytes.subarray(at + 4, end)
      if (startsWith(segment, 'Exif\0\0')) {
        const exif = readExif(segment)
        exifBroken ||= exif.broken
        if (exif.orientation !== null && exif.orientation !== 1) return null
      } else if (startsWith(segment, 'http://ns.adobe.com/xap/1.0/')) {
        const orientation = readXmpOrientation(segment)
        if (orientation !== null && orientation !== 1) return null
      }
    } else if (marker === 0xe2 && startsWith(bytes.subarray(at + 4, end), 'ICC_PROFILE\0')) {
      hasProfile = true
    }
    at = end
  }
  // A height of 0 is said later in the file (DNL); libvips may know.
  if (size === null || size.width === 0 || size.height === 0) return null
  return {
    format: 'jpeg',
    ...size,
    orientation: 1,
    turnedBy: 'nobody',
    hasAlpha: false,
    hasProfile,
    cmyk: false,
    exifBroken,
  }
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  if (bytes.length < text.length) return false
  for (let i = 0; i < text.length; i++) if (bytes[i] !== text.charCodeAt(i)) return false
  return true
}
