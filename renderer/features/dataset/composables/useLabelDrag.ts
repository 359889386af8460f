import { useEventListener } from '@vueuse/core'
import { shallowRef } from 'vue'

/** What is being dragged: pictures, or a label that is to be merged into another. */
export type Dragged =
  | { what: 'pictures'; count: number; x: number; y: number; over: string | null }
  | { what: 'label'; labelId: number; name: string; x: number; y: number; over: string | null }

type Start = { what: 'pictures'; count: number } | { what: 'label'; labelId: number; name: string }

/** How far the pointer goes before a press becomes a drag, px. */
const slop = 6

/** Drags with the pointer onto anything that carries `data-label-drop`. Files have the browser's own drag. */
export function useLabelDrag() {
  const dragged = shallowRef<Dragged | null>(null)
  let pending: { x: number; y: number; start: () => Start | null; drop: (target: string) => void } | null =
    null

  const targetAt = (x: number, y: number): string | null =>
    document.elementFromPoint(x, y)?.closest<HTMLElement>('[data-label-drop]')?.dataset.labelDrop ?? null

  /**
   * A press that may become a drag.
   * @param start called when it does; null refuses @param drop called with the target's `data-label-drop`
   */
  function press(event: PointerEvent, start: () => Start | null, drop: (target: string) => void): void {
    if (event.button !== 0) return
    pending = { x: event.clientX, y: event.clientY, start, drop }
  }

  function end(): void {
    pending = null
    dragged.value = null
  }

  useEventListener(window, 'pointermove', (event) => {
    if (!pending) return
    const { clientX: x, clientY: y } = event
    if (!dragged.value) {
      if (Math.hypot(x - pending.x, y - pending.y) < slop) return
      const started = pending.start()
      if (!started) {
        pending = null
        return
      }
      dragged.value = { ...started, x, y, over: null }
    }
    dragged.value = { ...dragged.value, x, y, over: targetAt(x, y) }
  })
  useEventListener(window, 'pointerup', () => {
    const over = dragged.value?.over
    const drop = pending?.drop
    const wasDrag = dragged.value !== null
    end()
    if (over != null) drop?.(over)
    // The click that follows a drag is not a click.
    if (wasDrag) {
      const swallow = (event: Event): void => event.stopPropagation()
      window.addEventListener('click', swallow, { capture: true, once: true })
      window.setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), 0)
    }
  })
  useEventListener(window, 'pointercancel', end)
  useEventListener(
    window,
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || !dragged.value) return
      event.preventDefault()
      end()
    },
    { capture: true },
  )

  return { dragged, press }
}
