import type { Region } from '../distillation/views.ts'
import type { RgbPicture } from './stored.ts'

/**
 * A part of a picture, as a picture, mirrored where the region says so. Edges are rounded to whole pixels; at least one pixel is left.
 * @returns a copy, or the picture itself when it is all of it.
 */
export function partOf(picture: RgbPicture, region: Region): RgbPicture {
  const [left, right] = edges(region.left, region.width, picture.width)
  const [top, bottom] = edges(region.top, region.height, picture.height)
  const [width, height] = [right - left, bottom - top]
  if (width === picture.width && height === picture.height && !region.mirrored) return picture
  const data = new Uint8Array(3 * width * height)
  for (let y = 0; y < height; y++) {
    const from = 3 * ((top + y) * picture.width + left)
    data.set(picture.data.subarray(from, from + 3 * width), 3 * width * y)
    if (region.mirrored) mirrorRow(data.subarray(3 * width * y, 3 * width * (y + 1)))
  }
  return { data, width, height }
}

function mirrorRow(row: Uint8Array): void {
  for (let left = 0, right = row.length - 3; left < right; left += 3, right -= 3)
    for (let channel = 0; channel < 3; channel++) {
      const kept = row[left + channel]!
      row[left + channel] = row[right + channel]!
      row[right + channel] = kept
    }
}

function edges(from: number, length: number, size: number): [number, number] {
  const first = Math.min(size - 1, Math.round(from * size))
  return [first, Math.min(size, Math.max(first + 1, Math.round((from + length) * size)))]
}
