import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { PrepareBackboneResult } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { hashFile } from './hash-file.ts'
import type { Described } from './installer.ts'
import { preprocessingOf } from './preprocessing-text.ts'

const endings = ['.onnx', '.h5', '.hdf5', '.keras', '.json']

/**
 * The model file among what the person dropped: the file itself, or the only one in a folder.
 * @throws KestrelError backbone-unsupported
 */
export async function findModelFile(paths: readonly string[]): Promise<string> {
  const files: string[] = []
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) files.push(path)
    else
      files.push(
        ...(await readdir(path, { withFileTypes: true, recursive: true }))
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name)),
      )
  }
  const models = files.filter((file) => endings.includes(extname(file).toLowerCase()))
  // One file of an unknown ending is given to the reader, which looks at the content.
  const [only, another] = models.length > 0 ? models : files
  if (only === undefined || another !== undefined)
    throw new KestrelError(
      'backbone-unsupported',
      only === undefined ? 'There is no model file in it.' : 'There is more than one model file in it.',
      {
        remedy:
          'Choose one ONNX file, one Keras file (.h5 or .keras), or the model.json of TensorFlow.js layers.',
      },
    )
  return only
}

/** A file that is byte for byte one of the catalogue's: then all about it is known. */
export async function catalogueEntryOf(
  file: string,
  catalogue: readonly CatalogueEntry[],
): Promise<CatalogueEntry | undefined> {
  const { size } = await stat(file)
  for (const entry of catalogue.filter(({ bytes }) => bytes === size))
    if ((await hashFile(file, entry.hash.algorithm)) === entry.hash.value) return entry
  return undefined
}

export const describeEntry = (entry: CatalogueEntry): Described => ({
  id: entry.id,
  name: entry.name,
  words: entry.words,
  architecture: entry.architecture,
  origin: 'catalogue',
  licence: entry.licence,
  featureLength: entry.featureLength,
  preprocessing: preprocessingOf({ width: entry.inputSize, height: entry.inputSize }, entry.preprocessing),
})

/** −1 … 1, the most common one where a publication says nothing. */
const assumedScaling = {
  channelOrder: 'RGB' as const,
  mean: [127.5, 127.5, 127.5] as [number, number, number],
  divisor: [127.5, 127.5, 127.5] as [number, number, number],
}

export function describeAdded(
  file: string,
  result: PrepareBackboneResult,
  taken: (id: string) => boolean,
): Described {
  const name = basename(file, extname(file))
  const assumed = result.preprocessing === null
  return {
    id: freeId(name, taken),
    name,
    words: assumed
      ? 'A backbone of your own. How it wants its pictures scaled could not be told; −1 … 1 is assumed.'
      : 'A backbone of your own.',
    architecture: result.architecture ?? 'unknown',
    origin: 'added',
    licence: 'not known; ask where you have it from',
    featureLength: result.featureLength,
    preprocessing: result.preprocessing ?? preprocessingOf(result.input, assumedScaling),
  }
}

function freeId(name: string, taken: (id: string) => boolean): string {
  const plain = name.normalize('NFKD').replaceAll(/[^A-Za-z0-9._-]+/g, '-')
  const base = `own-${plain.replaceAll(/^-+|-+$/g, '').slice(0, 60) || 'backbone'}`
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`
    if (!taken(id)) return id
  }
}
