import { useQuery } from '@pinia/colada'
import { computed, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { EvaluationPart } from '#shared/contract/training.ts'
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
  })
}
