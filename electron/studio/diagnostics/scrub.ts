import { basename } from 'node:path'

export interface ScrubNames {
  /** Folders whose names mean something: home, projects. Longest first wins. */
  folders: { path: string; as: string }[]
  /** Names of the user, the machine, projects, labels. */
  words: { word: string; as: string }[]
}

const pictureName =
  /[^\s"'`<>|:*?/\\][^"'`<>|:*?/\\\n]*\.(?:jpe?g|png|webp|gif|bmp|tiff?|avif|hei[cf]|zip|h5|keras|onnx)\b/gi
/** Absolute paths, POSIX and Windows. */
const path =
  /(?:file:\/\/)?(?:[A-Za-z]:[\\/]|\\\\|(?<![\w.<>])\/)[^\s"'`<>|*?:]*(?: [^\s"'`<>|*?:/\\]*[\\/][^\s"'`<>|*?:]*)*/g
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
  cleaned = cleaned.replace(path, (found) =>
    ownCode.test(found) ? `<app>/${basename(found.replaceAll('\\', '/'))}` : '<path>',
  )
  cleaned = cleaned.replace(/<[a-z]+>[\\/][^\s"'`<>|*?:]*/g, (found) =>
    ownCode.test(found) ? `<app>/${basename(found.replaceAll('\\', '/'))}` : '<path>',
  )
  cleaned = cleaned.replace(pictureName, '<file>')
  for (const { word, as } of words)
    if (word.length > 2)
      cleaned = cleaned.replaceAll(
        new RegExp(`(?<![\\p{L}\\p{N}])${escape(word)}(?![\\p{L}\\p{N}])`, 'giu'),
        `<${as}>`,
      )
  return cleaned
}
