/**
 * Up to so many pictures that hang together are one group, also where the first and the last of a burst are not alike any
 * more. Larger heaps would be chains that swallow a class: they are cut.
 */
export const MOST_CHAINED = 24

/**
 * Which pictures are of one shot, from pairs that are.
 *
 * Whatever hangs together is a group, up to {@link MOST_CHAINED} pictures. More than that is cut into stars: the picture
 * with most twins and these, then the same among the rest; there everybody is a twin of its group's centre. The result
 * depends on the keys and pairs alone, not on their order.
 *
 * @param keys a stable key of each picture, its SHA-256; each occurs once
 * @param pairs indices of pictures that are of one shot
 * @returns the key of each picture's group: the smallest of its members', so its own when it is alone
 */
export function shotGroups(keys: readonly string[], pairs: Iterable<readonly [number, number]>): string[] {
  const twins = new Map<number, number[]>()
  const note = (a: number, b: number): void => {
    const known = twins.get(a)
    if (known) known.push(b)
    else twins.set(a, [b])
  }
  for (const [a, b] of pairs) {
    note(a, b)
    note(b, a)
  }
  const groups = [...keys]
  const name = (members: readonly number[]): void => {
    const smallest = members.reduce((least, i) => (keys[i]! < least ? keys[i]! : least), keys[members[0]!]!)
    for (const i of members) groups[i] = smallest
  }
  const visited = new Set<number>()
  for (const start of twins.keys()) {
    if (visited.has(start)) continue
    const heap = [start]
    visited.add(start)
    // Grows while it is walked over.
    for (const i of heap)
      for (const twin of twins.get(i)!) {
        if (visited.has(twin)) continue
        visited.add(twin)
        heap.push(twin)
      }
    if (heap.length <= MOST_CHAINED) name(heap)
    else for (const star of starsOf(heap, twins, keys)) name(star)
  }
  return groups
}

function* starsOf(
  heap: readonly number[],
  twins: ReadonlyMap<number, readonly number[]>,
  keys: readonly string[],
): Generator<number[]> {
  const left = new Set(heap)
  const byTwins = [...heap].sort(
    (a, b) => twins.get(b)!.length - twins.get(a)!.length || (keys[a]! < keys[b]! ? -1 : 1),
  )
  for (const centre of byTwins) {
    if (!left.has(centre)) continue
    const star = [centre, ...twins.get(centre)!.filter((twin) => left.has(twin))]
    for (const i of star) left.delete(i)
    yield star
  }
}
