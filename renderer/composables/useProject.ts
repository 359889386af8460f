import { useQuery } from '@pinia/colada'
import { computed } from 'vue'
import { useRoute } from 'vue-router'
import type { Label } from '#shared/contract/dataset.ts'
import { queryKeys, useStudio } from '../client/index.ts'
import { useOpening } from './useOpening.ts'

/**
 * The project of the address, with its counts and labels. Cheap to use in many components: the queries are shared and
 * kept fresh by events.
 */
export function useProject() {
  const studio = useStudio()
  const route = useRoute('project')
  const projectId = computed(() => String(route.params.projectId ?? ''))
  const opening = useOpening()
  const enabled = computed(() => opening.isOpen(projectId.value))

  const project = useQuery({
    key: () => [...queryKeys.project(projectId.value)],
    query: ({ signal }) => studio.projects.get({ projectId: projectId.value }, { signal }),
    enabled,
    staleTime: 60_000,
  })
  const counts = useQuery({
    key: () => [...queryKeys.counts(projectId.value)],
    query: ({ signal }) => studio.pictures.counts({ projectId: projectId.value }, { signal }),
    enabled,
    staleTime: 60_000,
  })
  const labels = computed<Label[]>(() =>
    [...(counts.data.value?.labels ?? [])].sort((a, b) => a.position - b.position),
  )
  const labelsById = computed(() => new Map(labels.value.map((label) => [label.id, label])))
  const labelOf = (labelId: number | null): Label | null =>
    labelId === null ? null : (labelsById.value.get(labelId) ?? null)

  return {
    projectId,
    project: project.data,
    projectQuery: project,
    counts: counts.data,
    countsQuery: counts,
    labels,
    labelsById,
    labelOf,
  }
}
