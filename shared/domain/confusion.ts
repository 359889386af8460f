/** Views of a confusion matrix: rows true, columns predicted, whole counts. */
export type ConfusionMatrix = readonly (readonly number[])[]

const sum = (row: readonly number[]): number => row.reduce((total, count) => total + count, 0)

/** Each row as shares of its sum, 0 … 1; a row without pictures stays 0. */
export function rowShares(matrix: ConfusionMatrix): number[][] {
  return matrix.map((row) => {
    const all = sum(row)
    return row.map((count) => (all === 0 ? 0 : count / all))
  })
}

export interface ConfusedPair {
  trueClass: number
  predicted: number
  count: number
  /** Of the pictures of `trueClass`, 0 … 1. */
  share: number
}

/** Cells off the diagonal that are not empty, most pictures first, then the larger share, then row and column. */
export function mostConfusedPairs(matrix: ConfusionMatrix, limit = Infinity): ConfusedPair[] {
  const pairs = rowShares(matrix).flatMap((shares, trueClass) =>
    shares.map((share, predicted) => ({
      trueClass,
      predicted,
      count: matrix[trueClass]![predicted]!,
      share,
    })),
  )
  return pairs
    .filter(({ trueClass, predicted, count }) => trueClass !== predicted && count > 0)
    .sort(
      (a, b) =>
        b.count - a.count || b.share - a.share || a.trueClass - b.trueClass || a.predicted - b.predicted,
    )
    .slice(0, limit)
}

export const classOrders = ['given', 'confused', 'alike'] as const
/**
 * `given`: as the labels are ordered. `confused`: classes with most mistakes (missed or wrongly called) first.
 * `alike`: classes that are taken for each other side by side, so that mistakes gather along the diagonal.
 */
export type ClassOrder = (typeof classOrders)[number]

/** @returns class numbers in the order in which rows and columns are to be shown; each exactly once. */
export function orderClasses(matrix: ConfusionMatrix, order: ClassOrder): number[] {
  const given = matrix.map((_, c) => c)
  if (order === 'given') return given
  const mistakes = given.map(
    (c) => sum(matrix[c]!) + matrix.reduce((total, row) => total + row[c]!, 0) - 2 * matrix[c]![c]!,
  )
  const confused = given.sort((a, b) => mistakes[b]! - mistakes[a]! || a - b)
  return order === 'confused' ? confused : chain(matrix, confused)
}

/** Greedy chain: from the most confused class always on to the one most often confused with the last. */
function chain(matrix: ConfusionMatrix, order: readonly number[]): number[] {
  const left = [...order]
  const chained = left.splice(0, 1)
  while (left.length > 0) {
    const last = chained.at(-1)!
    const between = (c: number): number => matrix[last]![c]! + matrix[c]![last]!
    // `left` is in order of mistakes: among equals the most confused class comes next.
    const next = left.reduce((best, c) => (between(c) > between(best) ? c : best))
    left.splice(left.indexOf(next), 1)
    chained.push(next)
  }
  return chained
}

/** The matrix with rows and columns in this order. */
export const reorder = (matrix: ConfusionMatrix, order: readonly number[]): number[][] =>
  order.map((row) => order.map((column) => matrix[row]![column]!))
