import { ref, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { EvaluationPart, EvaluationRow, Flip, PictureOrder } from '#shared/contract/training.ts'
import { useStudio } from '../../../client/index.ts'

/** Pictures of a run: a cell, a row (`predicted` null), a column (`trueClass` null). */
export interface CellPlace {
  kind: 'cell'
  runId: string
  part: EvaluationPart
  trueClass: number | null
  predicted: number | null
}
/** Pictures that two runs answer differently. */
export interface FlipPlace {
  kind: 'flips'
  a: string
  b: string
  part: EvaluationPart
  flip: Flip['kind']
}
/** Which pictures are shown. */
export type GalleryPlace = CellPlace | FlipPlace

/** What of a place is shown, and in which order; means nothing for flips. */
export interface GalleryView {
  only: 'all' | 'wrong'
  order: PictureOrder
}

export type GalleryRow = EvaluationRow | Flip

const batch = 60

/** Pictures of a place, a batch at a time. Stale answers of an earlier place are dropped. */
export function useGallery(
  projectId: MaybeRefOrGetter<string>,
  place: MaybeRefOrGetter<GalleryPlace | null>,
  view: MaybeRefOrGetter<GalleryView>,
) {
  const studio = useStudio()
  const rows = shallowRef<GalleryRow[]>([])
  const total = ref(0)
  const loading = ref(false)
  const error = shallowRef<unknown>(null)
  let generation = 0

  async function ask(
    at: GalleryPlace,
    offset: number,
    limit: number,
  ): Promise<{ total: number; rows: GalleryRow[] }> {
    const window = { projectId: toValue(projectId), part: at.part, offset, limit }
    if (at.kind === 'cell') {
      const { runId, trueClass, predicted } = at
      return studio.evaluation.pictures({ ...window, runId, trueClass, predicted, ...toValue(view) })
    }
    const flips = await studio.evaluation.flips({ ...window, a: at.a, b: at.b, kind: at.flip })
    return { total: flips[at.flip], rows: flips.rows }
  }

  async function load(offset: number, limit: number): Promise<void> {
    const at = toValue(place)
    if (!at) return
    const mine = generation
    loading.value = true
    error.value = null
    try {
      const page = await ask(at, offset, limit)
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
  watch(() => JSON.stringify([toValue(place), toValue(view)]), start, { immediate: true })

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
