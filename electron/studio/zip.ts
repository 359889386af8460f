import { createReadStream } from 'node:fs'
import type { ReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { Readable } from 'node:stream'
import type { PassThrough } from 'node:stream'
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

/**
 * Streams files, wherever they lie, as a zip; one is open at a time. A file that cannot be read (any more) breaks the
 * stream off, so that nobody takes half a zip for a whole one.
 * @param files `place` in the zip, '/' between folders
 * @param texts to be put beside them
 */
export function zipFiles(
  files: Iterable<{ path: string; place: string }>,
  texts: ReadonlyMap<string, string> = new Map(),
): ReadableStream<Uint8Array> {
  const zip = new ZipFile()
  let open: ReadStream | null = null
  for (const [name, text] of texts) zip.addBuffer(Buffer.from(text), name)
  // Pictures hardly pack; but without packing some programs do not find the end of a streamed file.
  for (const { path, place } of files)
    zip.addReadStreamLazy(place, { compressionLevel: 1 }, (give) => {
      open = createReadStream(path)
      open.once('error', (error) => zip.emit('error', error))
      give(null, open)
    })
  zip.outputStream.once('close', () => open?.destroy())
  return streamOf(zip)
}

function streamOf(zip: ZipFile): ReadableStream<Uint8Array> {
  // yazl types its stream as the interface; it is a PassThrough.
  const stream = zip.outputStream as PassThrough
  zip.once('error', (error) => stream.destroy(error))
  zip.end()
  return Readable.toWeb(stream) as ReadableStream<Uint8Array>
}
