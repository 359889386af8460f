import { computed, ref, watch } from 'vue'
import type { Metrics, PictureOrder } from '#shared/contract/training.ts'
import type { GalleryPlace, GalleryView } from './useGallery.ts'

/** What of a place is shown, and in which order. Begins anew at every place. */
export function useGalleryView(input: () => { place: GalleryPlace | null; metrics: Metrics }) {
  /** How many pictures a whole row or column has, and how many of them are mistakes; null elsewhere. */
  const line = computed(() => {
    const { place: at, metrics } = input()
    if (at?.kind !== 'cell' || (at.trueClass !== null && at.predicted !== null)) return null
    const { confusion } = metrics
    const index = at.trueClass ?? at.predicted ?? 0
    const counts = at.trueClass === null ? confusion.map((row) => row[index] ?? 0) : (confusion[index] ?? [])
    const all = counts.reduce((sum, count) => sum + count, 0)
    return { all, wrong: all - (confusion[index]?.[index] ?? 0) }
  })
  const only = ref<GalleryView['only']>('all')
  const chosenOrder = ref<PictureOrder | null>(null)
  watch([() => input().place, only], () => (chosenOrder.value = null))
  watch(
    () => input().place,
    () => (only.value = 'all'),
  )
  /** Doubt shows first where most are right; among mistakes the surest are those whose label may be wrong. */
  const order = computed({
    get: () => chosenOrder.value ?? (line.value && only.value === 'all' ? 'unsurest' : 'surest'),
    set: (next: PictureOrder) => (chosenOrder.value = next),
  })
  const view = computed<GalleryView>(() => ({ only: line.value ? only.value : 'all', order: order.value }))
  return { line, only, order, view }
}
