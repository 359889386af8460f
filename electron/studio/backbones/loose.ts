import { extname, basename } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import type { Backbone } from '#shared/contract/use.ts'
import type { Log } from '../log.ts'
import { catalogueEntryOf, describeAdded, describeEntry, freeId } from './added.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { hashFile } from './hash-file.ts'
import { installInPlace } from './installer.ts'
import type { PrepareBackbone } from './installer.ts'
import { licenceOf } from './licence.ts'
import { fromStore, undescribed } from './listing.ts'
import type { LooseModel } from './named-folder.ts'
import type { BackboneInfo, BackboneStore, StoredBackbone } from './store.ts'

export interface LooseBackbonesPorts {
  store: BackboneStore
  prepare: PrepareBackbone
  catalogue: readonly CatalogueEntry[]
  log: Log
}

export type LooseBackbones = ReturnType<typeof createLooseBackbones>

/**
 * Model files of a folder without an index. What a file gives is known only once it is prepared: that is done when it is seen
 * first, and the store keeps it; the file itself stays where it is.
 */
export function createLooseBackbones({ store, prepare, catalogue, log }: LooseBackbonesPorts) {
  /** What a file was refused with, by its hash: it would be again. */
  const refused = new Map<string, string>()
  let running: Promise<Omit<Backbone, 'rate'>[]> | null = null

  async function listed(
    model: LooseModel,
    stored: readonly StoredBackbone[],
    taken: ReadonlySet<string>,
  ): Promise<Omit<Backbone, 'rate'> | null> {
    const id = idFor(model, stored, taken)
    const broken = (detail: string): Omit<Backbone, 'rate'> => ({
      ...undescribed(id, detail),
      ...{ name: model.called, source: 'folder' },
    })
    try {
      const sha256 = await hashFile(model.file, 'sha256')
      const known = refused.get(sha256)
      if (known !== undefined) return broken(known)
      const same = stored.find(({ info, problem }) => info.originalSha256 === sha256 && problem === null)
      // One that was added or downloaded, too, is there already.
      if (same) return same.info.inPlace ? inFolder(same.info) : null
      try {
        return inFolder(await install(model, id))
      } catch (error) {
        if (!(error instanceof KestrelError)) throw error
        log.warn('a file of the folder of KESTREL_BACKBONES cannot be prepared', error)
        const words = [error.message, error.remedy].filter(Boolean).join(' ')
        // A trainer that died may do better the next time.
        if (/^(?:backbone|operator|model)-/.test(error.code)) refused.set(sha256, words)
        return broken(words)
      }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error
      return broken('Its file in the folder of KESTREL_BACKBONES cannot be opened. Check its permissions.')
    }
  }

  const inFolder = (info: BackboneInfo): Omit<Backbone, 'rate'> => ({
    ...fromStore(info, null),
    source: 'folder',
  })

  async function install(model: LooseModel, id: string): Promise<BackboneInfo> {
    const entry = await catalogueEntryOf(model.file, catalogue)
    return await installInPlace(store, prepare, model.file, model.called, async (result) => {
      if (entry) return describeEntry(entry)
      const described = describeAdded(`${stem(model.called)}.onnx`, result, () => false)
      const licence = (await licenceOf(model.folder)) ?? described.licence
      return { ...described, id, licence, origin: 'folder' }
    })
  }

  return {
    /**
     * @param stored what is in the store
     * @param others ids of other sources, which no file may take
     */
    list(
      models: readonly LooseModel[],
      stored: readonly StoredBackbone[],
      others: Iterable<string>,
    ): Promise<Omit<Backbone, 'rate'>[]> {
      const work = async (): Promise<Omit<Backbone, 'rate'>[]> => {
        const found: Omit<Backbone, 'rate'>[] = []
        const taken = new Set(others)
        for (const model of models) {
          const one = await listed(model, stored, taken)
          if (one === null) continue
          taken.add(one.id)
          found.push(one)
        }
        return found
      }
      // Several views ask at the same time; each file is prepared once.
      running ??= work().finally(() => (running = null))
      return running
    },
  }
}

const stem = (called: string): string => basename(called, extname(called))

/** The one that it had before, else a free one like its name. */
function idFor(model: LooseModel, stored: readonly StoredBackbone[], taken: ReadonlySet<string>): string {
  const before = stored.find(
    ({ info: { id, inPlace, original } }) => inPlace && original === model.called && !taken.has(id),
  )
  if (before) return before.info.id
  const inStore = new Set(stored.map(({ info }) => info.id))
  return freeId(stem(model.called), (id) => taken.has(id) || inStore.has(id))
}
