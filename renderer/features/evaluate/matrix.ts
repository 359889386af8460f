/** What a row or column of the matrix stands for. */
export interface MatrixClass {
  name: string
  /** A CSS colour. */
  css: string
}

export interface MatrixCell {
  /** Places on the screen, not classes. */
  row: number
  column: number
  count: number
  /** Of its row, 0–1. */
  share: number
}

/**
 * The cells that hold pictures, placed in the given order of classes.
 * @param matrix `matrix[true][predicted]`, counts
 */
export function cellsOf(matrix: readonly (readonly number[])[], order: readonly number[]): MatrixCell[] {
  const cells: MatrixCell[] = []
  order.forEach((trueClass, row) => {
    const counts = matrix[trueClass] ?? []
    const total = counts.reduce((sum, count) => sum + count, 0)
    order.forEach((predicted, column) => {
      const count = counts[predicted] ?? 0
      if (count > 0) cells.push({ row, column, count, share: count / total })
    })
  })
  return cells
}
