const NOT_IN_FILE_NAMES = /[<>:"/\\|?*\u0000-\u001f\u007f]+/gu
const MOST_CHARACTERS = 80
/** Windows gives these names to devices, whatever comes after a dot. */
const DEVICE_NAMES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** A name with a number behind it, cut before so that the number stays in the folder's name. */
export const numberedName = (name: string, number: number): string =>
  number === 1
    ? name
    : `${[...name]
        .slice(0, MOST_CHARACTERS - 8)
        .join('')
        .trimEnd()} ${number}`

/** The folder's name for a project's name: usable on every system, `.kestrel` at the end. */
export function projectFolderName(name: string): string {
  const base = [...name.normalize('NFC').replace(NOT_IN_FILE_NAMES, ' ').replace(/\s+/g, ' ')]
    .slice(0, MOST_CHARACTERS)
    .join('')
    .replace(/^[. ]+|[. ]+$/g, '')
  const usable = base === '' || DEVICE_NAMES.test(base) ? `Project ${base}`.trim() : base
  return `${usable}.kestrel`
}
