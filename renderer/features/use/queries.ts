import { useQuery } from '@pinia/colada'
import { computed, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { queryKeys, useStudio } from '../../client/index.ts'
import { useJobs } from '../../composables/index.ts'
import { useFolderChoice } from './store.ts'

/** Answers of a run to single pictures, newest first, as the project keeps them. */
export function useAskedPictures(
  projectId: MaybeRefOrGetter<string>,
  runId: MaybeRefOrGetter<string | null>,
) {
  const studio = useStudio()
  return useQuery({
    // Filed under pictures: labels that are given or taken back there are said beside the answers.
    key: () => queryKeys.part(toValue(projectId), 'pictures', 'asked', toValue(runId)),
    enabled: () => toValue(runId) !== null,
    query: () => studio.predictions.asked({ projectId: toValue(projectId), runId: toValue(runId) ?? '' }),
    // Another window may have asked.
    staleTime: 0,
  })
}

/** The folders whose answers by a run are at hand, and the one that is shown. */
export function useFolders(projectId: MaybeRefOrGetter<string>, runId: MaybeRefOrGetter<string | null>) {
  const studio = useStudio()
  const choice = useFolderChoice()
  const query = useQuery({
    key: () => queryKeys.part(toValue(projectId), 'project', 'folders'),
    query: () => studio.predictions.folders({ projectId: toValue(projectId) }),
    // Asked for again whenever the step is entered: another window may have dropped a folder.
    staleTime: 0,
  })
  useJobs(projectId).onJobEnd((job) => {
    if (job.kind === 'predict-folder' && job.projectId === toValue(projectId)) void query.refetch()
  })
  const folders = computed(() => (query.data.value ?? []).filter((folder) => folder.runId === toValue(runId)))
  const shown = computed(() => {
    const chosen = choice.of(toValue(projectId))
    if (chosen === null) return null
    return folders.value.find(({ jobId }) => chosen === undefined || jobId === chosen) ?? null
  })
  return {
    folders,
    /** Null: single pictures are. */
    shown,
    isPending: query.isPending,
    refetch: query.refetch,
    open: (jobId: string): void => choice.open(toValue(projectId), jobId),
    close: (): void => choice.close(toValue(projectId)),
  }
}
export type Folder = ReturnType<typeof useFolders>['folders']['value'][number]
