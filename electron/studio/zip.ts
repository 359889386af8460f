import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { Readable } from 'node:stream'
import { ZipFile } from 'yazl'

/** Streams a folder as a zip; everything lies below one folder named `root`. */
export async function zipFolder(folder: string, root: string): Promise<ReadableStream<Uint8Array>> {
  const zip = new ZipFile()
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    zip.addFile(path, `${root}/${relative(folder, path).split(sep).join('/')}`)
  }
  return streamOf(zip)
}

/** Streams texts as a zip. */
export function zipTexts(texts: ReadonlyMap<string, string>): ReadableStream<Uint8Array> {
  const zip = new ZipFile()
  for (const [name, text] of texts) zip.addBuffer(Buffer.from(text), name)
  return streamOf(zip)
}

function streamOf(zip: ZipFile): ReadableStream<Uint8Array> {
  zip.end()
  // yazl types its stream as the interface; it is a PassThrough.
  return Readable.toWeb(new Readable().wrap(zip.outputStream)) as ReadableStream<Uint8Array>
}
