import { buffer } from 'node:stream/consumers'
import { ZipFile } from 'yazl'

export async function zipOf(
  files: Record<string, Uint8Array>,
  options = { compress: true },
): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, bytes] of Object.entries(files)) zip.addBuffer(Buffer.from(bytes), name, options)
  zip.end()
  return buffer(zip.outputStream)
}

/** Where a file's entry begins in the directory. */
export const entryOf = (zip: Buffer, name: string): number =>
  zip.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'), zip.lastIndexOf(name))

/** Says that a file is packed with a password. */
export function lockEntry(zip: Buffer, name: string): void {
  const flags = entryOf(zip, name) + 8
  zip.writeUInt16LE(zip.readUInt16LE(flags) | 1, flags)
}

/** Overwrites the beginning of a file's deflated bytes: they stand behind its name, which comes there first. */
export function damageDeflated(zip: Buffer, name: string): void {
  const data = zip.indexOf(name) + Buffer.byteLength(name)
  zip.fill(0xff, data, data + 32)
}

/** Flips one byte in the middle of a stored file: all but its checksum is in order. */
export function damageStored(zip: Buffer, name: string, bytes: number): void {
  const at = zip.indexOf(name) + Buffer.byteLength(name) + Math.floor(bytes / 2)
  zip[at] = zip[at]! ^ 0xff
}
