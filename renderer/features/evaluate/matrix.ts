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

/**
 * How strongly a cell is tinted, 0–1. Skips 0.6–0.85, where neither dark nor white figures would be readable on it.
 * Wrong answers are rare, so their tint grows faster: five of a hundred can be seen.
 */
export function tintOf(cell: MatrixCell): number {
  const share = cell.row === cell.column ? cell.share : Math.min(1, 0.08 + cell.share * 1.9)
  return share <= 0.5 ? 0.15 + share * 0.9 : 0.7 + share * 0.3
}

export interface Place {
  row: number
  column: number
}

/** A place, or a whole row (no column) or column (no row). */
export interface Spot {
  row: number | null
  column: number | null
}

/** How many pictures a row or column holds, and how many of them are on the diagonal. */
export function lineOf(cells: readonly MatrixCell[], line: Spot): { count: number; right: number } {
  let count = 0
  let right = 0
  for (const cell of cells) {
    if ((line.row ?? cell.row) !== cell.row || (line.column ?? cell.column) !== cell.column) continue
    count += cell.count
    if (cell.row === cell.column) right += cell.count
  }
  return { count, right }
}

const walks: Record<string, (place: Place, last: number) => Place> = {
  ArrowUp: ({ row, column }) => ({ row: row - 1, column }),
  ArrowDown: ({ row, column }) => ({ row: row + 1, column }),
  ArrowLeft: ({ row, column }) => ({ row, column: column - 1 }),
  ArrowRight: ({ row, column }) => ({ row, column: column + 1 }),
  PageUp: ({ row, column }) => ({ row: row - 10, column }),
  PageDown: ({ row, column }) => ({ row: row + 10, column }),
  Home: ({ row }) => ({ row, column: 0 }),
  End: ({ row }, last) => ({ row, column: last }),
}

/**
 * Where a key leads in a matrix of `count` classes. N and P go to the next and previous mistake, read like a text: the
 * quick way through a large matrix.
 * @returns null when the key means nothing here
 */
export function walk(place: Place, key: string, count: number, cells: readonly MatrixCell[]): Place | null {
  const last = count - 1
  const step = walks[key]
  if (step) {
    const { row, column } = step(place, last)
    return { row: Math.max(0, Math.min(last, row)), column: Math.max(0, Math.min(last, column)) }
  }
  if (key !== 'n' && key !== 'p') return null
  const at = place.row * count + place.column
  const wrong = cells
    .filter(({ row, column }) => row !== column)
    .map(({ row, column }) => row * count + column)
    .sort((a, b) => a - b)
  const next = key === 'n' ? wrong.find((other) => other > at) : wrong.findLast((other) => other < at)
  return next === undefined ? place : { row: Math.floor(next / count), column: next % count }
}
