import { onScopeDispose, ref, watch } from 'vue'
import type { Ref } from 'vue'

/**
 * Draws a picture into a tile's canvas, cut to a square. Not an `img`: the browser keeps the decoded pixels of the last
 * thousand images it has shown, 300 MB of thumbnails after a long scroll. A canvas holds what is on screen and no more,
 * and a picture that is scrolled past before it arrives is never decoded.
 * @param source address of the picture, null for none @param pixels edge of the canvas in device pixels
 * @param attempt grows when what failed is worth another try
 */
export function useThumbnail(
  canvas: Ref<HTMLCanvasElement | null>,
  source: () => string | null,
  pixels: () => number,
  attempt: () => number,
) {
  const state = ref<'waiting' | 'drawn' | 'failed'>('waiting')
  let loading: AbortController | null = null

  async function draw(
    address: string,
    edge: number,
    target: HTMLCanvasElement,
    signal: AbortSignal,
  ): Promise<void> {
    const response = await fetch(address, { signal })
    if (!response.ok) throw new Error(`${response.status} for ${address}`)
    const bitmap = await createImageBitmap(await response.blob())
    const context = signal.aborted ? null : target.getContext('2d', { alpha: false })
    if (context) {
      const side = Math.min(bitmap.width, bitmap.height)
      if (target.width !== edge) target.width = target.height = edge
      context.imageSmoothingQuality = 'high'
      context.drawImage(
        bitmap,
        (bitmap.width - side) / 2,
        (bitmap.height - side) / 2,
        side,
        side,
        0,
        0,
        edge,
        edge,
      )
      state.value = 'drawn'
    }
    bitmap.close()
  }

  watch(
    [canvas, source, pixels, attempt] as const,
    ([target, address, edge, tries], [, addressBefore, , triesBefore]) => {
      if (tries !== triesBefore && address === addressBefore && state.value === 'drawn') return
      loading?.abort()
      loading = null
      if (!target || address === null) {
        state.value = 'waiting'
        return
      }
      // The same picture at another size stays on screen until it is drawn anew.
      if (address !== addressBefore) state.value = 'waiting'
      const mine = new AbortController()
      loading = mine
      draw(address, edge, target, mine.signal).catch((error: unknown) => {
        if (mine.signal.aborted) return
        console.warn('a picture could not be shown', error)
        state.value = 'failed'
      })
    },
    { flush: 'post', immediate: true },
  )
  onScopeDispose(() => loading?.abort())

  return state
}
