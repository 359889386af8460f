import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { PreparedBackbone } from '#shared/contract/trainer.ts'
import type { Backbone } from '#shared/contract/use.ts'
import { preprocessingOf } from '#shared/domain/preprocessing/scaling.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import { catalogueEntryOf, describeAdded, describeAgain, describeEntry, findModelFile } from './added.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { defaultDownload, download } from './download.ts'
import type { DownloadOptions } from './download.ts'
import { readBackboneFolder } from './folder-source.ts'
import type { FolderBackbone } from './folder-source.ts'
import { hashFile } from './hash-file.ts'
import { installBackbone } from './installer.ts'
import type { PrepareBackbone } from './installer.ts'
import { architectureOfId, nameOf, wordsOf } from './known-architectures.ts'
import { byPreference, fromCatalogue, fromFolder, fromStore, undescribed } from './listing.ts'
import { createLooseBackbones } from './loose.ts'
import { readNamedFolder } from './named-folder.ts'
import type { NamedFolder } from './named-folder.ts'
import type { MeasuredRatesStore } from './rates.ts'
import { createBackboneStore } from './store.ts'
import type { BackboneInfo, StoredBackbone } from './store.ts'

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

export interface ReadyBackbone extends PreparedBackbone {
  name: string
  licence: string
}

export type BackboneService = ReturnType<typeof createBackboneService>

/**
 * Where backbones come from, in this order: the store, a folder, what Kestrel brings along, a download, a file of the
 * person's own.
 */
