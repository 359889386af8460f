import { computed, nextTick, ref, watch } from 'vue'
import type { Ref } from 'vue'
import { walk } from '../matrix.ts'
import type { MatrixCell, Place, Spot } from '../matrix.ts'

/**
 * What of the matrix the person points at: what is under the mouse, else where the keys have led, else what they chose.
 * One answer for all three, so that what is said beside the matrix is always what is lit up in it.
 */
export function useMatrixPointer(input: {
  frame: Readonly<Ref<HTMLElement | null>>
  /** Classes; the keys begin anew when there are others. */
  count: Readonly<Ref<number>>
  cells: Readonly<Ref<readonly MatrixCell[]>>
  chosen: Readonly<Ref<Spot | null>>
  open: (place: Place) => void
}) {
  const { frame, count, cells, chosen, open } = input
  const cursor = ref<Place>({ row: 0, column: 0 })
  watch(count, () => (cursor.value = { row: 0, column: 0 }))
  const hovered = ref<Spot | null>(null)
  /** The keys were used last. */
  const walking = ref(false)
  const pointed = computed<Spot | null>(() => hovered.value ?? (walking.value ? cursor.value : chosen.value))

  function hover(next: Spot | null): void {
    const now = hovered.value
    if (now?.row !== next?.row || now?.column !== next?.column) hovered.value = next
  }

  /** The keys go on from what was clicked. */
  function moveTo({ row, column }: Spot): void {
    walking.value = false
    cursor.value = { row: row ?? cursor.value.row, column: column ?? cursor.value.column }
  }

  async function onKey(event: KeyboardEvent): Promise<void> {
    const next = walk(cursor.value, event.key, count.value, cells.value)
    if (next) cursor.value = next
    else if (event.key === 'Enter' || event.key === ' ') open(cursor.value)
    else return
    event.preventDefault()
    // The mouse may still lie where it was; and after a click the focus is on what was clicked.
    hovered.value = null
    walking.value = true
    frame.value?.focus({ preventScroll: true })
    await nextTick()
    frame.value?.querySelector('.cursor')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }

  return {
    cursor,
    pointed,
    hover,
    moveTo,
    onKey,
    /** A click on the frame focuses it, too, but shows no cursor. */
    onFocus: () => (walking.value = frame.value?.matches(':focus-visible') ?? false),
    onBlur: () => (walking.value = false),
  }
}
