import { mediaUrl } from '#shared/contract/media.ts'
import { unpackParts } from '#shared/util/pack.ts'

export interface LinePicture {
  id: number
  /** Excluded: drawn pale and without colour. */
  faded: boolean
}

export interface LineShape {
  columns: number
  /** Edge of a tile and the gap between two, px. */
  edge: number
  gap: number
  /** Edge of a tile in device pixels. */
  pixels: number
}

/**
 * Fetches and decodes thumbnails, all by one request.
 * @returns in the order of `pictureIds`; null for those that cannot be shown
 * @throws when the studio does not answer, or `signal` says stop
 */
export async function fetchBitmaps(
  projectId: string,
  pictureIds: readonly number[],
  signal: AbortSignal,
): Promise<(ImageBitmap | null)[]> {
  const response = await fetch(mediaUrl.thumbnails(projectId, pictureIds), { signal })
  if (!response.ok) throw new Error(`${response.status} for ${pictureIds.length} thumbnails`)
  const parts = unpackParts(await response.arrayBuffer())
  signal.throwIfAborted()
  return Promise.all(parts.map(decode))
}

async function decode(part: Uint8Array<ArrayBuffer> | null): Promise<ImageBitmap | null> {
  if (!part) return null
  try {
    return await createImageBitmap(new Blob([part], { type: 'image/jpeg' }))
  } catch (error) {
    if (error instanceof DOMException && error.name === 'InvalidStateError') return null
    throw error
  }
}

/** Draws pictures into the columns of a line, each cut to a square with the canvas's own round corners. Closes the bitmaps. */
export function drawInLine(
  canvas: HTMLCanvasElement,
  { columns, edge, gap, pixels }: LineShape,
  pictures: readonly { column: number; faded: boolean; bitmap: ImageBitmap }[],
): void {
  const scale = pixels / edge
  const width = Math.round((columns * (edge + gap) - gap) * scale)
  const context = canvas.getContext('2d')
  if (canvas.width !== width || canvas.height !== pixels) Object.assign(canvas, { width, height: pixels })
  const radius = parseFloat(getComputedStyle(canvas).borderTopLeftRadius) * scale
  for (const { column, faded, bitmap } of pictures) {
    if (context) {
      const left = Math.round(column * (edge + gap) * scale)
      const side = Math.min(bitmap.width, bitmap.height)
      const [x, y] = [(bitmap.width - side) / 2, (bitmap.height - side) / 2]
      context.save()
      context.clearRect(left, 0, pixels, pixels)
      context.beginPath()
      context.roundRect(left, 0, pixels, pixels, radius)
      context.clip()
      context.imageSmoothingQuality = 'high'
      if (faded) Object.assign(context, { globalAlpha: 0.4, filter: 'grayscale(1)' })
      context.drawImage(bitmap, x, y, side, side, left, 0, pixels, pixels)
      context.restore()
    }
    bitmap.close()
  }
}
