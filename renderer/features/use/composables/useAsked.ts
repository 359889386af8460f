import { computed, ref, shallowRef, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { Prediction } from '#shared/contract/use.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'

const kept = 24

/** Pictures given to the model in this visit, newest first; the first one is shown large. */
export function useAsked(projectId: MaybeRefOrGetter<string>, runId: MaybeRefOrGetter<string | null>) {
  const studio = useStudio()
  const notices = useNotices()
  const asked = shallowRef<readonly Prediction[]>([])
  const shownId = ref<string | null>(null)
  const busy = ref(false)
  /** A folder's job, once one was dropped. */
  const folderJobId = ref<string | null>(null)
  const shown = computed(
    () => asked.value.find(({ predictionId }) => predictionId === shownId.value) ?? asked.value[0] ?? null,
  )
  watch(
    () => toValue(runId),
    () => {
      asked.value = []
      folderJobId.value = null
    },
  )

  /** One or a few pictures are answered at once; more become a folder job. */
  async function ask(token: string): Promise<void> {
    const run = toValue(runId)
    if (run === null) return
    busy.value = true
    await notices.attempt(async () => {
      const ref = { projectId: toValue(projectId), runId: run, source: token }
      const answer = await studio.predictions.predict(ref)
      if (answer.tooMany) {
        folderJobId.value = (await studio.predictions.predictFolder(ref)).jobId
        return
      }
      folderJobId.value = null
      asked.value = [...answer.predictions, ...asked.value].slice(0, kept)
      shownId.value = answer.predictions[0]?.predictionId ?? shownId.value
    })
    busy.value = false
  }
  function clear(): void {
    asked.value = []
    shownId.value = null
  }
  return { asked, shown, shownId, busy, folderJobId, ask, clear }
}
