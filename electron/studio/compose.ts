import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createRouterClient } from '@orpc/server'
import type { Reveal } from '#shared/contract/broker.ts'
import { resourcesFolder, rendererFolder } from '#shared/util/app-folders.ts'
import { logsFolder } from '#shared/util/home.ts'
import { composeBase } from './compose-base.ts'
import { composeTraining } from './compose-training.ts'
import type { TrainingOptions } from './compose-training.ts'
import type { Log } from './log.ts'
import type { TrainerLauncher } from './parent-link.ts'
import { createApp } from './server/app.ts'
import { pictureMedia } from './server/media.ts'
import { labellingRouter, labelsRouter, picturesRouter } from './server/routers/dataset.ts'
import { importsRouter, projectsRouter } from './server/routers/projects.ts'
import { jobsRouter, systemRouter } from './server/routers/system.ts'
import { os } from './server/rpc.ts'
import { createSubscriptions } from './server/subscriptions.ts'

export interface StudioOptions extends TrainingOptions {
  version: string
  mode: 'desktop' | 'browser'
  /** See StudioPorts. */
  oneShot?: boolean
  /** User-data folder; made when it is not there. */
  home: string
  log: Log
  launcher: TrainerLauncher
  /** Folder of the built page; the app's own when left out. */
  pageFolder?: string
  heartbeatMs?: number
}

/** How long running work may take to end by itself when the studio closes. */
const ASK_FOR_MS = 3_000

export type Studio = Awaited<ReturnType<typeof composeStudio>>

/** The one place where the whole studio is put together. Nothing in it is global: tests make several. */
export async function composeStudio({ version, mode, home, log, launcher, ...options }: StudioOptions) {
  const base = await composeBase({
    home,
    log,
    hooks: () => [training.hooks],
    lastAccuracy: (project) => training.lastAccuracy(project),
  })
  const { bus, jobs, registry, settings, sources, projects, imports, pictures } = base
  const ports = {
    version,
    mode,
    oneShot: options.oneShot,
    home,
    log,
    bus,
    jobs,
    registry,
    launcher,
    sources: base.access,
    datasets: base.datasets,
    refreshRecent: base.refreshRecent,
    twins: base.twins,
    settled: (projectId: string) => base.labelling.settled(projectId),
  }
  const training = composeTraining(ports, options)

  /** The bundled pictures are copied like any others: the sample is a project to play with. */
  async function makeSample(): Promise<{ projectId: string; jobId: string }> {
    const project = await projects.createNumbered('Forest finds')
    const folder = join(resourcesFolder(), 'samples', 'forest-finds')
    const choices = { rule: 'parent', keepSplit: true, storage: 'copy' } as const
    return {
      projectId: project.projectId,
      jobId: imports.startFolder(project.projectId, folder, choices).id,
    }
  }

  const subscriptions = createSubscriptions({ bus, jobs, heartbeatMs: options.heartbeatMs })
  const router = os.router({
    system: systemRouter({
      version,
      mode,
      home,
      settings,
      sources,
      subscriptions,
      jobs,
      engines: () => training.engines(),
      engineWords: () => training.engineWords(),
    }),
    jobs: jobsRouter(jobs),
    projects: projectsRouter(projects, makeSample),
    imports: importsRouter(imports),
    pictures: picturesRouter(pictures),
    labels: labelsRouter(base.labelling),
    labelling: labellingRouter(base.labelling),
    ...training.router,
  })

  const locate = async (what: Reveal): Promise<string> => {
    switch (what.what) {
      case 'project':
        return projects.folderOf(what.projectId)
      case 'export':
        return training.exportFolder(what.projectId, what.exportId)
      case 'source':
        return sources.anyPath(what.token)
      case 'home':
        return home
      case 'logs':
        return logsFolder(home)
    }
  }
  const fetch = createApp({
    log,
    router,
    media: [training.media, pictureMedia(base)],
    sources,
    uploads: base.uploads,
    pageFolder: options.pageFolder ?? rendererFolder(),
    locate,
    status: () => {
      const others = jobs.list(null).filter((job) => job.endedAt === null && job.kind !== 'train')
      return { trainings: training.status(), otherJobs: others.length }
    },
  })

  return {
    ...base,
    /** For both doors. */
    fetch,
    /** The very contract, in this process: the command line's way. */
    client: createRouterClient(router, { context: { door: 'inside' as const, log } }),
    training: training.services,
    /** Finishes what is being written, gives locks back, ends trainers. */
    async close(): Promise<void> {
      subscriptions.closeAll()
      // First asked: a training hands over its best so far. Then the trainers end, which ends whatever still waits for
      // them. A database closes as soon as no job writes to it any more, whatever a trainer is still doing.
      const stopping = jobs.stopAll()
      const closing = stopping.then(() => projects.closeAll())
      await Promise.race([stopping, wait(ASK_FOR_MS, undefined, { ref: false })])
      await Promise.all([training.close(), closing])
      await base.uploads.close()
    },
  }
}
