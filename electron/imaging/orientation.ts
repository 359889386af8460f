/**
 * Which way up a picture is: EXIF orientation 1–8 (CIPA DC-008, tag 274). 1 is upright, 3 upside down, 6 and 8 lie on a
 * side, 2, 4, 5, 7 are mirrored too; 5–8 swap width and height.
 */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8

export const swapsSides = (orientation: number): boolean => orientation >= 5

const asOrientation = (value: number): Orientation | null =>
  value >= 1 && value <= 8 && Number.isInteger(value) ? (value as Orientation) : null

export interface ExifLook {
  orientation: Orientation | null
  /** The block is there, but its structure cannot be followed. */
  broken: boolean
}

/**
 * Reads the orientation from a TIFF-structured EXIF block (with or without the leading "Exif\0\0"). Never throws: a
 * broken block is common and says nothing about the picture.
 */
export function readExif(block: Uint8Array): ExifLook {
  const start = block[0] === 0x45 && block[1] === 0x78 && block[2] === 0x69 && block[3] === 0x66 ? 6 : 0
  const view = new DataView(block.buffer, block.byteOffset + start, Math.max(0, block.byteLength - start))
  if (view.byteLength < 8) return { orientation: null, broken: true }
  const mark = view.getUint16(0)
  const little = mark === 0x4949
  if ((!little && mark !== 0x4d4d) || view.getUint16(2, little) !== 42)
    return { orientation: null, broken: true }
  const directory = view.getUint32(4, little)
  if (directory < 8 || directory + 2 > view.byteLength) return { orientation: null, broken: true }
  const entries = view.getUint16(directory, little)
  for (let entry = 0; entry < entries; entry++) {
    const at = directory + 2 + entry * 12
    if (at + 12 > view.byteLength) return { orientation: null, broken: true }
    if (view.getUint16(at, little) !== 274) continue
    const value =
      view.getUint16(at + 2, little) === 4 ? view.getUint32(at + 8, little) : view.getUint16(at + 8, little)
    return { orientation: asOrientation(value), broken: false }
  }
  return { orientation: null, broken: false }
}

/** Orientation from an XMP packet, which some programs write instead of EXIF; null when it says nothing. */
export function readXmpOrientation(packet: Uint8Array): Orientation | null {
  const text = new TextDecoder('latin1').decode(packet)
  const digit = /tiff:Orientation(?:="|>)([1-8])/.exec(text)?.[1]
  return digit === undefined ? null : asOrientation(Number(digit))
}

/**
 * Turns pixels upright.
 * @param data uint8 `[height, width, channels]`
 * @returns a new buffer with its size, or the given one for orientation 1
 */
export function turnUpright(
  data: Uint8Array,
  width: number,
  height: number,
  channels: number,
  orientation: Orientation,
): { data: Uint8Array; width: number; height: number } {
  if (orientation === 1) return { data, width, height }
  const swap = swapsSides(orientation)
  const outWidth = swap ? height : width
  const outHeight = swap ? width : height
  const mirrorX = orientation === 2 || orientation === 3 || orientation === 7 || orientation === 8
  const mirrorY = orientation === 3 || orientation === 4 || orientation === 6 || orientation === 7
  const result = new Uint8Array(data.length)
  let write = 0
  for (let y = 0; y < outHeight; y++) {
    for (let x = 0; x < outWidth; x++) {
      // Where in the stored picture this upright pixel lies.
      const storedX = swap ? y : x
      const storedY = swap ? x : y
      const column = mirrorX ? width - 1 - storedX : storedX
      const row = mirrorY ? height - 1 - storedY : storedY
      let read = (row * width + column) * channels
      for (let channel = 0; channel < channels; channel++) result[write++] = data[read++]!
    }
  }
  return { data: result, width: outWidth, height: outHeight }
}
