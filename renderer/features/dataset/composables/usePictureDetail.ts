import { useQuery } from '@pinia/colada'
import { computed } from 'vue'
import type { Ref } from 'vue'
import { queryKeys, useStudio } from '../../../client/index.ts'

/** Everything known about one picture. @param pictureId null for none */
export function usePictureDetail(projectId: Ref<string>, pictureId: Ref<number | null>) {
  const studio = useStudio()
  return useQuery({
    key: () => [...queryKeys.picture(projectId.value, pictureId.value ?? 0)],
    query: ({ signal }) =>
      studio.pictures.get({ projectId: projectId.value, pictureId: pictureId.value ?? 0 }, { signal }),
    enabled: computed(() => pictureId.value !== null),
    placeholderData: (before) => before,
    staleTime: 10_000,
  })
}
