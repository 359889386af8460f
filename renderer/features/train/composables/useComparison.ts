import { computed, ref, toValue, watch } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { isOver } from '#shared/jobs/job.ts'
import type { Job } from '#shared/jobs/job.ts'
import { useEvents } from '../../../app/events.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { useJobs } from '../../../composables/index.ts'
import { useComparisonQuery } from '../queries.ts'

/** `offer`: it would have to be downloaded. `ready`: it is here and could be compared. */
export type ComparisonPhase = 'offer' | 'downloading' | 'ready' | 'measuring' | 'result'

/** A larger backbone against Kestrel's own: what is known, what is under way, and what a person can do about it. */
export function useComparison(projectId: MaybeRefOrGetter<string>) {
  const studio = useStudio()
  const notices = useNotices()
  const events = useEvents()
  const query = useComparisonQuery(projectId)
  const { all, cancel } = useJobs()
  const comparison = computed(() => query.data.value ?? null)

  const isAbout = (job: Job, kind: 'download' | 'compare'): boolean =>
    job.kind === kind &&
    job.facts.backboneId === comparison.value?.other.id &&
    (kind === 'download' || job.projectId === toValue(projectId))
  const newest = (kind: 'download' | 'compare'): Job | null =>
    all.value.find((job) => isAbout(job, kind)) ?? null
  const running = computed(
    () => [newest('compare'), newest('download')].find((job) => job && !isOver(job)) ?? null,
  )

  /** From a press until its answer is here: what happens in between follows without a word of the person. */
  const awaited = ref(false)
  watch(
    running,
    (job) => {
      if (job?.kind === 'compare') awaited.value = true
    },
    { immediate: true },
  )
  events.onJobEnd((job) => {
    if (!isAbout(job, job.kind === 'compare' ? 'compare' : 'download')) return
    // After a download comes the comparison.
    if (job.kind === 'download' && job.state === 'done') return
    void query.refetch().then(() => (awaited.value = false))
  })

  const phase = computed<ComparisonPhase>(() => {
    const state = comparison.value?.other.state
    if (running.value?.kind === 'compare') return 'measuring'
    if (running.value !== null || state === 'downloading') return 'downloading'
    if (state !== 'ready') return 'offer'
    if (awaited.value && comparison.value?.cannotTell === null) return 'measuring'
    return comparison.value?.result ? 'result' : 'ready'
  })
  /** Why the last try came to nothing; null while another one runs. */
  const failure = computed(() => {
    const last = phase.value === 'offer' ? newest('download') : newest('compare')
    return running.value === null && last?.state === 'failed' ? last.error : null
  })

  const about = () => ({ projectId: toValue(projectId), backboneId: comparison.value?.other.id ?? '' })
  async function measure(): Promise<void> {
    awaited.value = await notices.attempt(() => studio.comparison.measure(about()))
  }
  /** @returns whether it is remembered */
  const decide = (use: boolean): Promise<boolean> =>
    notices.attempt(async () => {
      await studio.comparison.decide({ ...about(), use })
      await query.refetch()
    })

  return { comparison, phase, running, failure, awaited, measure, decide, cancel }
}
