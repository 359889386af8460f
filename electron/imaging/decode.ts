import type { RgbPicture, StoredPicture } from '#shared/domain/preprocessing/index.ts'
import { applyMatrixProfile, type MatrixProfile } from '#shared/domain/preprocessing/colours.ts'
import { rgbOf, threeChannels } from '#shared/domain/preprocessing/stored.ts'
import { decodeBmp } from './bmp.ts'
import { conversionOf, toSrgb } from './colour-profile.ts'
import { readHeader, type PictureHeader } from './header.ts'
import { decodeHeic } from './heic.ts'
import { heicProfile } from './heic-profile.ts'
import { turnUpright } from './orientation.ts'
import { readBytes } from './read-bytes.ts'
import { damaged, tooManyPixels } from './refusals.ts'
import { openPicture, type Strictness } from './sharp.ts'
import { decodeSmallJpeg, isSmallJpeg } from './small-jpeg.ts'
import { requireFormat } from './sniff.ts'

/** What shines through transparent pixels, 0–255. */
export type Background = readonly [number, number, number]
export const white: Background = [255, 255, 255]

export interface DecodedPicture extends RgbPicture {
  /** Something in the file was damaged; what could be read is there, the rest is grey or black. */
  damaged: boolean
}

export interface DecodeOptions {
  background?: Background
}

/**
 * Decodes a picture to upright sRGB, uint8 `[height, width, 3]`, its first frame or page. Alpha is flattened on
 * `background` (white), grey becomes RGB, 16 bits become 8, CMYK and pictures with a colour profile become sRGB. For JPEG
 * and PNG without alpha and colour profile the pixels are those of Pillow's `ImageOps.exif_transpose(im).convert('RGB')`.
 *
 * @param input a path, or the bytes of the file
 * @throws KestrelError file-missing, file-unreadable, file-empty, not-a-picture, format-unsupported, picture-too-large,
 * picture-damaged
 */
