import { join } from 'node:path'
import type { Backbone } from '#shared/contract/use.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import { catalogueEntryOf, describeAdded, describeEntry, findModelFile } from './added.ts'
import { createBackboneList } from './all-backbones.ts'
import type { CatalogueEntry } from './catalogue.ts'
import type { DownloadOptions } from './download.ts'
import { createDownloads } from './downloads.ts'
import { createBackboneFolders } from './folders.ts'
import { installBackbone } from './installer.ts'
import type { PrepareBackbone } from './installer.ts'
import { fromStore } from './listing.ts'
import { createLooseBackbones } from './loose.ts'
import { createPreparation } from './preparation.ts'
import type { MeasuredRatesStore } from './rates.ts'
import { createBackboneStore } from './store.ts'

export type { ReadyBackbone } from './preparation.ts'

export interface BackboneServicePorts {
  home: string
  /** `KESTREL_BACKBONES`. */
  folder: string | null
  /** What Kestrel brings along, a folder of the same form; null: nothing. */
  builtIn: string | null
  catalogue: readonly CatalogueEntry[]
  jobs: JobRunner
  bus: EventBus
  log: Log
  rates: MeasuredRatesStore
  prepare: PrepareBackbone
  downloadOptions?: DownloadOptions
}

export type BackboneService = ReturnType<typeof createBackboneService>

/**
 * Where backbones come from, in this order: the store, a folder, what Kestrel brings along, a download, a file of the
 * person's own.
 */
export function createBackboneService(ports: BackboneServicePorts) {
  const { catalogue, jobs, bus, log, rates, prepare, downloadOptions } = ports
  const store = createBackboneStore(join(ports.home, 'backbones'))
  const folders = createBackboneFolders(ports)
  const downloads = createDownloads({ store, catalogue, prepare, jobs, bus, options: downloadOptions })
  const list = createBackboneList({
    ...{ store, folders, catalogue, rates },
    loose: createLooseBackbones({ store, prepare, catalogue, log }),
    isDownloading: downloads.isRunning,
  })
  const preparation = createPreparation({ store, folders, list, catalogue, prepare, log })

  return {
    list,
    ...preparation,
    /** @throws KestrelError backbone-unknown */
    download: downloads.start,

    /** Why a source gives nothing, in words for the person; files that cannot be used stand in the list. */
    async problems(): Promise<string[]> {
      const { problem } = await folders.named()
      return problem === null ? [] : [problem]
    },

    /** Ids that everybody's Kestrel knows; all others come from files and folders of the person's own. */
    async publicIds(): Promise<ReadonlySet<string>> {
      return new Set([...catalogue, ...(await folders.builtIn())].map(({ id }) => id))
    },

    /** The id of the backbone to take when the person does not choose; null: there is none, train on the pixels. */
    async recommended(): Promise<string | null> {
      return (await list()).find(({ state }) => state === 'ready')?.id ?? null
    },

    /**
     * Takes in a file of the person's own.
     * @throws KestrelError backbone-unsupported, backbone-damaged, operator-unsupported
     */
    async add(paths: readonly string[]): Promise<Backbone> {
      const file = await findModelFile(paths)
      const entry = await catalogueEntryOf(file, catalogue)
      const taken = new Set([...(await list()).map(({ id }) => id), ...(await store.ids())])
      const info = await installBackbone(store, prepare, file, (result) =>
        entry ? describeEntry(entry) : describeAdded(file, result, (id) => taken.has(id)),
      )
      bus.publish({ type: 'backbones' })
      return { ...fromStore(info, null), rate: rates.features(info.id) }
    },

    /** Deletes it from the store. A folder's own files are never touched. @throws KestrelError backbone-unknown */
    async remove(id: string): Promise<void> {
      if ((await store.read(id)) === null)
        throw new KestrelError('backbone-unknown', 'This backbone is not in the store.', {
          remedy: 'It belongs to a folder or has not been downloaded: there is nothing to remove.',
        })
      await store.remove(id)
      bus.publish({ type: 'backbones' })
    },
  }
}
