import { applyMatrixProfile, type MatrixProfile } from './colours.ts'

/** A decoded picture: upright, sRGB, uint8 `[height, width, 3]`. */
export interface RgbPicture {
  data: Uint8Array
  width: number
  height: number
}

/** A decoded picture as its file has it, but upright: uint8 `[height, width, channels]`. */
export interface StoredPicture {
  data: Uint8Array
  width: number
  height: number
  /** 1: grey. Left out: 3. */
  channels?: 1 | 3
  /** What the colours are of; sRGB when left out. */
  profile?: MatrixProfile | null
}

/** @returns the picture in sRGB; of three channels the very ones, changed in place */
export function rgbOf({ data, width, height, channels, profile }: StoredPicture): RgbPicture {
  const rgb = channels === 1 ? threeTimes(data) : data
  if (profile) applyMatrixProfile(rgb, profile)
  return { data: rgb, width, height }
}

function threeTimes(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3)
  for (let read = 0, write = 0; read < grey.length; read++, write += 3) {
    const value = grey[read]!
    rgb[write] = value
    rgb[write + 1] = value
    rgb[write + 2] = value
  }
  return rgb
}
