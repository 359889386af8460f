import { decodeWithHeader, flatten, tolerantly, white } from './decode.ts'
import type { PictureHeader } from './header.ts'
import { applyMatrixProfile } from '#shared/domain/preprocessing/colours.ts'
import { threeChannels } from '#shared/domain/preprocessing/stored.ts'
import { openPicture, openPixels } from './sharp.ts'
import type { Sharp } from 'sharp'

/** A picture reduced for the eye: upright, sRGB, flattened on white. */
export interface SmallPicture {
  /** uint8 `[height, width, 3]` */
  data: Uint8Array
  width: number
  height: number
  /** Mean alpha of the original, 0–1; 1 without an alpha channel. */
  alpha: number
  damaged: boolean
}

const fitInto = (pipeline: Sharp, edge: number): Sharp =>
  pipeline.resize({ width: edge, height: edge, fit: 'inside', withoutEnlargement: true })

/**
 * Decodes and reduces in one go, so that large JPEGs need not be decoded in full.
 * @param edge longest edge of the result; smaller pictures keep their size
 * @throws KestrelError picture-damaged, picture-too-large
 */
export async function renderSmall(
  bytes: Uint8Array,
  header: PictureHeader,
  edge: number,
): Promise<SmallPicture> {
  if (header.format === 'bmp' || header.format === 'heic' || header.turnedBy === 'us') {
    const picture = await decodeWithHeader(bytes, header, white)
    const { data, info } = await fitInto(openPixels(picture.data, picture.width, picture.height, 3), edge)
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { data, width: info.width, height: info.height, alpha: 1, damaged: picture.damaged }
  }
  return tolerantly(async (strictness) => {
    // Shrunk before the colours change: nothing to the eye.
    const { conversion } = header
    const { data, info } = await fitInto(
      openPicture(bytes, header, strictness, conversion === 'libvips'),
      edge,
    )
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    const size = { width: info.width, height: info.height }
    if (info.channels === 4) return { data: flatten(data, white), ...size, alpha: meanAlpha(data) }
    if (info.channels !== 3) return { data: threeChannels(data, info.channels), ...size, alpha: 1 }
    if (typeof conversion !== 'string') applyMatrixProfile(data, conversion)
    return { data, ...size, alpha: 1 }
  })
}

function meanAlpha(rgba: Uint8Array): number {
  let sum = 0
  for (let i = 3; i < rgba.length; i += 4) sum += rgba[i]!
  return sum / (rgba.length / 4) / 255
}

export interface EncodedPicture {
  bytes: Uint8Array
  /** File ending without a dot. */
  ending: 'jpg'
  contentType: 'image/jpeg'
}

/**
 * JPEG, because encoding it takes a quarter of the time of WebP and a thumbnail is written far more often than sent.
 * @param quality 1–100
 */
export async function encodeForEye(picture: SmallPicture, quality: number): Promise<EncodedPicture> {
  const bytes = await openPixels(picture.data, picture.width, picture.height, 3)
    .jpeg({ quality, optimiseCoding: false, chromaSubsampling: quality > 85 ? '4:4:4' : '4:2:0' })
    .toBuffer()
  return { bytes, ending: 'jpg', contentType: 'image/jpeg' }
}
