import { createHash, webcrypto } from 'node:crypto'
import { findingsOf, type Finding } from './findings.ts'
import { readHeader, uprightSize, type PictureHeader } from './header.ts'
import { lookOf, lumaOf, measure, type Measures } from './measures.ts'
import { readBytes } from './read-bytes.ts'
import { emptyFile, stopped } from './refusals.ts'
import { encodeForEye, renderSmall, type EncodedPicture, type SmallPicture } from './small-picture.ts'
import { requireFormat, type PictureFormat } from './sniff.ts'

/** Everything an import wants to know about a picture file. */
export interface ReadPicture extends Pick<Measures, 'perceptualHash' | 'look' | 'sharpness' | 'brightness'> {
  /** Of the file's bytes, hexadecimal. */
  sha256: string
  format: PictureFormat
  /** Size of the file. */
  bytes: number
  /** Pixels, upright. */
  width: number
  height: number
  /** As the file says, EXIF 1–8. */
  orientation: number
  findings: Finding[]
  /** Upright and for the eye; a small JPEG is its own thumbnail. */
  thumbnail: EncodedPicture
}

/** Content that was seen before; nothing was decoded. */
export interface KnownPicture {
  sha256: string
  known: true
}

export interface ReadOptions {
  signal?: AbortSignal
  /** Longest edge of the thumbnail in pixels. */
  thumbnailEdge?: number
}

export const THUMBNAIL_EDGE = 320
const THUMBNAIL_QUALITY = 80
/** A JPEG up to this size is not encoded again for its thumbnail. */
const OWN_THUMBNAIL_BYTES = 40_000
/** Above this the hash is computed off the thread. */
const LARGE_FILE_BYTES = 1_000_000

/**
 * Reads a picture file once and finds out all an import needs. Many calls may be in flight; decoding happens in the
 * process's thread pool, about half a millisecond of each picture on the calling thread.
 *
 * @param options.known asked with the SHA-256 before anything is decoded; true ends the reading there
 * @throws KestrelError file-missing, file-unreadable, file-empty, not-a-picture, format-unsupported, picture-too-large,
 * picture-damaged, stopped
 */
export function readForImport(path: string, options?: ReadOptions): Promise<ReadPicture>
export function readForImport(
  path: string,
  options: ReadOptions & { known?: (sha256: string) => boolean },
): Promise<ReadPicture | KnownPicture>
export async function readForImport(
  path: string,
  options: ReadOptions & { known?: (sha256: string) => boolean } = {},
): Promise<ReadPicture | KnownPicture> {
  const { signal, known, thumbnailEdge = THUMBNAIL_EDGE } = options
  goOn(signal)
  const bytes = await readBytes(path)
  if (bytes.length === 0) throw emptyFile()
  const sha256 = await hashOf(bytes)
  if (known?.(sha256) === true) return { sha256, known: true }
  goOn(signal)
  const format = requireFormat(bytes)
  const header = await readHeader(bytes, format)
  goOn(signal)
  const small = await renderSmall(bytes, header, thumbnailEdge)
  goOn(signal)
  const measures = measure(small.data, small.width, small.height)
  const thumbnail = await thumbnailOf(bytes, header, small, thumbnailEdge)
  const { width, height } = uprightSize(header)
  const { perceptualHash, look, sharpness, brightness } = measures
  const findings = findingsOf(
    { ...measures, width, height, damaged: small.damaged, alpha: small.alpha },
    header,
  )
  return {
    sha256,
    format,
    bytes: bytes.length,
    width,
    height,
    orientation: header.orientation,
    perceptualHash,
    look,
    sharpness,
    brightness,
    findings,
    thumbnail,
  }
}

/**
 * The thumbnail alone, for when the cache was deleted.
 * @throws KestrelError as `readForImport`
 */
export async function renderThumbnail(path: string, edge = THUMBNAIL_EDGE): Promise<EncodedPicture> {
  const bytes = await readBytes(path)
  const header = await readHeader(bytes, requireFormat(bytes))
  return thumbnailOf(bytes, header, await renderSmall(bytes, header, edge), edge)
}

/**
 * The look alone, for pictures of projects from before there were looks.
 * @returns uint8 `[32, 32]` @throws KestrelError as `readForImport`
 */
export async function readLook(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path)
  const header = await readHeader(bytes, requireFormat(bytes))
  const { data, width, height } = await renderSmall(bytes, header, THUMBNAIL_EDGE)
  return lookOf(lumaOf(data), width, height)
}

async function thumbnailOf(
  bytes: Uint8Array,
  header: PictureHeader,
  small: SmallPicture,
  edge: number,
): Promise<EncodedPicture> {
  const fits = header.width <= edge && header.height <= edge && bytes.length <= OWN_THUMBNAIL_BYTES
  if (fits && header.format === 'jpeg' && header.turnedBy === 'nobody' && !header.cmyk && !small.damaged) {
    return { bytes, ending: 'jpg', contentType: 'image/jpeg' }
  }
  return encodeForEye(small, THUMBNAIL_QUALITY)
}

async function hashOf(bytes: Uint8Array): Promise<string> {
  if (bytes.length < LARGE_FILE_BYTES) return createHash('sha256').update(bytes).digest('hex')
  const digest = await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Buffer.from(digest).toString('hex')
}

function goOn(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw stopped()
}