export async function decodeToRgb(
  input: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<DecodedPicture> {
  const picture = await decode(input, options)
  return { ...rgbOf(picture), damaged: picture.damaged }
}

/**
 * Decodes a picture for who is done with the pixels when `use` returns. Their memory is given back then: the garbage
 * collector would run for every hundred small pictures because of it, and keep some large ones for a while.
 * @param use gets grey, and colours of a profile, as they are stored where the decoder left them so
 * @throws KestrelError as `decodeToRgb`, and whatever `use` throws
 */
export async function usePixels<T>(
  input: string | Uint8Array,
  options: DecodeOptions,
  use: (picture: StoredPicture) => T,
): Promise<T> {
  const picture = await decode(input, options)
  try {
    return use(picture)
  } finally {
    free(picture.data)
  }
}

interface DecodedStored extends StoredPicture {
  damaged: boolean
}

async function decode(input: string | Uint8Array, options: DecodeOptions): Promise<DecodedStored> {
  const bytes = typeof input === 'string' ? await readBytes(input) : input
  const header = await readHeader(bytes, requireFormat(bytes))
  return decodeStored(bytes, header, options.background ?? white)
}

function free({ buffer, byteLength }: Uint8Array): void {
  // Not what is a part of something larger, nor where the runtime is too old to know how.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength && 'transfer' in buffer)
    buffer.transfer(0)
}

/** `decodeToRgb` for callers that have the header already. */
export async function decodeWithHeader(
  bytes: Uint8Array,
  header: PictureHeader,
  background: Background,
): Promise<DecodedPicture> {
  const picture = await decodeStored(bytes, header, background)
  return { ...rgbOf(picture), damaged: picture.damaged }
}

async function decodeStored(
  bytes: Uint8Array,
  header: PictureHeader,
  background: Background,
): Promise<DecodedStored> {
  if (header.format === 'bmp') {
    const picture = decodeBmp(bytes)
    const data = flatten(picture.data, picture.hasAlpha ? background : null)
    return { data, width: picture.width, height: picture.height, damaged: picture.damaged }
  }
  if (header.format === 'heic') return decodeHeicToRgb(bytes, background)
  const small = await decodeSmall(bytes, header)
  if (small !== null) return { ...small, damaged: false }
  const decoded = await tolerantly((strictness) => decodeByLibvips(bytes, header, background, strictness))
  if (header.turnedBy !== 'us') return decoded
  return {
    ...turnUpright(decoded.data, decoded.width, decoded.height, 3, header.orientation),
    damaged: decoded.damaged,
  }
}

/**
 * Tries strictly first and, when the decoder complains, takes what can be had.
 * @throws KestrelError picture-damaged when nothing can, picture-too-large
 */
export async function tolerantly<T extends object>(
  read: (strictness: Strictness) => Promise<T>,
): Promise<T & { damaged: boolean }> {
  try {
    return { ...(await read('strict')), damaged: false }
  } catch (complaint) {
    if (complaint instanceof Error && complaint.message.includes('exceeds pixel limit')) {
      throw tooManyPixels(null)
    }
    try {
      return { ...(await read('tolerant')), damaged: true }
    } catch (error) {
      throw damaged(new AggregateError([complaint, error], 'strict and tolerant reading failed'))
    }
  }
}

/** @returns null where libvips is needed, or faster */
async function decodeSmall(bytes: Uint8Array, header: PictureHeader): Promise<StoredPicture | null> {
  const profile = matrixWorth(header)
  const here = header.conversion === 'none' || profile !== null
  if (!here || !isSmallJpeg(header, bytes)) return null
  const stored = await decodeSmallJpeg(bytes, header)
  if (stored === null) return null
  const { data, channels } = stored
  const { width, height, orientation } = header
  return { ...turnUpright(data, width, height, channels, orientation), channels, profile }
}

async function decodeByLibvips(
  bytes: Uint8Array,
  header: PictureHeader,
  background: Background,
  strictness: Strictness,
): Promise<RgbPicture> {
  const matrix = matrixWorth(header)
  let pipeline = openPicture(bytes, header, strictness, header.conversion !== 'none' && matrix === null)
  if (header.hasAlpha) {
    const [r, g, b] = background
    pipeline = pipeline.flatten({ background: { r, g, b } })
  }
  const { data, info } = await pipeline
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  const rgb =
    info.channels === 3
      ? // Not as Node's Buffer, whose slice() does not copy.
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : threeChannels(data, info.channels)
  if (matrix) applyMatrixProfile(rgb, matrix)
  return { data: rgb, width: info.width, height: info.height }
}

/** Above so many pixels, setting libvips' conversion up takes less time than it saves on its own thread. */
const FEW_PIXELS = 1_000_000

const matrixWorth = ({ conversion, hasAlpha, width, height }: PictureHeader): MatrixProfile | null =>
  hasAlpha || width * height > FEW_PIXELS || typeof conversion === 'string' ? null : conversion

async function decodeHeicToRgb(bytes: Uint8Array, background: Background): Promise<DecodedPicture> {
  const { data, width, height } = await decodeHeic(bytes)
  const rgb = flatten(data, background)
  const profile = heicProfile(bytes)
  if (profile === null) return { data: rgb, width, height, damaged: false }
  // Phones write wide colours (Display P3).
  const srgb = (await conversionOf(profile)) === 'none' ? rgb : await toSrgb(rgb, width, height, profile)
  return { data: srgb, width, height, damaged: false }
}

/**
 * RGBA to RGB.
 * @param data uint8 `[pixels, 4]`
 * @param background null when alpha has no meaning
 */
export function flatten(data: Uint8Array, background: Background | null): Uint8Array {
  const result = new Uint8Array((data.length / 4) * 3)
  const [red, green, blue] = background ?? white
  for (let read = 0, write = 0; write < result.length; read += 4, write += 3) {
    const alpha = background === null ? 255 : data[read + 3]!
    if (alpha === 255) {
      result[write] = data[read]!
      result[write + 1] = data[read + 1]!
      result[write + 2] = data[read + 2]!
    } else {
      const rest = 255 - alpha
      result[write] = Math.round((data[read]! * alpha + red * rest) / 255)
      result[write + 1] = Math.round((data[read + 1]! * alpha + green * rest) / 255)
      result[write + 2] = Math.round((data[read + 2]! * alpha + blue * rest) / 255)
    }
  }
  return result
}
