/**
 * Lists of ids as text: `1-500,502`. Undo keeps what it did for up to 100,000 pictures; ids of one selection mostly
 * follow each other.
 * @param ids ascending, each once
 */
export function writeRanges(ids: readonly number[]): string {
  const parts: string[] = []
  for (let at = 0; at < ids.length;) {
    const first = ids[at]!
    let last = first
    while (ids[at + 1] === last + 1) {
      at++
      last++
    }
    at++
    parts.push(first === last ? `${first}` : `${first}-${last}`)
  }
  return parts.join(',')
}

/** @returns ascending ids. @throws RangeError when the text is not one of ours */
export function readRanges(text: string): number[] {
  if (text === '') return []
  const ids: number[] = []
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part)
    if (!match) throw new RangeError(`not a range of ids: ${part.slice(0, 40)}`)
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last - first > 10_000_000) throw new RangeError(`range of ids is too long: ${part}`)
    for (let id = first; id <= last; id++) ids.push(id)
  }
  return ids
}
