import { onScopeDispose, watch } from 'vue'
import type { Ref } from 'vue'
import { useNotices } from '../app/notices.ts'

/**
 * Offers room for the short messages: they lie over nothing, so whatever covers the page (or has room to spare) takes
 * them in. The last one that offered has them.
 */
export function useNoticePlace(element: Readonly<Ref<HTMLElement | null>>): void {
  const notices = useNotices()
  // Kept here: where the element and its component go at once, the reference is empty before anybody is told.
  let offered: HTMLElement | null = null
  function offer(now: HTMLElement | null): void {
    if (offered) notices.leave(offered)
    offered = now
    if (now) notices.offer(now)
  }
  watch(element, offer, { immediate: true })
  onScopeDispose(() => offer(null))
}
