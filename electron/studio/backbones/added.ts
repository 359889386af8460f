import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import type { PrepareBackboneResult } from '#shared/contract/trainer.ts'
import { preprocessingOf, symmetric } from '#shared/domain/preprocessing/scaling.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { hashFile } from './hash-file.ts'
import type { Described } from './installer.ts'
import type { BackboneInfo } from './store.ts'

/** Of files that are a network by themselves. */
export const networkEndings: readonly string[] = ['.onnx', '.h5', '.hdf5', '.keras']

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
  const [only, another] = likeliest(files)
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

/** An exported folder holds JSON files of all kinds beside its model; only TensorFlow.js calls the model itself so. */
function likeliest(files: readonly string[]): readonly string[] {
  const networks = files.filter((file) => networkEndings.includes(extname(file).toLowerCase()))
  if (networks.length > 0) return networks
  const json = files.filter((file) => extname(file).toLowerCase() === '.json')
  const named = json.filter((file) => basename(file).toLowerCase() === 'model.json')
  if (json.length > 0) return named.length > 0 ? named : json
  // One file of an unknown ending is given to the reader, which looks at the content.
  return files.length === 1 ? files : []
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

export function describeAdded(
  file: string,
  result: PrepareBackboneResult,
  taken: (id: string) => boolean,
): Described {
  const name = basename(file, extname(file))
  return {
    id: freeId(name, taken),
    name: result.labels === undefined ? name : `${name} (${listOf(result.labels, ', ')})`,
    words: wordsOf(result),
    architecture: result.architecture ?? 'unknown',
    origin: 'added',
    licence: 'not known; ask where you have it from',
    featureLength: result.featureLength,
    // The most common one where nothing is known.
    preprocessing: result.preprocessing ?? preprocessingOf(result.input, symmetric),
  }
}

/** Of one that is prepared again: this Kestrel may find out more about a file of the person's own than the one before. */
export const describeAgain = (info: BackboneInfo, result: PrepareBackboneResult): Described =>
  info.origin === 'added'
    ? {
        ...describeAdded(info.original, result, () => false),
        ...{ id: info.id, name: info.name, licence: info.licence },
      }
    : info

function wordsOf({ labels, preprocessing }: PrepareBackboneResult): string {
  if (labels !== undefined)
    return `A model that Kestrel trained to tell ${listOf(labels, ' and ')} apart; what it has learned helps the next one.`
  return preprocessing === null
    ? 'A backbone of your own. How it wants its pictures scaled could not be told; −1 … 1 is assumed.'
    : 'A backbone of your own.'
}

/** The first few of many: there may be hundreds. */
function listOf(labels: readonly string[], last: string): string {
  const most = 3
  const [shown, rest] = [labels.slice(0, most), labels.length - most]
  return rest > 0
    ? `${shown.join(', ')} and ${rest} more`
    : [shown.slice(0, -1).join(', '), ...shown.slice(-1)].filter((part) => part !== '').join(last)
}

/** An id like a file's name. */
export function freeId(name: string, taken: (id: string) => boolean): string {
  const plain = name.normalize('NFKD').replaceAll(/[^A-Za-z0-9._-]+/g, '-')
  const base = `own-${plain.replaceAll(/^-+|-+$/g, '').slice(0, 60) || 'backbone'}`
  for (let number = 1; ; number++) {
    const id = number === 1 ? base : `${base}-${number}`
    if (!taken(id)) return id
  }
}
