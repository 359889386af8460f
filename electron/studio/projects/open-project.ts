import { join } from 'node:path'
import type { StudioEvent } from '#shared/contract/system.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { ProjectDatabase } from '../storage/database.ts'
import { createProjectRepository } from '../storage/project-repository.ts'
import { openThumbnailsDatabase } from '../storage/thumbnails-database.ts'
import type { ThumbnailsDatabase } from '../storage/thumbnails-database.ts'

type What = Extract<StudioEvent, { type: 'changed' }>['what'][number]

/** A project that is open in this process. Capabilities keep what they need of it with {@link OpenProject.use}. */
export interface OpenProject {
  readonly projectId: string
  readonly folder: string
  readonly paths: {
    images: string
    features: string
    runs: string
    exports: string
    /** State of trainings under way, a folder per run: what lets them go on after a kill. */
    checkpoints: string
    /** For files that are being written; emptied when the project is opened. */
    temporary: string
  }
  readonly db: ProjectDatabase
  readonly thumbnails: ThumbnailsDatabase
  /** One instance per project and factory: `project.use(createPicturesRepository)`. */
  use<T>(factory: (db: ProjectDatabase) => T): T
  /** The name now (it may be renamed while open). */
  name(): string
  /** Grows with every change of pictures or labels. */
  revision(): number
  /** Changes whenever anything a view shows may have changed, also without a new revision. In memory only. */
  viewVersion(): number
  /**
   * To be called inside the transaction that changes pictures or labels.
   * @returns the new revision. Call {@link OpenProject.announce} after the transaction.
   */
  nextRevision(): number
  /** Tells the windows which views are out of date. */
  announce(...what: What[]): void
  /** Closes its databases and gives the lock back. */
  close(): void
}

export interface OpenProjectParts {
  projectId: string
  folder: string
  db: ProjectDatabase
  bus: EventBus
}

export function createOpenProject({ projectId, folder, db, bus }: OpenProjectParts): OpenProject {
  const thumbnails = openThumbnailsDatabase(join(folder, 'cache', 'thumbnails.db'))
  const instances = new Map<unknown, unknown>()
  const use = <T>(factory: (from: ProjectDatabase) => T): T => {
    if (!instances.has(factory)) instances.set(factory, factory(db))
    return instances.get(factory) as T
  }
  const facts = use(createProjectRepository)
  let viewVersion = 0
  return {
    projectId,
    folder,
    paths: {
      images: join(folder, 'images'),
      features: join(folder, 'cache', 'features'),
      runs: join(folder, 'runs'),
      exports: join(folder, 'exports'),
      checkpoints: join(folder, 'cache', 'checkpoints'),
      temporary: join(folder, 'cache', 'temporary'),
    },
    db,
    thumbnails,
    use,
    name: () => facts.facts()?.name ?? '',
    revision: () => facts.revision(),
    viewVersion: () => viewVersion,
    nextRevision: () => {
      viewVersion++
      return facts.nextRevision()
    },
    announce(...what) {
      viewVersion++
      bus.publish({ type: 'changed', projectId, revision: facts.revision(), what })
    },
    close() {
      thumbnails.close()
      db.close()
    },
  }
}

/** The projects that are open now. */
export interface ProjectRegistry {
  /** @throws KestrelError project-not-found when it is not open */
  get(projectId: string): OpenProject
  all(): OpenProject[]
  add(project: OpenProject): void
  remove(projectId: string): void
}

export function createProjectRegistry(): ProjectRegistry {
  const projects = new Map<string, OpenProject>()
  return {
    get(projectId) {
      const project = projects.get(projectId)
      if (!project)
        throw new KestrelError('project-not-found', 'This project is not open.', {
          remedy: 'Open it from the start page.',
        })
      return project
    },
    all: () => [...projects.values()],
    add: (project) => {
      projects.set(project.projectId, project)
    },
    remove: (projectId) => {
      projects.delete(projectId)
    },
  }
}
