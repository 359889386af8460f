import { useElementSize } from '@vueuse/core'
import { useTemplateRef } from 'vue'
import type { ComputedRef } from 'vue'
import { useShortNames } from './useShortNames.ts'

/** The dot before a name, and the gap behind it. */
const dot = 20

/**
 * Names of labels as the column of a table has room for them.
 * @param column name of the template ref of the column's head
 */
export function useNameColumn(column: string, names: () => readonly string[]): ComputedRef<string[]> {
  const { width } = useElementSize(useTemplateRef<HTMLElement>(column))
  return useShortNames(() => ({ names: names(), width: width.value - dot, size: 13, weight: 500 }))
}
