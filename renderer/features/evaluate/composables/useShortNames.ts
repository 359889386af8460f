import { computed, ref, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { shortNames } from '../short-names.ts'

const context = document.createElement('canvas').getContext('2d')

/** Measured with the letters that are shown: they come a moment after the page. */
const loaded = ref(false)
void document.fonts.ready.then(() => (loaded.value = true))

/**
 * Names as they fit into a width, in the order given. The whole name stays the caller's to say: on hover and to whoever
 * has the page read aloud.
 */
export function useShortNames(
  input: MaybeRefOrGetter<{
    names: readonly string[]
    /** Pixels. */
    width: number
    /** Pixels, and how heavy it is drawn at most: names must fit while they are lit up, too. */
    size: number
    weight: number
  }>,
) {
  return computed(() => {
    const { names, width, size, weight } = toValue(input)
    if (!context || width <= 0 || !loaded.value) return [...names]
    context.font = `${weight} ${size}px ${getComputedStyle(document.documentElement).getPropertyValue('--font')}`
    // The page's figures all have the width of a 0.
    return shortNames(names, (text) => context.measureText(text.replace(/\d/gu, '0')).width <= width)
  })
}
