const parts = new Intl.Segmenter()
const ellipsis = '…'

/** What a person takes for one character, so that no accent or emoji is cut in two. */
const charactersOf = (text: string): string[] => Array.from(parts.segment(text), ({ segment }) => segment)

/** The longest of `make(1)`, `make(2)` … that fits; each is taken to be wider than the one before. */
function longest(most: number, make: (length: number) => string, fits: (text: string) => boolean): string {
  let [low, high] = [1, Math.max(1, most)]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if (fits(make(middle))) low = middle
    else high = middle - 1
  }
  return make(low)
}

/** The beginning and the end, the end a little longer: what tells names apart is more often there. */
function middleOut(name: string, fits: (text: string) => boolean): string {
  const all = charactersOf(name)
  const make = (length: number): string => {
    const head = Math.floor(length * 0.4)
    return all.slice(0, head).join('') + ellipsis + all.slice(all.length - (length - head)).join('')
  }
  return longest(all.length - 1, make, fits)
}

/** How many characters all names begin with. */
function sharedStart(names: readonly (readonly string[])[]): number {
  const [first = []] = names
  const differs = first.findIndex((character, at) => names.some((name) => name[at] !== character))
  return differs < 0 ? first.length : differs
}

/** From just before where it differs from the others. */
function fromDifference(name: string, shared: number, fits: (text: string) => boolean): string {
  const rest = charactersOf(name).slice(Math.max(0, shared - 1))
  const whole = ellipsis + rest.join('')
  if (fits(whole)) return whole
  return longest(rest.length, (length) => `${ellipsis}${rest.slice(0, length).join('')}${ellipsis}`, fits)
}

function groupsOf(names: readonly string[], short: ReadonlyMap<string, string>): string[][] {
  const groups = new Map<string, string[]>()
  for (const name of names) {
    const key = short.get(name) ?? name
    groups.set(key, [...(groups.get(key) ?? []), name])
  }
  return [...groups.values()].filter((group) => group.length > 1)
}

/**
 * Names as they can be shown in little room. What does not fit loses its middle; those that would then look the same
 * lose what they share instead; the last resort is a number. Different names stay different.
 * @param fits whether a text has room
 * @returns in the order of `names`
 */
export function shortNames(names: readonly string[], fits: (text: string) => boolean): string[] {
  const distinct = [...new Set(names)]
  const short = new Map(distinct.map((name) => [name, fits(name) ? name : middleOut(name, fits)]))
  for (const group of groupsOf(distinct, short)) {
    const shared = sharedStart(group.map(charactersOf))
    for (const name of group) if (!fits(name)) short.set(name, fromDifference(name, shared, fits))
  }
  const taken = new Set<string>()
  for (const name of distinct) {
    const wanted = short.get(name) ?? name
    let shown = wanted
    for (let number = 2; taken.has(shown); number++) shown = `${charactersOf(wanted)[0]}${ellipsis}${number}`
    taken.add(shown)
    short.set(name, shown)
  }
  return names.map((name) => short.get(name) ?? name)
}
