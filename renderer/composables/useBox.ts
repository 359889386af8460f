import { useResizeObserver } from '@vueuse/core'
import { ref, watch } from 'vue'
import type { Ref } from 'vue'

/**
 * Size of an element inside its borders and without its scroll bars, px; 0 while it is not on the page. Known as soon as
 * the element is there, before anything is painted: an observer alone says it a frame later, and what was laid out for
 * nothing in between would ask for its pictures all the same.
 */
export function useBox(element: Ref<HTMLElement | null>): { width: Ref<number>; height: Ref<number> } {
  const width = ref(0)
  const height = ref(0)
  const measure = (): void => {
    width.value = element.value?.clientWidth ?? 0
    height.value = element.value?.clientHeight ?? 0
  }
  watch(element, measure, { flush: 'post' })
  useResizeObserver(element, measure)
  return { width, height }
}
