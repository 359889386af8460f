/** Windows gives these names to devices, whatever comes after a dot. */
const DEVICE_NAMES = /^(con|prn|aux|nul|com\d|lpt\d)(?=\.|$)/i

/** Whether a path of someone else's making names a place outside the folder it is to go to. Both slashes divide. */
export function leadsOut(path: string): boolean {
  return /^([a-z]:)?[/\\]|^[a-z]:$/i.test(path) || path.split(/[/\\]/).includes('..')
}

/**
 * A name of a file or folder from another system as this system can hold it. Names are labels: they stay as they are
 * wherever that is possible, and only Windows refuses more than the slash.
 */
export function nameForHere(name: string, system: NodeJS.Platform = process.platform): string {
  if (system !== 'win32') return name
  const plain = name
    .replace(/[<>:"|?*\\\u0000-\u001f]/gu, '_')
    .replace(/[. ]+$/u, (end) => '_'.repeat(end.length))
  return plain.replace(DEVICE_NAMES, '$1_')
}

/** A place that is not taken yet: two files of one name (from two cameras, say) both arrive. */
export function unusedPlace(taken: ReadonlySet<string>, place: string): string {
  if (!taken.has(place)) return place
  const dot = place.lastIndexOf('.')
  const end = dot > place.lastIndexOf('/') + 1 ? dot : place.length
  for (let number = 2; ; number++) {
    const candidate = `${place.slice(0, end)} (${number})${place.slice(end)}`
    if (!taken.has(candidate)) return candidate
  }
}