export function createBackboneService(ports: BackboneServicePorts) {
  const { catalogue, jobs, bus, log, rates, prepare } = ports
  const store = createBackboneStore(join(ports.home, 'backbones'))
  const downloads = new Map<string, string>()
  const preparing = new Map<string, Promise<ReadyBackbone>>()

  const looseBackbones = createLooseBackbones({ store, prepare, catalogue, log })

  const noFolder: NamedFolder = { described: [], loose: [], problem: null }
  const namedFolder = async (): Promise<NamedFolder> =>
    ports.folder === null ? noFolder : readNamedFolder(ports.folder, log)

  async function builtInEntries(): Promise<FolderBackbone[]> {
    if (ports.builtIn === null) return []
    try {
      return await readBackboneFolder(ports.builtIn)
    } catch (error) {
      log.warn('the folder of the built-in backbones cannot be read', error)
      return []
    }
  }

  /** From everywhere but files without an index, and what is in the store, whatever its state. */
  async function listDescribed(named: NamedFolder) {
    const found = new Map<string, Omit<Backbone, 'rate'>>()
    const inStore: StoredBackbone[] = []
    for (const entry of catalogue) found.set(entry.id, fromCatalogue(entry, downloads.has(entry.id)))
    for (const entry of await builtInEntries()) found.set(entry.id, fromFolder(entry, 'built-in'))
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
            fromStore(stored.info, (await originalIsWhole(stored.info)) ? null : stored.problem)
          : undescribed(id, stored.problem)
      if (listed.state === 'ready' || found.get(id)?.state !== 'ready') found.set(id, listed)
    }
    return { found, inStore, others }
  }

  async function list(): Promise<Backbone[]> {
    const named = await namedFolder()
    const { found, inStore, others } = await listDescribed(named)
    for (const each of await looseBackbones.list(named.loose, inStore, others)) found.set(each.id, each)
    return [...found.values()].sort(byPreference).map((each) => ({ ...each, rate: rates.features(each.id) }))
  }

  async function originalIsWhole(info: BackboneInfo): Promise<boolean> {
    try {
      return (await hashFile(store.originalPath(info), 'sha256')) === info.originalSha256
    } catch (error) {
      if (error instanceof Error && 'code' in error) return false
      throw error
    }
  }

  const ready = (info: BackboneInfo): ReadyBackbone => ({
    id: info.id,
    sha256: info.preparedSha256,
    onnxPath: store.preparedPath(info.id),
    featureLength: info.featureLength,
    preprocessing: info.preprocessing,
    name: info.name,
    licence: info.licence,
  })

  async function makeReady(id: string): Promise<ReadyBackbone> {
    const stored = await store.read(id)
    const own = (await builtInEntries()).find((candidate) => candidate.id === id)
    if (stored !== null && 'info' in stored && !isOutdated(stored.info, own)) {
      const { info, problem } = stored
      if (problem === null) return ready(info)
      if (await originalIsWhole(info)) {
        log.warn(`backbone ${id} is prepared anew: ${problem}`)
        return ready(
          await installBackbone(store, prepare, store.originalPath(info), (result) =>
            describeAgain(info, result),
          ),
        )
      }
    }
    const named = await namedFolder()
    const entry = named.described.find((candidate) => candidate.id === id)
    if (entry?.problem === null) return ready(await installFromFolder(entry, 'folder'))
    if (own?.problem === null) return ready(await installFromFolder(own, 'built-in'))
    if (named.loose.length > 0) {
      const loose = (await list()).find((candidate) => candidate.id === id && candidate.source === 'folder')
      if (loose?.state === 'broken') throw unusable(loose)
      const prepared = loose && (await store.read(id))
      if (prepared && 'info' in prepared && prepared.problem === null) return ready(prepared.info)
    }
    throw notReady(id, (entry ?? own) !== undefined || stored !== null)
  }

  /** Whether it was prepared from what an earlier Kestrel brought along. */
  const isOutdated = (info: BackboneInfo, own: FolderBackbone | undefined): boolean =>
    info.origin === 'built-in' && own?.problem === null && own.sha256 !== info.originalSha256

  const unusable = ({ name, detail }: Pick<Backbone, 'name' | 'detail'>): KestrelError =>
    new KestrelError('backbone-unsupported', `“${name}” cannot serve as a backbone: ${detail}`, {
      kept: 'Pictures, labels and trained models are not touched.',
    })

  function notReady(id: string, damaged: boolean): KestrelError {
    if (damaged)
      return new KestrelError('backbone-damaged', `The backbone "${id}" is damaged.`, {
        kept: 'Pictures, labels and trained models are not touched.',
        remedy: 'Remove it in Settings and get it again, or choose another one.',
      })
    if (catalogue.some((candidate) => candidate.id === id))
      return new KestrelError('no-backbone', 'This backbone has not been downloaded yet.', {
        remedy: 'Download it first, or choose another one.',
      })
    return new KestrelError('backbone-unknown', `There is no backbone "${id.slice(0, 80)}".`, {
      remedy: 'Choose another one.',
    })
  }

  const installFromFolder = (entry: FolderBackbone, origin: BackboneInfo['origin']): Promise<BackboneInfo> =>
    installBackbone(store, prepare, entry.file, (result) => {
      const architecture = result.architecture ?? architectureOfId(entry.id)
      return {
        id: entry.id,
        name: nameOf(architecture, entry.id),
        words: wordsOf(architecture),
        architecture,
        origin,
        licence: entry.licence,
        featureLength: entry.featureLength,
        preprocessing: preprocessingOf(entry.size, entry.scaling),
      }
    })

  return {
    list,

    /** Why a source gives nothing, in words for the person; files that cannot be used stand in the list. */
    async problems(): Promise<string[]> {
      const { problem } = await namedFolder()
      return problem === null ? [] : [problem]
    },

    /** Ids that everybody's Kestrel knows; all others come from files and folders of the person's own. */
    async publicIds(): Promise<ReadonlySet<string>> {
      return new Set([...catalogue, ...(await builtInEntries())].map(({ id }) => id))
    },

    /** The id of the backbone to take when the person does not choose; null: there is none, train on the pixels. */
    async recommended(): Promise<string | null> {
      return (await list()).find(({ state }) => state === 'ready')?.id ?? null
    },

    /**
     * A backbone ready to run; prepared now when it never was, or when what was prepared is damaged.
     * @throws KestrelError backbone-unknown, backbone-damaged, no-backbone (known, but not downloaded)
     */
    ensure(id: string): Promise<ReadyBackbone> {
      const running = preparing.get(id)
      if (running) return running
      const work = makeReady(id).finally(() => preparing.delete(id))
      preparing.set(id, work)
      return work
    },

    /** @throws KestrelError backbone-unknown, backbone-damaged, no-backbone */
    async requireReady(id: string): Promise<void> {
      const stored = await store.read(id)
      // Prepared before and whole: the other sources need not be looked through (and their files hashed).
      if (stored !== null && 'info' in stored && stored.problem === null) return
      const listed = (await list()).find((candidate) => candidate.id === id)
      if (listed?.state === 'broken' && listed.source === 'folder' && listed.featureLength === 0)
        throw unusable(listed)
      if (listed?.state !== 'ready') throw notReady(id, listed?.state === 'broken')
    },

    /** What was prepared of it before; null when nothing (whole) was. Nothing is prepared now. */
    async prepared(id: string): Promise<ReadyBackbone | null> {
      const stored = await store.read(id)
      if (stored === null || !('info' in stored) || stored.problem !== null) return null
      const { info } = stored
      const own =
        info.origin === 'built-in' ? (await builtInEntries()).find((entry) => entry.id === id) : undefined
      return isOutdated(info, own) ? null : ready(info)
    },

    /** @throws KestrelError backbone-unknown */
    download(id: string): { jobId: string } {
      const running = downloads.get(id)
      if (running !== undefined) return { jobId: running }
      const entry = catalogue.find((candidate) => candidate.id === id)
      if (!entry)
        throw new KestrelError('backbone-unknown', `The catalogue has no backbone "${id}".`, {
          remedy: 'Choose another one.',
        })
      const { id: jobId } = jobs.start({
        kind: 'download',
        projectId: null,
        title: entry.name,
        stage: 'downloading',
        queue: 'download',
        facts: { backboneId: id },
        run: async ({ signal, update }) => {
          try {
            const folder = join(store.folder, '.downloads')
            await mkdir(folder, { recursive: true })
            const target = join(folder, entry.file)
            await download(
              {
                ...{ urls: entry.urls, target, bytes: entry.bytes, hash: entry.hash, signal },
                onProgress: (done, total) => update({ stage: 'downloading', done, total }),
              },
              ports.downloadOptions ?? defaultDownload,
            )
            update({ stage: 'converting', done: 0, total: null })
            await installBackbone(store, prepare, target, () => describeEntry(entry), signal)
            await rm(target)
          } finally {
            downloads.delete(id)
            bus.publish({ type: 'backbones' })
          }
        },
      })
      downloads.set(id, jobId)
      bus.publish({ type: 'backbones' })
      return { jobId }
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
