import type { Hono } from 'hono'
import type { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from './events/event-bus.ts'
import type { JobRunner } from './jobs/job-runner.ts'
import type { Log } from './log.ts'
import type { TrainerLauncher } from './parent-link.ts'
import type { OpenProject, ProjectRegistry } from './projects/open-project.ts'

/** A file of a source, readable at `path` now. */
export interface SourceFile {
  path: string
  /** Relative to what was dropped, '/' between folders. */
  relative: string
  bytes: number
}

export interface SourceFilesOptions {
  into: string
  signal?: AbortSignal
  /** Told of a file in a zip that cannot be unpacked; the others go on. Without it the first such file ends it all. */
  onSkipped?: (relative: string, error: KestrelError) => void
}

/** What the person dropped, chose or uploaded, behind its token. */
export interface SourceAccess {
  /** Paths as dropped. @throws KestrelError not-found when the token is unknown or for another purpose */
  paths(token: string, purpose: 'read' | 'write'): string[]
  /**
   * Without unpacking anything: whether it is single files only (no folder, no zip), and whether there is none.
   * @throws KestrelError not-found, archive-damaged, archive-unsafe, archive-too-large
   */
  glance(token: string): Promise<{ loose: boolean; empty: boolean }>
  /**
   * Files that may be pictures, in a stable order; system files and hidden ones are left out. Entries of a zip are
   * written into `into` first (caps and names checked).
   * @throws KestrelError not-found, archive-unsafe, archive-too-large, archive-damaged
   */
  files(token: string, options: SourceFilesOptions): AsyncIterable<SourceFile>
  /** Deletes what a page sent under a token; what lies on the person's disk is left alone. */
  discard(token: string): Promise<void>
}

/** An existing label, or a name that is looked up and made when it is new. */
export type LabelOrName = { labelId: number } | { name: string }

/** What saying of a picture what it is has changed. */
export interface Said {
  pictureId: number
  /** The picture was in the project before. */
  alreadyThere: boolean
  /** It had another label, or none. */
  relabelled: boolean
  /** It was excluded and is not any more. */
  restored: boolean
}

/** Puts single pictures into a project: ✓ / ✗ in Use. */
export interface AddPicture {
  /**
   * One step of the history, also where the picture is there already.
   * @param path a picture file; it is copied.
   * @param name for the eye
   * @throws KestrelError when it cannot be read; not-found when the label is gone
   */
  addPicture(project: OpenProject, picture: { path: string; name: string; label: LabelOrName }): Promise<Said>
}

/** What every capability may ask for. */
export interface StudioPorts {
  version: string
  mode: 'desktop' | 'browser'
  /** The process ends with its work (a command): nothing is kept warm for what may come next. */
  oneShot?: boolean | undefined
  /** User-data folder. */
  home: string
  log: Log
  bus: EventBus
  jobs: JobRunner
  registry: ProjectRegistry
  sources: SourceAccess
  datasets: AddPicture
  launcher: TrainerLauncher
  /** Finds pictures of one shot among those that came last; a few milliseconds when none did. */
  twins: { compare(project: OpenProject): Promise<void> }
  /** Resolves when no change of labels is half-way through its pictures. */
  settled(projectId: string): Promise<void>
  /** Brings the start page's entry (strip, pictures, accuracy) up to date; cheap, asynchronous, never throws. */
  refreshRecent(projectId: string): void
}

/** Called by the projects capability around a project's life. */
export interface ProjectHooks {
  /** Recovery: an interrupted run is marked, an import goes on. */
  opened?(project: OpenProject): void
  /** Let go of what belongs to the project; its jobs have ended. */
  closing?(project: OpenProject): void | Promise<void>
}

/** Routes below `/media` of a capability: `media.get('/:projectId/prediction/:predictionId', …)`. */
export type MediaRoutes = (media: Hono) => void
