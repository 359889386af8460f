import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Log } from '../log.ts'
import { networkEndings } from './added.ts'
import { readBackboneFolder } from './folder-source.ts'
import type { FolderBackbone } from './folder-source.ts'

/** A model file in a folder that no index describes. */
export interface LooseModel {
  file: string
  /** The file's name, or that of the sub-folder it lies in alone. */
  called: string
  /** Where its licence lies, if it does. */
  folder: string
}

export interface NamedFolder {
  /** As its index.json describes them. */
  described: FolderBackbone[]
  /** What lies in it where there is no index.json. */
  loose: LooseModel[]
  /** Why it gives nothing, in words; null when it gives something. */
  problem: string | null
}

/** The folder that KESTREL_BACKBONES names. One that cannot be used must not keep the studio from its other sources. */
export async function readNamedFolder(folder: string, log: Log): Promise<NamedFolder> {
  const nothing = (problem: string, cause?: unknown): NamedFolder => {
    log.warn('the folder of KESTREL_BACKBONES gives no backbones', cause)
    return { described: [], loose: [], problem: `KESTREL_BACKBONES names ${folder}, ${problem}` }
  }
  try {
    if (existsSync(join(folder, 'index.json')))
      return { described: await readBackboneFolder(folder), loose: [], problem: null }
  } catch (error) {
    return nothing(
      'whose index.json cannot be understood: nothing in it is offered. Mend it, or take it away to have the model files offered as they are.',
      error,
    )
  }
  try {
    const loose = await looseModels(folder)
    if (loose.length > 0) return { described: [], loose, problem: null }
    return nothing(
      'where there is no model: an ONNX or Keras file (.onnx, .h5, .keras), or a folder with the model.json of TensorFlow.js layers.',
    )
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (code === 'ENOENT') return nothing('which is not there. Check the spelling of the path.', error)
    if (code === 'ENOTDIR') return nothing('which is not a folder. Name the folder it lies in.', error)
    return nothing('which cannot be opened. Check its permissions.', error)
  }
}

/** Files that lie in the folder, and those of its sub-folders: one a sub-folder holds alone is called like it. */
async function looseModels(folder: string): Promise<LooseModel[]> {
  const found = modelsAmong(folder, await filesOf(folder))
  const entries = await readdir(folder, { withFileTypes: true })
  for (const { name } of entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))) {
    const inside = join(folder, name)
    const models = modelsAmong(inside, await filesOf(inside))
    const [only, another] = models
    if (only !== undefined && another === undefined) found.push({ ...only, called: name })
    else found.push(...models)
  }
  return found.sort((a, b) => (a.file < b.file ? -1 : 1))
}

const filesOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { withFileTypes: true }))
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)

/** Exports have a model.json beside their ONNX file, which only describes it. */
function modelsAmong(folder: string, names: readonly string[]): LooseModel[] {
  const networks = names.filter((name) => networkEndings.includes(extname(name).toLowerCase()))
  const models = networks.length > 0 ? networks : names.filter((name) => name.toLowerCase() === 'model.json')
  return models.map((name) => ({ file: join(folder, name), called: name, folder }))
}
