import { computed, reactive, watch } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { LocationQuery } from 'vue-router'
import { pictureFilterSchema, pictureSorts } from '#shared/contract/dataset.ts'
import type { PictureFilter, PictureSort } from '#shared/contract/dataset.ts'

export interface View {
  filter: PictureFilter
  sort: PictureSort
}

function readFilter(query: LocationQuery): PictureFilter {
  const label = query.label === 'none' ? 'none' : query.label ? Number(query.label) : undefined
  const asked = { label, split: query.split, show: query.show, search: query.search || undefined }
  const parsed = pictureFilterSchema.safeParse(asked)
  return parsed.success ? parsed.data : pictureFilterSchema.parse({})
}

const isSort = (value: unknown): value is PictureSort => pictureSorts.some((sort) => sort === value)

/** What is shown and in which order. Lives in the address, so that other steps can lead to a view of pictures. */
export function useView() {
  const route = useRoute()
  const router = useRouter()
  const view = reactive<View>({
    filter: readFilter(route.query),
    sort: isSort(route.query.sort) ? route.query.sort : 'added',
  })

  const change = (part: Partial<PictureFilter>): void => {
    view.filter = { ...view.filter, ...part }
  }
  const reset = (): void => {
    view.filter = { show: 'active' }
  }
  const filtered = computed(() => {
    const { label, split, show, search } = view.filter
    return label !== undefined || split !== undefined || show !== 'active' || Boolean(search)
  })

  watch(
    () => ({ ...view.filter, sort: view.sort }),
    ({ label, split, show, search, sort }) => {
      if (route.name !== 'pictures') return
      void router.replace({
        query: {
          label: label === undefined ? undefined : String(label),
          split,
          show: show === 'active' ? undefined : show,
          search: search || undefined,
          sort: sort === 'added' ? undefined : sort,
        },
      })
    },
  )

  return { view, change, reset, filtered }
}
export type PictureView = ReturnType<typeof useView>
