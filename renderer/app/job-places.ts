import { useRouter } from 'vue-router'
import type { Job } from '#shared/jobs/job.ts'
import { useFolderChoice } from '../features/use/store.ts'

/** The way to where a job's results are shown, for those that fill a place while they run. */
export function useJobPlaces() {
  const router = useRouter()
  const folders = useFolderChoice()

  /** @returns what leads there; null when the job has no place of its own */
  function wayTo({ kind, projectId, id, facts }: Job): (() => void) | null {
    if (kind !== 'predict-folder' || projectId === null) return null
    return () => {
      folders.open(projectId, id)
      const query = typeof facts.runId === 'string' ? { run: facts.runId } : {}
      void router.push({ name: 'use', params: { projectId }, query })
    }
  }
  /** Whether the person is looking at it. */
  function isShown({ kind, projectId, id }: Job): boolean {
    const { name, params } = router.currentRoute.value
    if (kind !== 'predict-folder' || projectId === null) return false
    const chosen = folders.of(projectId)
    return name === 'use' && params.projectId === projectId && (chosen === id || chosen === undefined)
  }
  return { wayTo, isShown }
}
