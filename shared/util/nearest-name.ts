/** Up to this share of a name may be mistyped before another one was probably meant. */
const MISTYPED = 1 / 3

/**
 * The known name that was probably meant by one that is not known: the nearest by insertions, deletions, replacements and
 * swaps of neighbours (optimal string alignment), whatever the case. Null when none is near enough to be a typing error.
 */
export function nearestName(given: string, known: readonly string[]): string | null {
  let nearest: { name: string; distance: number } | null = null
  for (const name of known) {
    const distance = distanceBetween(given.toLowerCase(), name.toLowerCase())
    if (distance > Math.max(1, Math.floor(MISTYPED * Math.max(given.length, name.length)))) continue
    if (nearest === null || distance < nearest.distance) nearest = { name, distance }
  }
  return nearest?.name ?? null
}

/** For a sentence after a name that is not known: the one that was probably meant, or all there are. */
export function knownInstead(given: string, known: readonly string[]): string {
  const nearest = nearestName(given, known)
  if (nearest !== null) return `did you mean "${nearest}"?`
  return `known ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`
}

function distanceBetween(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : Infinity
      row.push(Math.min(replaced, swap, rows[i - 1]![j]! + 1, row[j - 1]! + 1))
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
