import { useQuery } from '@pinia/colada'
import { computed, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { useI18n } from 'vue-i18n'
import { useRoute, useRouter } from 'vue-router'
import type { EvaluationPart, Flip, Run } from '#shared/contract/training.ts'
import { queryKeys, useStudio } from '../../client/index.ts'

/** Runs of a project, newest first. */
export function useRuns(projectId: MaybeRefOrGetter<string>) {
  const studio = useStudio()
  const query = useQuery({
    key: () => queryKeys.runs(toValue(projectId)),
    query: () => studio.runs.list({ projectId: toValue(projectId) }),
  })
  const runs = computed(() => [...(query.data.value ?? [])].sort((a, b) => b.number - a.number))
  /** Runs that have a model. */
  const finished = computed(() => runs.value.filter(({ state }) => state === 'done' || state === 'stopped'))
  return { ...query, runs, finished }
}

/** Figures of one part of a run. Not asked for while `runId` is null. */
export function useEvaluation(
  projectId: MaybeRefOrGetter<string>,
  runId: MaybeRefOrGetter<string | null>,
  part: MaybeRefOrGetter<EvaluationPart>,
) {
  const studio = useStudio()
  return useQuery({
    key: () => queryKeys.part(toValue(projectId), 'runs', 'evaluation', toValue(runId), toValue(part)),
    enabled: () => toValue(runId) !== null,
    query: () =>
      studio.evaluation.summary({
        projectId: toValue(projectId),
        runId: toValue(runId) ?? '',
        part: toValue(part),
      }),
    placeholderData: (previous) => previous,
    // Looks and changes of test pictures are counted in other steps, too.
    staleTime: 0,
  })
}

/** The first pictures of a kind that two runs answer differently, with how many there are of each kind. */
export function useFlips(
  projectId: MaybeRefOrGetter<string>,
  runs: () => { a: Run; b: Run; part: EvaluationPart },
  kind: Flip['kind'],
  limit: number,
) {
  const studio = useStudio()
  return useQuery({
    key: () => {
      const { a, b, part } = runs()
      return queryKeys.part(toValue(projectId), 'runs', 'flips', a.runId, b.runId, part, kind)
    },
    query: () => {
      const { a, b, part } = runs()
      const window = { projectId: toValue(projectId), offset: 0, limit }
      return studio.evaluation.flips({ ...window, a: a.runId, b: b.runId, part, kind })
    },
    // They are held against the labels pictures have now.
    staleTime: 0,
  })
}

/** The run of the address, else the newest one that has a model; Use and Export let the person choose another. */
export function useChosenRun(projectId: MaybeRefOrGetter<string>) {
  const { t } = useI18n()
  const route = useRoute()
  const router = useRouter()
  const runs = useRuns(projectId)
  const { finished } = runs
  const run = computed<Run | null>(
    () => finished.value.find(({ runId }) => runId === route.query.run) ?? finished.value[0] ?? null,
  )
  const runId = computed(() => run.value?.runId ?? null)
  const chosenRun = computed({
    get: () => runId.value ?? '',
    set: (next: string) => void router.replace({ query: { ...route.query, run: next } }),
  })
  const runOptions = computed(() =>
    finished.value.map(({ runId: value, number, testAccuracy }) => ({
      value,
      label:
        testAccuracy === null
          ? t('evaluate.modelOptionPlain', { number })
          : t('evaluate.modelOption', { number, percent: Math.round(testAccuracy * 100) }),
    })),
  )
  return { ...runs, run, runId, chosenRun, runOptions }
}

/** Below which certainty the answer of a run is "not sure". */
export function useThreshold(projectId: MaybeRefOrGetter<string>, runId: MaybeRefOrGetter<string | null>) {
  const studio = useStudio()
  return useQuery({
    key: () => queryKeys.part(toValue(projectId), 'runs', 'threshold', toValue(runId)),
    enabled: () => toValue(runId) !== null,
    query: () => studio.predictions.threshold({ projectId: toValue(projectId), runId: toValue(runId) ?? '' }),
    placeholderData: (previous) => previous,
  })
}
