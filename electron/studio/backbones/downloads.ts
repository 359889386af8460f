import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import { describeEntry } from './added.ts'
import type { CatalogueEntry } from './catalogue.ts'
import { defaultDownload, download } from './download.ts'
import type { DownloadOptions } from './download.ts'
import { installBackbone } from './installer.ts'
import type { PrepareBackbone } from './installer.ts'
import type { BackboneStore } from './store.ts'

/** Backbones of the catalogue on their way into the store, each as a job. */
export function createDownloads(ports: {
  store: BackboneStore
  catalogue: readonly CatalogueEntry[]
  prepare: PrepareBackbone
  jobs: JobRunner
  bus: EventBus
  options?: DownloadOptions
}) {
  const { store, catalogue, prepare, jobs, bus, options = defaultDownload } = ports
  /** Jobs, by backbone. */
  const downloads = new Map<string, string>()
  return {
    isRunning: (id: string): boolean => downloads.has(id),

    /** @throws KestrelError backbone-unknown */
    start(id: string): { jobId: string } {
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
              options,
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
  }
}
