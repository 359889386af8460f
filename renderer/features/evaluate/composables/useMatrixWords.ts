import { computed, toValue } from 'vue'
import type { MaybeRefOrGetter } from 'vue'
import { useI18n } from 'vue-i18n'
import { lineOf } from '../matrix.ts'
import type { MatrixCell, Place, Spot } from '../matrix.ts'

/** Cells, rows and columns of the matrix in words. */
export function useMatrixWords(
  input: MaybeRefOrGetter<{
    /** As they are placed. */
    names: readonly string[]
    cells: readonly MatrixCell[]
  }>,
) {
  const { t } = useI18n()
  const nameAt = (place: number): string => toValue(input).names[place] ?? ''
  const byPlace = computed(() => {
    const { names, cells } = toValue(input)
    return new Map(cells.map((cell) => [cell.row * names.length + cell.column, cell]))
  })
  const percent = (share: number): number => Math.round(share * 100)

  function ofCell({ row, column }: Place): string {
    const cell = byPlace.value.get(row * toValue(input).names.length + column)
    const count = cell?.count ?? 0
    const values = { count, share: percent(cell?.share ?? 0), is: nameAt(row), says: nameAt(column) }
    return row === column
      ? t('evaluate.matrix.rightCell', values, count)
      : t('evaluate.matrix.wrongCell', values, count)
  }

  function ofSpot(spot: Spot): string {
    const { row, column } = spot
    if (row !== null && column !== null) return ofCell({ row, column })
    const { count, right } = lineOf(toValue(input).cells, spot)
    const values = { count, right, share: percent(count > 0 ? right / count : 0) }
    return row === null
      ? t('evaluate.matrix.columnLine', { ...values, says: nameAt(column ?? 0) }, count)
      : t('evaluate.matrix.rowLine', { ...values, is: nameAt(row) }, count)
  }

  return { ofCell, ofSpot }
}
