import { basename } from 'node:path'

export interface ScrubNames {
  /** Folders whose names mean something: home, projects. Longest first wins. */
  folders: { path: string; as: string }[]
  /** Names of the user, the machine, projects, labels, trainings, backbones of the person's own. */
  words: { word: string; as: string }[]
}

const fileName =
  /[^"'`<>|:*?/\\\n]*\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf]|zip|csv|h5|hdf5|keras|onnx|kestrel)\b/gi
/**
 * Absolute paths, POSIX and Windows, up to something that cannot be in one. Names may have spaces in them, so a part of
 * the sentence behind a path goes with it: better too much than too little.
 */
const path = /(?:file:\/\/\/|(?<![A-Za-z])[A-Za-z]:[\\/]|\\\\|(?<!https?:)(?<![\w.<>/])\/)[^"'`<>|*?:()\n]+/g
const shortened = /<[a-z]+>[\\/][^"'`<>|*?:()\n]*/g
const ownCode = /\.(?:m?[jt]s|cjs|node|vue)$/

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)

/**
 * Takes names of files, folders and people out of a log. Files of the app's own code keep their last part, which a
 * stack trace is worthless without.
 */
export function scrub(text: string, { folders, words }: ScrubNames): string {
  let cleaned = text
  for (const { path: folder, as } of folders.toSorted((a, b) => b.path.length - a.path.length))
    if (folder.length > 1) cleaned = cleaned.replaceAll(folder, `<${as}>`)
  const short = (found: string): string =>
    ownCode.test(found) ? `<app>/${basename(found.replaceAll('\\', '/'))}` : '<path>'
  cleaned = cleaned.replace(path, short).replace(shortened, short).replace(fileName, '<file>')
  for (const { word, as } of words)
    if (word.length > 2)
      cleaned = cleaned.replaceAll(
        new RegExp(`(?<![\\p{L}\\p{N}])${escape(word)}(?![\\p{L}\\p{N}])`, 'giu'),
        `<${as}>`,
      )
  return cleaned
}
