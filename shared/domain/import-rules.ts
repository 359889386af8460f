/** Which files of a dropped folder are passed over in silence. */

const systemFiles = new Set(['thumbs.db', 'ehthumbs.db', 'desktop.ini', 'icon\r', '__macosx', '$recycle.bin'])

/** Endings of documents and tables that lie beside pictures and are nobody's mistake. */
const documents = new Set([
  ...['md', 'txt', 'rtf', 'pdf', 'doc', 'docx', 'odt', 'html', 'htm', 'tex'],
  ...[
    'tsv',
    'csv',
    'xls',
    'xlsx',
    'ods',
    'json',
    'jsonl',
    'ndjson',
    'xml',
    'yaml',
    'yml',
    'toml',
    'ini',
    'log',
  ],
  ...['py', 'ipynb', 'js', 'ts', 'sh', 'bat', 'npy', 'npz', 'pkl', 'mat', 'h5', 'db', 'sqlite', 'lnk', 'url'],
])

/**
 * Whether a file or folder is left alone without being counted as a failure: hidden ones, what operating systems leave
 * behind, and documents by their ending. Everything else is opened and judged by content.
 *
 * @param name the last part of the path
 */
export function ignoredFile(name: string): boolean {
  if (name === '' || name.startsWith('.')) return true
  const lower = name.toLowerCase()
  if (systemFiles.has(lower) || lower.startsWith('~$')) return true
  const dot = lower.lastIndexOf('.')
  return dot > 0 && documents.has(lower.slice(dot + 1))
}
