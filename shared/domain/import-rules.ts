/** Which names an import passes over without a word. Whatever is left is told by its content, not by its name. */

/** Helpers that systems and programs leave in folders, lower case. */
const systemFiles = new Set([
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  'icon\r',
  'picasa.ini',
  'zbthumbnail.info',
])
const systemFolders = new Set([
  '__macosx',
  '@eadir',
  '$recycle.bin',
  'system volume information',
  '__pycache__',
])

/** Endings of files that lie beside pictures and are none: texts, tables, code, archives, sound, video, networks. */
const otherEndings = new Set(
  `txt md rst rtf tex log csv tsv json jsonl ndjson xml yaml yml toml ini cfg conf
   html htm css js mjs cjs ts jsx tsx vue py ipynb r m c h cpp java go rs sh bat ps1 sql
   pdf doc docx odt xls xlsx ods ppt pptx odp
   zip gz tgz bz2 xz 7z rar tar iso dmg exe msi dll so
   mp3 wav flac ogg m4a aac mp4 m4v mov avi mkv webm mpg mpeg wmv 3gp
   db sqlite sqlite3 parquet arrow npy npz mat h5 hdf5 keras onnx pb tflite pt pth pkl bin dat
   xmp aae thm lnk url ds_store lock part crdownload tmp bak`
    .split(/\s+/)
    .filter((ending) => ending !== ''),
)

/** @param name a file's name without its folder */
export function isIgnoredFile(name: string): boolean {
  if (name.startsWith('.') || name.endsWith('~')) return true
  const lower = name.toLowerCase()
  if (systemFiles.has(lower)) return true
  const dot = lower.lastIndexOf('.')
  return dot > 0 && otherEndings.has(lower.slice(dot + 1))
}

/** @param name a folder's name without its parents. Kestrel's own projects are no pictures to import. */
export function isIgnoredFolder(name: string): boolean {
  const lower = name.toLowerCase()
  return name.startsWith('.') || systemFolders.has(lower) || lower.endsWith('.kestrel')
}
