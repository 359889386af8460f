const NOT_IN_FILE_NAMES = /[<>:"/\\|?*\u0000-\u001f\u007f]+/gu
/** Windows gives these names to devices, whatever comes after a dot. */
const DEVICE_NAMES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** The folder's name for a project's name: usable on every system, `.kestrel` at the end. */
export function projectFolderName(name: string): string {
  const base = [...name.normalize('NFC').replace(NOT_IN_FILE_NAMES, ' ').replace(/\s+/g, ' ')]
    .slice(0, 80)
    .join('')
    .replace(/^[. ]+|[. ]+$/g, '')
  const usable = base === '' || DEVICE_NAMES.test(base) ? `Project ${base}`.trim() : base
  return `${usable}.kestrel`
}
