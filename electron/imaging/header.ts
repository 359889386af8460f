import { readBmpHeader } from './bmp.ts'
import { conversionOf, type ColourConversion } from './colour-profile.ts'
import { probeHeic } from './heic.ts'
import { readPlainJpegHeader } from './jpeg-header.ts'
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
  /** How the colours that are stored become sRGB: they are; by libvips; or by a matrix, which gives what libvips gives. */
  conversion: ColourConversion
  /** Printing colours, which browsers show wrongly or not at all. */
  cmyk: boolean
  exifBroken: boolean
  /** A JPEG that is decoded faster, to the same pixels, without what the file says about them: see `leanJpeg`. */
  lean: boolean
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
  const header =
    (format === 'jpeg' ? await plainJpegHeader(bytes) : null) ?? (await thoroughHeader(bytes, format))
  checkSize(header.width, header.height)
  return header
}

/** Nearly all JPEGs: read here, because asking libvips takes several times as long. */
async function plainJpegHeader(bytes: Uint8Array): Promise<PictureHeader | null> {
  const plain = readPlainJpegHeader(bytes)
  if (plain === null) return null
  const { width, height, channels, profile, orientation, exifBroken } = plain
  const conversion = profile === null ? 'none' : await wayOf(profile, channels === 3)
  return {
    ...{ format: 'jpeg', width, height, orientation, hasAlpha: false, cmyk: false, exifBroken },
    turnedBy: orientation === 1 ? 'nobody' : 'libvips',
    conversion,
    lean: true,
  }
}

async function thoroughHeader(bytes: Uint8Array, format: PictureFormat): Promise<PictureHeader> {
  const upright = {
    orientation: 1,
    turnedBy: 'nobody',
    cmyk: false,
    exifBroken: false,
    lean: false,
    conversion: 'none',
  } as const
  if (format === 'bmp') {
    const { width, height, hasAlpha } = readBmpHeader(bytes)
    return { format, width, height, hasAlpha, ...upright }
  }
  if (format === 'heic') {
    const { width, height } = await probeHeic(bytes)
    return { format, width, height, hasAlpha: false, ...upright }
  }
  const claimed = claimedSize(bytes, format)
  if (claimed !== null) checkSize(claimed.width, claimed.height)
  const metadata = await openEncoded(bytes, 'tolerant', { limitInputPixels: false })
    .metadata()
    .catch((error: unknown) => {
      throw damaged(error)
    })
  const { icc, channels, depth, space } = metadata
  const ordinary = channels === 3 && depth === 'uchar' && space === 'srgb'
  const conversion = icc === undefined ? 'libvips' : await wayOf(icc, ordinary)
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
    conversion,
    cmyk: metadata.space === 'cmyk',
    exifBroken: exif?.broken ?? false,
    lean: false,
  }
}

/** @param ordinary three channels of 8 bits: only those are converted by a matrix. */
async function wayOf(profile: Uint8Array, ordinary: boolean): Promise<ColourConversion> {
  const conversion = await conversionOf(profile)
  return typeof conversion === 'string' || ordinary ? conversion : 'libvips'
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
