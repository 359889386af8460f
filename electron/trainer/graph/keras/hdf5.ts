import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ready } from 'h5wasm/node'
import * as hdf5 from 'h5wasm/node'
import type { Dataset, File, Group } from 'h5wasm/node'
import { KestrelError } from '#shared/errors/index.ts'
import { elementCount, float32 } from '../tensor.ts'
import type { Tensor } from '../types.ts'

/** Far above published image networks (VGG-19 has 144 million) and below what memory holds. */
const maxElements = 2 ** 29

const damaged = (what: string, cause?: unknown): KestrelError =>
  new KestrelError('backbone-damaged', `This Keras file is damaged: ${what}.`, {
    remedy: 'Fetch the file again from where it came.',
    cause,
  })

/**
 * Opens an HDF5 file while `use` reads it. The library's build for Node works on the real file system, so `path` is a
 * path of this machine. Throws `backbone-damaged` for everything HDF5 refuses.
 */
export async function withHdf5<T>(path: string, use: (file: Hdf5) => T): Promise<T> {
  await ready
  let file: File | undefined
  try {
    file = new hdf5.File(path, 'r')
    if (file.file_id < 0n) throw damaged('it cannot be opened')
    return use(new Hdf5(file))
  } catch (error) {
    throw error instanceof KestrelError ? error : damaged('it cannot be read', error)
  } finally {
    if (file !== undefined && file.file_id >= 0n) file.close()
  }
}

/** The same for bytes, by way of a file in a folder of its own that is gone afterwards. */
export async function withHdf5Bytes<T>(bytes: Uint8Array, use: (file: Hdf5) => T): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'kestrel-hdf5-'))
  try {
    const path = join(folder, 'weights.h5')
    await writeFile(path, bytes)
    return await withHdf5(path, use)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What Keras needs of HDF5: text attributes, names of children, arrays of numbers. */
export class Hdf5 {
  private readonly file: File

  constructor(file: File) {
    this.file = file
  }

  private at(path: string): Group | Dataset | undefined {
    const found = path === '' || path === '/' ? this.file : this.file.get(path)
    return found !== null && found !== undefined && ('keys' in found || 'shape' in found)
      ? (found as Group | Dataset)
      : undefined
  }

  has(path: string): boolean {
    return this.at(path) !== undefined
  }

  /** Text of an attribute, undefined when it is not there. */
  text(path: string, attribute: string): string | undefined {
    const value = this.at(path)?.attrs[attribute]?.value
    if (typeof value === 'string') return value
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined
  }

  texts(path: string, attribute: string): string[] {
    const attributes = this.at(path)?.attrs ?? {}
    // Keras splits lists that are too long for one attribute into name0, name1, …
    const parts: unknown[] = []
    if (attributes[attribute] !== undefined) parts.push(attributes[attribute].value)
    else
      for (let i = 0; attributes[`${attribute}${i}`] !== undefined; i++)
        parts.push(attributes[`${attribute}${i}`]!.value)
    return parts.flatMap((part) =>
      Array.isArray(part) ? part.filter((text): text is string => typeof text === 'string') : [],
    )
  }

  children(path: string): string[] {
    const found = this.at(path)
    return found !== undefined && 'keys' in found ? found.keys() : []
  }

  /** An array of numbers as 32-bit floats. */
  array(path: string): Extract<Tensor, { type: 'float32' }> {
    const found = this.at(path)
    if (found === undefined || !('shape' in found)) throw damaged(`the weights "${path}" are missing`)
    const shape = found.shape ?? []
    if (!(elementCount(shape) <= maxElements)) throw damaged(`the weights "${path}" are impossibly large`)
    const { value } = found
    const list = typeof value === 'number' || typeof value === 'bigint' ? [Number(value)] : value
    if (list instanceof Float32Array) return float32(shape, list.slice())
    if (ArrayBuffer.isView(list) && !(list instanceof DataView)) {
      return float32(shape, Float32Array.from(list as unknown as ArrayLike<number | bigint>, Number))
    }
    if (Array.isArray(list) && list.every((item) => typeof item === 'number')) return float32(shape, list)
    throw damaged(`the weights "${path}" are not numbers`)
  }
}
