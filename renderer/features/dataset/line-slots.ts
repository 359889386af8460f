/**
 * Which of the nodes that are there shows which line. A line that stays in sight keeps its node, whatever the height of
 * the window does; one that comes into sight takes a node whose line has left it.
 * @param before slot by line @param lines in sight
 * @returns slot by line, for exactly these lines; slots are whole numbers from 0, none is used twice
 */
export function assignSlots(
  before: ReadonlyMap<number, number>,
  lines: readonly number[],
): ReadonlyMap<number, number> {
  const kept = new Map(lines.flatMap((line) => (before.has(line) ? [[line, before.get(line)!]] : [])))
  const taken = new Set(kept.values())
  const left = [...before.values()].filter((slot) => !taken.has(slot))
  let next = 0
  const fresh = (): number => {
    while (taken.has(next)) next += 1
    return next
  }
  for (const line of lines) {
    if (kept.has(line)) continue
    const slot = left.pop() ?? fresh()
    taken.add(slot)
    kept.set(line, slot)
  }
  return kept
}
