import { useEventListener } from '@vueuse/core'
import { computed, shallowRef } from 'vue'
import type { Ref } from 'vue'

export interface GridShape {
  columns: number
  /** Tile and gap, px. */
  step: number
  gap: number
  /** Inner left edge, px. */
  left: number
  top: number
}

interface Corner {
  x: number
  y: number
}

/** How close to the edge the grid begins to scroll by itself, px. */
const edge = 36

/**
 * A rectangle drawn over the grid, in the coordinates of its content, so that it stays right while scrolling.
 * @param done gets ranges of positions [from, to), one per row of tiles
 */
export function useLasso(
  scroller: Ref<HTMLElement | null>,
  shape: () => GridShape,
  done: (ranges: [from: number, to: number][], keep: boolean) => void,
) {
  const corners = shallowRef<{ from: Corner; to: Corner; keep: boolean } | null>(null)
  const box = computed(() => {
    if (!corners.value) return null
    const { from, to } = corners.value
    return {
      left: Math.min(from.x, to.x),
      top: Math.min(from.y, to.y),
      width: Math.abs(from.x - to.x),
      height: Math.abs(from.y - to.y),
    }
  })

  function inContent(event: PointerEvent): Corner {
    const element = scroller.value
    if (!element) return { x: 0, y: 0 }
    const { left, top } = element.getBoundingClientRect()
    return { x: event.clientX - left + element.scrollLeft, y: event.clientY - top + element.scrollTop }
  }

  /** The tiles the rectangle touches. */
  function ranges(): [number, number][] {
    if (!box.value) return []
    const { columns, step, gap, left, top } = shape()
    const { left: x, top: y, width, height } = box.value
    const clampColumn = (column: number): number => Math.max(0, Math.min(columns - 1, column))
    const firstRow = Math.max(0, Math.floor((y - top + gap) / step))
    const lastRow = Math.floor((y + height - top) / step)
    const rightOfAll = (x - left + gap) / step >= columns
    if (rightOfAll || lastRow < 0 || x + width < left) return []
    const firstColumn = clampColumn(Math.floor((x - left + gap) / step))
    const lastColumn = clampColumn(Math.floor((x + width - left) / step))
    return Array.from({ length: Math.max(0, lastRow - firstRow + 1) }, (_, i): [number, number] => {
      const start = (firstRow + i) * columns
      return [start + firstColumn, start + lastColumn + 1]
    })
  }

  function begin(event: PointerEvent): void {
    if (event.button !== 0) return
    const at = inContent(event)
    corners.value = { from: at, to: at, keep: event.shiftKey || event.ctrlKey || event.metaKey }
  }

  useEventListener(window, 'pointermove', (event) => {
    const element = scroller.value
    if (!corners.value || !element) return
    const { top, bottom } = element.getBoundingClientRect()
    if (event.clientY > bottom - edge) element.scrollTop += 18
    if (event.clientY < top + edge) element.scrollTop -= 18
    corners.value = { ...corners.value, to: inContent(event) }
  })
  useEventListener(window, 'pointerup', () => {
    if (!corners.value || !box.value) return
    const { keep } = corners.value
    const drawn = box.value.width > 4 || box.value.height > 4
    const found = drawn ? ranges() : []
    corners.value = null
    done(found, keep)
  })
  useEventListener(window, 'pointercancel', () => (corners.value = null))

  /** Whether a position lies under the rectangle now. */
  const touched = computed(() => {
    const now = corners.value ? ranges() : []
    return (index: number): boolean => now.some(([from, to]) => index >= from && index < to)
  })

  return { begin, box, touched }
}
