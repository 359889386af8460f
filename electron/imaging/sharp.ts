import sharp, { type Sharp, type SharpOptions } from 'sharp'
import type { PictureHeader } from './header.ts'
import { leanJpeg } from './jpeg-header.ts'
import { limits } from './limits.ts'

/*
 * The one place that sets sharp up. Its operation cache would only keep pictures that are never asked for again, and
 * many pictures at a time with one thread each are faster than one picture on many threads.
 */
sharp.cache(false)
sharp.concurrency(1)

/**
 * How much libvips overlooks: `strict` fails on anything the decoder complains about, `tolerant` gives what can be
 * had of a damaged file.
 */
export type Strictness = 'strict' | 'tolerant'

/** Opens an encoded picture; nothing is decoded before the pipeline is asked for output. */
export function openEncoded(bytes: Uint8Array, strictness: Strictness, extra: SharpOptions = {}): Sharp {
  return sharp(bytes, {
    failOn: strictness === 'strict' ? 'warning' : 'none',
    limitInputPixels: limits.pixels,
    sequentialRead: true,
    ...extra,
  })
}

/**
 * The same for a file whose header has been read.
 * @param withProfile whether the colour profile is applied here
 */
export function openPicture(
  bytes: Uint8Array,
  header: PictureHeader,
  strictness: Strictness,
  withProfile: boolean,
): Sharp {
  const lean = header.lean ? leanJpeg(bytes, header.orientation, withProfile) : bytes
  const opened = openEncoded(lean, strictness, { ignoreIcc: !withProfile })
  return header.turnedBy === 'libvips' ? opened.autoOrient() : opened
}

/** Opens decoded pixels, uint8 `[height, width, channels]`. */
export function openPixels(data: Uint8Array, width: number, height: number, channels: 1 | 2 | 3 | 4): Sharp {
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: limits.pixels })
}
