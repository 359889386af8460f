import { computed, ref, shallowRef, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { Prediction } from '#shared/contract/use.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { useFolders } from '../queries.ts'

/** Fewer than the studio keeps at hand. What makes room for newer ones is said. */
const kept = 200

/** Pictures given to the model in this visit, newest first; the first one is shown large. Folders become tables. */
export function useAsked(projectId: MaybeRefOrGetter<string>, runId: MaybeRefOrGetter<string | null>) {
  const studio = useStudio()
  const notices = useNotices()
  const folders = useFolders(projectId, runId)
  const given = shallowRef<readonly { runId: string; prediction: Prediction }[]>([])
  const madeRoom = ref(0)
  const shownId = ref<string | null>(null)
  const busy = ref(false)
  /** Answers of another model wait until it is chosen again. */
  const asked = computed(() =>
    given.value.filter((each) => each.runId === toValue(runId)).map(({ prediction }) => prediction),
  )
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
      const all = [...answer.predictions.map((prediction) => ({ runId: run, prediction })), ...given.value]
      madeRoom.value += Math.max(0, all.length - kept)
      given.value = all.slice(0, kept)
      shownId.value = answer.predictions[0]?.predictionId ?? shownId.value
    })
    busy.value = false
  }
  function clear(): void {
    given.value = given.value.filter((each) => each.runId !== toValue(runId))
    madeRoom.value = 0
    shownId.value = null
  }
  return { asked, madeRoom, shown, shownId, busy, folders, ask, clear }
}
