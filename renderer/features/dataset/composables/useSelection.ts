import { computed, ref, shallowRef, watch } from 'vue'
import { add, all, has, nothing, sizeOf, some, toCall, toggle } from '../selection.ts'
import type { Chosen } from '../selection.ts'
import type { PictureRows } from './usePictureRows.ts'
import type { View } from './useView.ts'

/** The picture the keyboard is at, and what is selected. Both survive a refresh of the rows. */
export function useSelection(rows: PictureRows, view: View) {
  const chosen = shallowRef<Chosen>(nothing)
  /** Position of the keyboard; -1 before anything was touched. */
  const cursor = ref(-1)
  const cursorId = ref<number | null>(null)
  /** Where a range begins that Shift extends. */
  let anchor = -1

  const total = computed(() => rows.total.value ?? 0)
  const count = computed(() => sizeOf(chosen.value, total.value))
  const current = computed(() => (cursor.value < 0 ? undefined : rows.rowAt(cursor.value)))

  function place(index: number): void {
    cursor.value = index
    cursorId.value = rows.rowAt(index)?.id ?? null
  }

  /** A click or an arrow: this one and no other. */
  function only(index: number): void {
    place(index)
    anchor = index
    const row = rows.rowAt(index)
    chosen.value = row ? some([row.id]) : nothing
  }

  function flip(index: number): void {
    place(index)
    anchor = index
    const row = rows.rowAt(index)
    if (row) chosen.value = toggle(chosen.value, row.id)
  }

  /** From where the range began to here. @param keep adds to what is selected */
  async function extend(index: number, keep = false): Promise<void> {
    const start = anchor < 0 ? index : anchor
    if (anchor < 0) anchor = index
    place(index)
    const before = keep ? chosen.value : nothing
    const ids = await rows.idsOf(Math.min(start, index), Math.max(start, index) + 1)
    chosen.value = add(before, ids)
  }

  const replace = (ids: Iterable<number>, keep: boolean): void => {
    chosen.value = keep ? add(chosen.value, ids) : some(ids)
  }
  const everything = (): void => {
    chosen.value = all({ ...view.filter })
  }
  const clear = (): void => {
    chosen.value = nothing
  }

  /** Moves on after the picture was dealt with; it may leave the view, so the next one is remembered by id. */
  function advance(): void {
    const next = Math.min(cursor.value + 1, total.value - 1)
    if (next >= 0) only(next)
  }

  // Rows were replaced: the cursor follows its picture, or stays where it is when the picture has left.
  watch(rows.version, () => {
    if (cursor.value < 0) return
    const id = cursorId.value
    const found = id === null ? -1 : rows.find(id, cursor.value)
    if (found >= 0) {
      cursor.value = found
      return
    }
    const index = Math.min(cursor.value, total.value - 1)
    if (index < 0) {
      cursor.value = -1
      cursorId.value = null
    } else if (rows.rowAt(index)) place(index)
  })
  watch(rows.epoch, () => {
    cursor.value = -1
    cursorId.value = null
    anchor = -1
    // "All of this view" means nothing in another one; pictures chosen one by one stay chosen.
    if (chosen.value.kind === 'all') chosen.value = nothing
  })

  return {
    chosen,
    cursor,
    current,
    count,
    total,
    isChosen: (id: number) => has(chosen.value, id),
    only,
    flip,
    extend,
    replace,
    everything,
    clear,
    advance,
    place,
    /** Selected pictures, else the one the keyboard is at; null when there is neither. */
    forCall: () => toCall(chosen.value, total.value) ?? (current.value ? { ids: [current.value.id] } : null),
  }
}
export type PictureSelection = ReturnType<typeof useSelection>
