import { useQuery } from '@pinia/colada'
import { toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import type { TrainConfig } from '#shared/contract/training.ts'
import { queryKeys, useStudio } from '../../client/index.ts'

/** What can be trained now: defaults, blockers, warnings. Follows every change of pictures. */
export function useTrainingOptions(projectId: MaybeRefOrGetter<string>) {
  const studio = useStudio()
  return useQuery({
    key: () => queryKeys.part(toValue(projectId), 'pictures', 'training-options'),
    query: () => studio.training.options({ projectId: toValue(projectId) }),
    placeholderData: (previous) => previous,
  })
}

/** How long it would take. Asked again when the choices change. */
export function useForecast(
  projectId: MaybeRefOrGetter<string>,
  config: MaybeRefOrGetter<TrainConfig | null>,
) {
  const studio = useStudio()
  return useQuery({
    key: () => queryKeys.part(toValue(projectId), 'pictures', 'forecast', JSON.stringify(toValue(config))),
    enabled: () => toValue(config) !== null,
    query: () => {
      const chosen = toValue(config)
      if (!chosen) throw new RangeError('no training is configured')
      return studio.training.forecast({ projectId: toValue(projectId), config: chosen })
    },
    placeholderData: (previous) => previous,
  })
}

/** Ready-made networks: kept, found, downloadable. */
export function useBackbones() {
  const studio = useStudio()
  return useQuery({ key: queryKeys.backbones, query: () => studio.backbones.list() })
}

/** What a larger backbone would gain over Kestrel's own; null where there is nothing to hold against each other. */
export function useComparisonQuery(projectId: MaybeRefOrGetter<string>) {
  const studio = useStudio()
  return useQuery({
    key: () => queryKeys.part(toValue(projectId), 'pictures', 'comparison'),
    query: () => studio.comparison.get({ projectId: toValue(projectId) }),
    placeholderData: (previous) => previous,
  })
}
