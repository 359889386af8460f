import type { PreparedBackbone } from '#shared/contract/trainer.ts'
import type { Backbone } from '#shared/contract/use.ts'
import { preprocessingOf } from '#shared/domain/preprocessing/scaling.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Log } from '../log.ts'
import { describeAgain } from './added.ts'
import type { ListBackbones } from './all-backbones.ts'
import type { CatalogueEntry } from './catalogue.ts'
import type { FolderBackbone } from './folder-source.ts'
import type { BackboneFolders } from './folders.ts'
import { installBackbone } from './installer.ts'
import type { PrepareBackbone } from './installer.ts'
import { architectureOfId, nameOf, wordsOf } from './known-architectures.ts'
import type { BackboneInfo, BackboneStore } from './store.ts'

export interface ReadyBackbone extends PreparedBackbone {
  name: string
  licence: string
}

/** Backbones made ready to run: prepared when they are needed first, and anew when what was prepared is damaged. */
export function createPreparation(ports: {
  store: BackboneStore
  folders: BackboneFolders
  list: ListBackbones
  catalogue: readonly CatalogueEntry[]
  prepare: PrepareBackbone
  log: Log
}) {
  const { store, folders, list, catalogue, prepare, log } = ports
  const preparing = new Map<string, Promise<ReadyBackbone>>()

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
    const own = (await folders.builtIn()).find((candidate) => candidate.id === id)
    if (stored !== null && 'info' in stored && !isOutdated(stored.info, own)) {
      const { info, problem } = stored
      if (problem === null) return ready(info)
      if (await store.originalIsWhole(info)) {
        log.warn(`backbone ${id} is prepared anew: ${problem}`)
        return ready(
          await installBackbone(store, prepare, store.originalPath(info), (result) =>
            describeAgain(info, result),
          ),
        )
      }
    }
    const named = await folders.named()
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
        info.origin === 'built-in' ? (await folders.builtIn()).find((entry) => entry.id === id) : undefined
      return isOutdated(info, own) ? null : ready(info)
    },
  }
}

/** Whether it was prepared from what an earlier Kestrel brought along. */
const isOutdated = (info: BackboneInfo, own: FolderBackbone | undefined): boolean =>
  info.origin === 'built-in' && own?.problem === null && own.sha256 !== info.originalSha256

const unusable = ({ name, detail }: Pick<Backbone, 'name' | 'detail'>): KestrelError =>
  new KestrelError('backbone-unsupported', `“${name}” cannot serve as a backbone: ${detail}`, {
    kept: 'Pictures, labels and trained models are not touched.',
  })
