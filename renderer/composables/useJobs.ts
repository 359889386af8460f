import { computed, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { isOver } from '#shared/jobs/job.ts'
import type { Job } from '#shared/jobs/job.ts'
import { useStudio } from '../client/index.ts'
import { useEvents } from '../app/events.ts'
import { useNotices } from '../app/notices.ts'

/** Share of a job that is done, 0 to 1; null while its size is not known. */
export const jobShare = (job: Job): number | null =>
  job.total === null || job.total <= 0 ? null : Math.min(1, job.done / job.total)

/** Long pieces of work, live. @param projectId only this project's; all when absent */
export function useJobs(projectId?: MaybeRefOrGetter<string | undefined>) {
  const studio = useStudio()
  const events = useEvents()
  const notices = useNotices()

  const all = computed<Job[]>(() => {
    const id = toValue(projectId)
    return [...events.jobs.values()]
      .filter((job) => id === undefined || job.projectId === id)
      .sort((a, b) => b.startedAt - a.startedAt)
  })
  const active = computed(() => all.value.filter((job) => !isOver(job)))
  /** The newest job of a kind, running or over. */
  const latest = (kind: Job['kind']): Job | undefined => all.value.find((job) => job.kind === kind)
  const cancel = (jobId: string): Promise<boolean> => notices.attempt(() => studio.jobs.cancel({ jobId }))

  return { all, active, latest, cancel, onJobEnd: events.onJobEnd }
}
