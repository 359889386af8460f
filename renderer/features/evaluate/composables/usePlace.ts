import { computed, nextTick, ref, watch } from 'vue'
import type { Ref } from 'vue'
import type { EvaluationPart, Flip, Run } from '#shared/contract/training.ts'
import type { GalleryPlace } from './useGallery.ts'

interface Cell {
  trueClass: number | null
  predicted: number | null
}

/** Which pictures of the shown run, or of two runs, are open in the gallery. */
export function usePlace({
  runId,
  part,
  pair,
  show,
}: {
  runId: Readonly<Ref<string | null>>
  part: Readonly<Ref<EvaluationPart>>
  /** The two runs that are compared. */
  pair: Readonly<Ref<[Run, Run] | null>>
  /** Brings the gallery into sight. */
  show: () => unknown
}) {
  const place = ref<GalleryPlace | null>(null)
  /** The picture it was opened with. */
  const picked = ref<number | null>(null)

  function open(next: GalleryPlace, picture: number | null = null): void {
    place.value = next
    picked.value = picture
  }
  function openCell({ trueClass, predicted }: Cell): void {
    if (runId.value) open({ kind: 'cell', runId: runId.value, part: part.value, trueClass, predicted })
  }
  function openLabel(classIndex: number): void {
    openCell({ trueClass: classIndex, predicted: null })
    void nextTick(show)
  }
  function openFlips(flip: Flip['kind'], picture: number | null): void {
    if (!pair.value) return
    const [a, b] = pair.value
    open({ kind: 'flips', a: a.runId, b: b.runId, part: part.value, flip }, picture)
    void nextTick(show)
  }

  watch([runId, part], () => (place.value = null))
  watch(
    () => pair.value?.map((run) => run.runId).join(),
    () => {
      if (place.value?.kind === 'flips') place.value = null
    },
  )

  return {
    place,
    picked,
    /** What of the matrix is chosen. */
    cell: computed<Cell | null>(() => (place.value?.kind === 'cell' ? place.value : null)),
    /** Numbers of the runs that are compared. */
    between: computed<[number, number] | null>(() =>
      pair.value ? [pair.value[0].number, pair.value[1].number] : null,
    ),
    openCell,
    openLabel,
    openFlips,
  }
}
