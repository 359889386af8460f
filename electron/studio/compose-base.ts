import { mkdir } from 'node:fs/promises'
import { KestrelError } from '#shared/errors/index.ts'
import { readForImport, readLook, renderPreview, renderThumbnail } from '#imaging/index.ts'
import { createAddPicture } from './datasets/add-picture.ts'
import { createImportService } from './datasets/import-service.ts'
import { createPicturesService } from './datasets/pictures-service.ts'
import { createThumbnailStore } from './datasets/thumbnails.ts'
import { createTwinFinder } from './datasets/twins.ts'
import { createEventBus } from './events/event-bus.ts'
import { createJobRunner } from './jobs/job-runner.ts'
import { createLabellingService } from './labelling/labelling-service.ts'
import type { Log } from './log.ts'
import type { ProjectHooks, SourceAccess } from './ports.ts'
import { createProjectRegistry } from './projects/open-project.ts'
import type { OpenProject } from './projects/open-project.ts'
import { createProjectsService } from './projects/projects-service.ts'
import { createRecents } from './projects/recents.ts'
import { createRecentRefresher } from './projects/refresh-recent.ts'
import { createSettingsService } from './settings/settings.ts'
import { createSourceStore } from './sources/source-store.ts'
import { glanceAt, sourceFiles } from './sources/source-files.ts'
import { createUploads } from './sources/uploads.ts'

export interface BaseOptions {
  /** User-data folder; made when it is not there. */
  home: string
  log: Log
  /** What capabilities built on top want to know of a project's life; asked when it happens. */
  hooks?: () => readonly ProjectHooks[]
  /** For the start page. */
  lastAccuracy?: (project: OpenProject) => number | null
}

export type StudioBase = Awaited<ReturnType<typeof composeBase>>

/** Projects, pictures and labels, put together: all that does not need a trainer. */
export async function composeBase({ home, log, hooks, lastAccuracy }: BaseOptions) {
  await mkdir(home, { recursive: true })
  const reportError = (error: unknown): void => {
    const foreseen = error instanceof KestrelError && error.code !== 'internal'
    if (foreseen) log.warn('work ended early', error)
    else log.error('unexpected error', error)
  }
  const bus = createEventBus(reportError)
  const jobs = createJobRunner({ bus, reportError })
  const registry = createProjectRegistry()
  const settings = createSettingsService({ home, log })
  const sources = createSourceStore()
  const uploads = createUploads({ home, sources, log })
  await uploads.clear()
  const recents = createRecents({ home, log })
  const reader = { readForImport, readLook, renderPreview, renderThumbnail }

  const pictures = createPicturesService({ registry })
  const thumbnails = createThumbnailStore({ reader })
  const labelling = createLabellingService({ registry, jobs })
  const twins = createTwinFinder({ reader, log })
  const datasets = createAddPicture({ reader, labelling })
  const refresher = createRecentRefresher({
    log,
    registry,
    recents,
    pictures,
    lastAccuracy: lastAccuracy ?? (() => null),
  })
  const imports = createImportService({
    registry,
    jobs,
    sources,
    uploads,
    newProjectsFolder: () => settings.projectsFolder(),
    reader,
    twins,
    reportError,
    ended: (projectId) => refresher.soon(projectId),
  })
  const ownHooks: ProjectHooks = {
    opened: (project) => {
      labelling.resume(project)
      imports.resume(project)
      twins.catchUp(project)
    },
    closing: (project) => {
      twins.forget(project)
      return refresher.now(project)
    },
  }
  const projects = createProjectsService({
    log,
    bus,
    jobs,
    registry,
    recents,
    settings,
    sources,
    uploads,
    hooks: () => [ownHooks, ...(hooks?.() ?? [])],
  })
  const access: SourceAccess = {
    paths: (token, purpose) => sources.paths(token, purpose),
    glance: (token) => glanceAt(sources.paths(token, 'read')),
    files: (token, options) => sourceFiles(sources.paths(token, 'read'), options),
    discard: (token) => uploads.discard(token),
  }
  return {
    home,
    log,
    bus,
    jobs,
    registry,
    settings,
    sources,
    access,
    uploads,
    recents,
    pictures,
    thumbnails,
    labelling,
    twins,
    datasets,
    imports,
    projects,
    refreshRecent: (projectId: string): void => refresher.soon(projectId),
  }
}
