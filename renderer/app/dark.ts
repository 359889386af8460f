import { shallowRef } from 'vue'

/** Whether the page is dark now. Written by theme.ts only; here so that colours can be computed without a store. */
export const isDark = shallowRef(false)
