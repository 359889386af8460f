import { onScopeDispose, watch } from 'vue'
import type { Ref } from 'vue'
import { useNotices } from '../app/notices.ts'

/**
 * Offers room for the short messages: they lie over nothing, so whatever covers the page (or has room to spare) takes
 * them in. The last one that offered has them.
 */
export function useNoticePlace(element: Readonly<Ref<HTMLElement | null>>): void {
  const notices = useNotices()
  watch(
    element,
    (now, before) => {
      if (before) notices.leave(before)
      if (now) notices.offer(now)
    },
    { immediate: true },
  )
  onScopeDispose(() => element.value && notices.leave(element.value))
}
