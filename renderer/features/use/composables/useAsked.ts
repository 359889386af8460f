import { computed, ref, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { useAskedPictures, useFolders } from '../queries.ts'

/** Pictures given to the model, newest first; one is shown large, the first if none was chosen. Folders become tables. */
export function useAsked(projectId: MaybeRefOrGetter<string>, runId: MaybeRefOrGetter<string | null>) {
  const studio = useStudio()
  const notices = useNotices()
  const folders = useFolders(projectId, runId)
  const query = useAskedPictures(projectId, runId)
  const shownId = ref<string | null>(null)
  const busy = ref(false)
  const asked = computed(() => query.data.value?.predictions ?? [])
  const madeRoom = computed(() => query.data.value?.madeRoom ?? 0)
  const shown = computed(
    () => asked.value.find(({ predictionId }) => predictionId === shownId.value) ?? asked.value[0] ?? null,
  )

  /** A handful of pictures is answered at once; folders and more become a folder job. */
  async function ask(token: string): Promise<void> {
    const run = toValue(runId)
    if (run === null) return
    busy.value = true
    await notices.attempt(async () => {
      const ref = { projectId: toValue(projectId), runId: run, source: token }
      const answer = await studio.predictions.predict(ref)
      if (answer.asTable) {
        folders.open((await studio.predictions.predictFolder(ref)).jobId)
        await folders.refetch()
        return
      }
      folders.close()
      await query.refetch()
      shownId.value = answer.predictions[0]?.predictionId ?? shownId.value
    })
    busy.value = false
  }
  async function clear(): Promise<void> {
    const run = toValue(runId)
    if (run === null) return
    await notices.attempt(() => studio.predictions.clearAsked({ projectId: toValue(projectId), runId: run }))
    shownId.value = null
    await query.refetch()
  }
  return {
    asked,
    madeRoom,
    shown,
    shownId,
    busy,
    isPending: query.isPending,
    error: query.error,
    refetch: query.refetch,
    folders,
    ask,
    clear,
  }
}
