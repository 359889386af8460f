import { useQuery } from '@pinia/colada'
import { useLocalStorage } from '@vueuse/core'
import { computed, watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute } from 'vue-router'
import { queryKeys, useStudio } from '../client/index.ts'
import { useFormat, useJobs, useProject } from '../composables/index.ts'
import type { Step } from './steps.ts'

export interface StepState {
  name: Step
  done: boolean
  /** The next best action: one step at most. */
  next: boolean
  /** What it gave, or what is missing. */
  note: string
  tone: 'plain' | 'good' | 'accent'
}

/** The rail: what is done, what it gave, what is next. */
export function useSteps() {
  const { t } = useI18n()
  const studio = useStudio()
  const { projectId, counts } = useProject()
  const { active } = useJobs(projectId)
  const { count, percent } = useFormat()

  const runs = useQuery({
    key: () => [...queryKeys.runs(projectId.value)],
    query: ({ signal }) => studio.runs.list({ projectId: projectId.value }, { signal }),
    enabled: computed(() => projectId.value !== ''),
    staleTime: 60_000,
  })
  const finished = computed(() =>
    (runs.data.value ?? [])
      .filter(({ state }) => state === 'done' || state === 'stopped')
      .sort((a, b) => b.number - a.number),
  )
  const newest = computed(() => finished.value[0] ?? null)
  const exported = useQuery({
    key: () => [...queryKeys.part(projectId.value, 'exports', 'list', newest.value?.runId ?? '')],
    query: ({ signal }) =>
      studio.exports.list({ projectId: projectId.value, runId: newest.value?.runId ?? '' }, { signal }),
    enabled: computed(() => newest.value !== null),
    staleTime: 60_000,
  })

  // Using leaves no trace in the project; that the person has been there with this model is enough.
  const used = useLocalStorage<Record<string, string>>('kestrel-used', {})
  const route = useRoute()
  watch(
    () => (route.name === 'use' ? newest.value?.runId : undefined),
    (runId) => {
      if (runId !== undefined) used.value = { ...used.value, [projectId.value]: runId }
    },
    { immediate: true },
  )

  const list = computed<StepState[]>(() => {
    const pictures = counts.value?.active ?? 0
    const labelled = (counts.value?.labels ?? []).filter((label) => label.pictures > 0).length >= 2
    const training = active.value.some(({ kind }) => kind === 'train')
    const importing = active.value.some(({ kind }) => kind === 'import')
    const run = newest.value
    const picturesNote = pictures === 0 && !importing ? t('app.hint.addPictures') : count(pictures)
    const states: Omit<StepState, 'next'>[] = [
      {
        name: 'pictures',
        done: pictures > 0 && labelled,
        note: pictures > 0 && !labelled ? t('app.hint.label') : picturesNote,
        tone: pictures > 0 && labelled ? 'plain' : 'accent',
      },
      {
        name: 'train',
        done: run !== null,
        note: training ? t('app.hint.running') : run?.stale ? t('app.hint.stale') : '',
        tone: 'accent',
      },
      {
        name: 'results',
        done: run !== null,
        note: run?.testAccuracy == null ? '' : percent(run.testAccuracy),
        tone: 'plain',
      },
      {
        name: 'use',
        done: run !== null && used.value[projectId.value] === run.runId,
        note: run ? t('app.hint.ready') : '',
        tone: 'plain',
      },
      { name: 'export', done: (exported.data.value ?? []).length > 0, note: '', tone: 'plain' },
    ]
    const nextName = states.find(({ done }) => !done)?.name
    return states.map((state) => ({ ...state, next: state.name === nextName }))
  })

  return { list, projectId }
}
