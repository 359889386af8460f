import { useEventListener } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import type { ChosenSource } from '#shared/contract/desktop.ts'
import { carriesFiles, useSources } from '../client/sources.ts'
import { useNotices } from './notices.ts'

export interface DropTarget {
  title: string
  words: string
  run: (source: ChosenSource) => unknown
}

/** Where files dropped anywhere on the window go: to the view that asked last. */
export const useDropTargets = defineStore('drops', () => {
  const targets = shallowRef<readonly DropTarget[]>([])
  const current = computed(() => targets.value.at(-1) ?? null)
  const dragging = ref(false)

  function add(target: DropTarget): () => void {
    targets.value = [...targets.value, target]
    return () => (targets.value = targets.value.filter((other) => other !== target))
  }
  return { current, dragging, add }
})

/** Takes drops for as long as the component lives. */
export function useDrop(target: DropTarget): void {
  onScopeDispose(useDropTargets().add(target))
}

/** Once, in the app. A drop outside every target must not make the browser leave the page. */
export function useDropListener(): void {
  const targets = useDropTargets()
  const sources = useSources()
  const notices = useNotices()
  // A drag enters and leaves every element it crosses; only the balance says whether it is over the window.
  let inside = 0

  const over = (event: DragEvent): void => {
    if (!carriesFiles(event)) return
    event.preventDefault()
    if (event.dataTransfer) event.dataTransfer.dropEffect = targets.current ? 'copy' : 'none'
  }
  useEventListener(window, 'dragenter', (event) => {
    if (!carriesFiles(event)) return
    inside += 1
    targets.dragging = true
  })
  useEventListener(window, 'dragleave', (event) => {
    if (!carriesFiles(event)) return
    inside = Math.max(0, inside - 1)
    if (inside === 0) targets.dragging = false
  })
  useEventListener(window, 'dragover', over)
  // In the capture phase: the overlay goes even when an inner target takes the drop for itself.
  useEventListener(
    window,
    'drop',
    () => {
      inside = 0
      targets.dragging = false
    },
    { capture: true },
  )
  useEventListener(window, 'drop', (event) => {
    if (!carriesFiles(event) || event.defaultPrevented) return
    event.preventDefault()
    const target = targets.current
    if (!target) return
    void notices.attempt(async () => {
      const source = await sources.fromDrop(event)
      if (source) await target.run(source)
    })
  })
}
