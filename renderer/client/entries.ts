/** A file with its place below what was dropped or chosen, e.g. `flowers/daisy/1.jpg`. */
export interface PlacedFile {
  path: string
  /** What the browser said of a file or folder it could not read. */
  file: File | { unreadable: unknown }
}

const readBatch = (reader: FileSystemDirectoryReader): Promise<FileSystemEntry[]> =>
  new Promise((resolve, reject) => reader.readEntries(resolve, reject))

const readFile = (entry: FileSystemFileEntry): Promise<File> =>
  new Promise((resolve, reject) => entry.file(resolve, reject))

/** One file or folder that cannot be read must not keep the others from being sent. */
const unreadable = (error: unknown) => ({ unreadable: error })

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile
const isDirectory = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory

async function* walk(entry: FileSystemEntry, prefix: string): AsyncGenerator<PlacedFile> {
  const path = prefix + entry.name
  if (isFile(entry)) {
    yield { path, file: await readFile(entry).catch(unreadable) }
  } else if (isDirectory(entry)) {
    const reader = entry.createReader()
    // A reader hands out at most 100 entries at a time, and an empty batch at the end.
    for (;;) {
      const batch = await readBatch(reader).catch(unreadable)
      if ('unreadable' in batch) yield { path: `${path}/`, file: batch }
      if ('unreadable' in batch || batch.length === 0) return
      for (const child of batch) yield* walk(child, `${path}/`)
    }
  }
}

export interface DroppedItems {
  names: string[]
  files: () => AsyncGenerator<PlacedFile>
}

/**
 * What lies in a drop, folders included. Must be called within the drop event: the browser forgets the items after it.
 * @returns null when nothing in it is a file
 */
export function itemsOfDrop(transfer: DataTransfer): DroppedItems | null {
  const entries: FileSystemEntry[] = []
  const loose: File[] = []
  for (const item of transfer.items) {
    if (item.kind !== 'file') continue
    const entry = item.webkitGetAsEntry()
    if (entry) entries.push(entry)
    else {
      const file = item.getAsFile()
      if (file) loose.push(file)
    }
  }
  if (entries.length === 0 && loose.length === 0) return null
  return {
    names: [...entries.map(({ name }) => name), ...loose.map(({ name }) => name)],
    async *files() {
      for (const entry of entries) yield* walk(entry, '')
      for (const file of loose) yield { path: file.name, file }
    },
  }
}

/** Chosen with a file input; `webkitRelativePath` is set when a folder was chosen. */
export function itemsOfInput(files: readonly File[]): DroppedItems | null {
  if (files.length === 0) return null
  const placed = files.map((file) => ({ path: file.webkitRelativePath || file.name, file }))
  return {
    names: [...new Set(placed.map(({ path }) => path.split('/')[0] ?? path))],
    async *files() {
      yield* placed
    },
  }
}
