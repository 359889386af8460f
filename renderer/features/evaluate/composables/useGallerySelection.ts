import { computed, ref, watch } from 'vue'
import type { Ref } from 'vue'
import type { GalleryPlace, GalleryRow } from './useGallery.ts'

/** Which pictures of the gallery are chosen. Begins anew at every place. */
export function useGallerySelection(
  rows: Readonly<Ref<readonly GalleryRow[]>>,
  input: () => {
    place: GalleryPlace | null
    only: string
    /** Chosen from the beginning. */
    picked: number | null
  },
) {
  const selected = ref<ReadonlySet<number>>(new Set())
  const anchor = ref(0)
  watch(
    [() => input().place, () => input().only, () => input().picked],
    () => {
      const { picked } = input()
      selected.value = new Set(picked === null ? [] : [picked])
    },
    { immediate: true },
  )

  function pick(event: MouseEvent | KeyboardEvent, row: GalleryRow, index: number): void {
    const next = new Set(event.ctrlKey || event.metaKey || event.shiftKey ? selected.value : [])
    if (event.shiftKey) {
      const [from, to] = [Math.min(anchor.value, index), Math.max(anchor.value, index)]
      for (const each of rows.value.slice(from, to + 1)) next.add(each.pictureId)
    } else {
      if (selected.value.has(row.pictureId) && selected.value.size === 1) next.clear()
      else if (next.has(row.pictureId)) next.delete(row.pictureId)
      else next.add(row.pictureId)
      anchor.value = index
    }
    selected.value = next
  }

  const all = (): number[] => rows.value.map((row) => row.pictureId)
  return {
    selected,
    pick,
    clear: () => void (selected.value = new Set()),
    /** What is acted on: the chosen pictures, else all that are shown. */
    targets: computed(() => (selected.value.size > 0 ? [...selected.value] : all())),
  }
}
