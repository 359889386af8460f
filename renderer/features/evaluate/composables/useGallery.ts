import { ref, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { EvaluationPart, EvaluationRow } from '#shared/contract/training.ts'
import { useStudio } from '../../../client/index.ts'

/** Which pictures of a run are shown: a cell, a row (`predicted` null), a column (`trueClass` null). */
export interface GalleryPlace {
  runId: string
  part: EvaluationPart
  trueClass: number | null
  predicted: number | null
}

const batch = 60

/** Pictures of a cell, most certain first, a batch at a time. Stale answers of an earlier place are dropped. */
export function useGallery(
  projectId: MaybeRefOrGetter<string>,
  place: MaybeRefOrGetter<GalleryPlace | null>,
) {
  const studio = useStudio()
  const rows = shallowRef<EvaluationRow[]>([])
  const total = ref(0)
  const loading = ref(false)
  const error = shallowRef<unknown>(null)
  let generation = 0

  async function load(offset: number, limit: number): Promise<void> {
    const at = toValue(place)
    if (!at) return
    const mine = generation
    loading.value = true
    error.value = null
    try {
      const only = at.trueClass === null || at.predicted === null ? 'wrong' : 'all'
      const page = await studio.evaluation.pictures({
        projectId: toValue(projectId),
        ...at,
        only,
        offset,
        limit,
      })
      if (mine !== generation) return
      total.value = page.total
      rows.value = offset === 0 ? page.rows : [...rows.value, ...page.rows]
    } catch (thrown) {
      if (mine === generation) error.value = thrown
    } finally {
      if (mine === generation) loading.value = false
    }
  }

  const start = (): Promise<void> => {
    generation += 1
    rows.value = []
    total.value = 0
    return load(0, batch)
  }
  watch(() => JSON.stringify(toValue(place)), start, { immediate: true })

  return {
    rows,
    total,
    loading,
    error,
    more: () => load(rows.value.length, batch),
    /** Reads what is shown again, after labels changed; keeps how much is shown. */
    refresh: () => load(0, Math.min(500, Math.max(batch, rows.value.length))),
    retry: start,
  }
}
