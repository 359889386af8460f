import { onScopeDispose, shallowRef, watch } from 'vue'
import type { Ref } from 'vue'
import { drawInLine, fetchBitmaps } from '../line-canvas.ts'
import type { LinePicture, LineShape } from '../line-canvas.ts'

export interface LineOfPictures extends LineShape {
  projectId: string
  /** By column; null while the row is not known. */
  pictures: readonly (LinePicture | null)[]
  /** Grows when what failed is worth another try. */
  attempt: number
}

export type Pictured = 'waiting' | 'drawn' | 'failed'

/** As it lies in the canvas: what is wanted may never be drawn, when something else is wanted in the meantime. */
interface Cell extends LinePicture {
  state: Pictured
}

/**
 * Draws a line of pictures into one canvas. Not an `img` each: the browser keeps the decoded pixels of the last thousand
 * images it has shown, 300 MB of thumbnails after a long scroll. Not a canvas and a request each either: a hundred layers
 * and two hundred requests a second cost more than the pictures in them. What is scrolled past before it arrives is never
 * decoded.
 * @returns the state of a column; a tile lets its part of the canvas be seen where it is `drawn`
 */
export function useLineThumbnails(
  canvas: Ref<HTMLCanvasElement | null>,
  line: () => LineOfPictures,
): (column: number) => Pictured {
  const cells = shallowRef<readonly (Cell | null)[]>([])
  let loading = new AbortController()
  /** Of what lies in the canvas: with another size all is drawn anew, with another number of columns all is void. */
  let drawnPixels = 0
  let drawnColumns = 0

  /** The same picture at another size, or no longer excluded, stays on screen until it is drawn anew. */
  function begin({ pictures, columns }: LineOfPictures): void {
    cells.value = pictures.map((picture, column) => {
      const cell = columns === drawnColumns ? cells.value[column] : null
      return picture && (cell?.id === picture.id ? cell : { ...picture, state: 'waiting' })
    })
  }

  async function load(target: HTMLCanvasElement, wanted: LineOfPictures, signal: AbortSignal): Promise<void> {
    const { projectId, pictures, columns, pixels } = wanted
    const before = cells.value
    begin(wanted)
    const sameCanvas = columns === drawnColumns && pixels === drawnPixels
    const missing = pictures.flatMap((picture, column) => {
      const cell = before[column]
      const there = sameCanvas && cell?.state === 'drawn' && cell.id === picture?.id
      return picture && !(there && cell.faded === picture.faded) ? [{ ...picture, column }] : []
    })
    if (missing.length === 0) return
    const ids = missing.map(({ id }) => id)
    const bitmaps = await fetchBitmaps(projectId, ids, signal)
    if (signal.aborted) return bitmaps.forEach((bitmap) => bitmap?.close())
    const arrived = missing.flatMap((each, at) => {
      const bitmap = bitmaps[at]
      return bitmap ? [{ ...each, bitmap }] : []
    })
    drawInLine(target, wanted, arrived)
    drawnPixels = pixels
    drawnColumns = columns
    const drawn = new Map(arrived.map(({ column, faded }) => [column, faded]))
    const tried = new Set(missing.map(({ column }) => column))
    cells.value = cells.value.map((cell, column) => {
      if (!cell || !tried.has(column)) return cell
      const faded = drawn.get(column)
      return faded === undefined ? { ...cell, state: 'failed' } : { ...cell, faded, state: 'drawn' }
    })
  }

  watch(
    [canvas, () => keyOf(line())] as const,
    ([target]) => {
      loading.abort()
      loading = new AbortController()
      const { signal } = loading
      if (!target) return
      load(target, line(), signal).catch((error: unknown) => {
        if (signal.aborted) return
        console.warn('pictures could not be shown', error)
        cells.value = cells.value.map(
          (cell) => cell && { ...cell, state: cell.state === 'drawn' ? 'drawn' : 'failed' },
        )
      })
    },
    { flush: 'post', immediate: true },
  )
  onScopeDispose(() => loading.abort())

  return (column) => cells.value[column]?.state ?? 'waiting'
}

/** Changes when something must be fetched or drawn. */
function keyOf({ projectId, pictures, columns, pixels, attempt }: LineOfPictures): string {
  const each = pictures.map((picture) => picture && `${picture.id}${picture.faded ? 'x' : ''}`)
  return [projectId, columns, pixels, attempt, ...each].join(' ')
}
