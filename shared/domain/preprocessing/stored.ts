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
  const rgb = channels === 1 ? threeChannels(data, 1) : data
  if (profile) applyMatrixProfile(rgb, profile)
  return { data: rgb, width, height }
}

/** Grey, grey + alpha and RGBA as RGB; alpha is left out. @param data uint8 `[pixels, channels]`, not three of them */
export function threeChannels(data: Uint8Array, channels: number): Uint8Array {
  const rgb = new Uint8Array((data.length / channels) * 3)
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2]
  for (let read = 0, write = 0; write < rgb.length; read += channels, write += 3) {
    rgb[write] = data[read]!
    rgb[write + 1] = data[read + green]!
    rgb[write + 2] = data[read + blue]!
  }
  return rgb
}
