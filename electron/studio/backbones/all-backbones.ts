import type { Backbone } from '#shared/contract/use.ts'
import type { CatalogueEntry } from './catalogue.ts'
import type { BackboneFolders } from './folders.ts'
import { byPreference, fromCatalogue, fromFolder, fromStore, undescribed } from './listing.ts'
import type { LooseBackbones } from './loose.ts'
import type { NamedFolder } from './named-folder.ts'
import type { MeasuredRatesStore } from './rates.ts'
import type { BackboneStore, StoredBackbone } from './store.ts'

export type ListBackbones = () => Promise<Backbone[]>

/** What all sources have together, each backbone once, the best first. */
export function createBackboneList(ports: {
  store: BackboneStore
  folders: BackboneFolders
  loose: LooseBackbones
  catalogue: readonly CatalogueEntry[]
  isDownloading: (id: string) => boolean
  rates: MeasuredRatesStore
}): ListBackbones {
  const { store, folders, loose, catalogue, isDownloading, rates } = ports

  /** From everywhere but files without an index, and what is in the store, whatever its state. */
  async function listDescribed(named: NamedFolder) {
    const found = new Map<string, Omit<Backbone, 'rate'>>()
    const inStore: StoredBackbone[] = []
    for (const entry of catalogue) found.set(entry.id, fromCatalogue(entry, isDownloading(entry.id)))
    for (const entry of await folders.builtIn()) found.set(entry.id, fromFolder(entry, 'built-in'))
    for (const entry of named.described) found.set(entry.id, fromFolder(entry, 'folder'))
    const others = [...found.keys()]
    for (const id of await store.ids()) {
      const stored = await store.read(id)
      if (stored === null) continue
      if ('info' in stored) {
        inStore.push(stored)
        // Whoever has put their folder away does not expect a network of it to be chosen; a training finds it by its id.
        if (stored.info.inPlace) continue
      }
      const listed =
        'info' in stored
          ? // With its original whole it is prepared anew when it is needed: the person need not know.
            fromStore(stored.info, (await store.originalIsWhole(stored.info)) ? null : stored.problem)
          : undescribed(id, stored.problem)
      if (listed.state === 'ready' || found.get(id)?.state !== 'ready') found.set(id, listed)
    }
    return { found, inStore, others }
  }

  return async () => {
    const named = await folders.named()
    const { found, inStore, others } = await listDescribed(named)
    for (const each of await loose.list(named.loose, inStore, others)) found.set(each.id, each)
    return [...found.values()].sort(byPreference).map((each) => ({ ...each, rate: rates.features(each.id) }))
  }
}
