import { useElementSize } from '@vueuse/core'
import { computed, toValue } from 'vue'
import type { MaybeRefOrGetter, Ref } from 'vue'

/** How long a tilted name may be, px. */
export const topLength = 120

/** Sizes of the matrix in pixels: fitted to the width it has, or by the person's zoom. */
export function useMatrixSize(
  frame: Readonly<Ref<HTMLElement | null>>,
  input: MaybeRefOrGetter<{ names: readonly string[]; count: number; zoom: number }>,
) {
  const { width } = useElementSize(frame)
  const head = computed(() => {
    const longest = Math.max(...toValue(input).names.map((name) => name.length), 4)
    // Wide letters, lit up: a name that has room is never shortened.
    return Math.min(150, 28 + longest * 8.4)
  })
  const cell = computed(() => {
    const { count, zoom } = toValue(input)
    const fit = (width.value - head.value - 8) / Math.max(1, count)
    return zoom > 0 ? zoom : Math.max(14, Math.min(76, Math.floor(fit)))
  })
  const height = computed(() => Math.min(cell.value, Math.max(14, Math.round(cell.value * 0.74))))
  /** Names along the top lie flat only when there is room for them. */
  const tilted = computed(() => cell.value < 70)
  const top = computed(() => (tilted.value ? Math.min(130, head.value * 0.82) : 30))
  const named = computed(() => cell.value >= 13)
  const lettered = computed(() => cell.value >= 26)
  return { head, cell, height, tilted, top, named, lettered }
}
