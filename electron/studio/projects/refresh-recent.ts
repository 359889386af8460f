import type { PicturesService } from '../datasets/pictures-service.ts'
import type { Log } from '../log.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import type { OpenProject, ProjectRegistry } from './open-project.ts'
import type { Recents } from './recents.ts'

const STRIP_PICTURES = 6
const WAIT_MS = 1_000

export interface RefreshPorts {
  log: Log
  registry: ProjectRegistry
  recents: Recents
  pictures: PicturesService
  /** Of the last finished run, or null. */
  lastAccuracy(project: OpenProject): number | null
}

export interface RecentRefresher {
  /** Some time soon; many calls in a row become one. Never throws. */
  soon(projectId: string): void
  /** At once, for a project that is about to be closed. Never throws. */
  now(project: OpenProject): Promise<void>
}

/** Keeps the start page's entry of a project up to date: pictures, labels, last accuracy, strip. */
export function createRecentRefresher(ports: RefreshPorts): RecentRefresher {
  const timers = new Map<string, NodeJS.Timeout>()

  async function now(project: OpenProject): Promise<void> {
    clearTimeout(timers.get(project.projectId))
    timers.delete(project.projectId)
    try {
      const counts = ports.pictures.counts(project.projectId)
      const strip = stripOf(
        project,
        ports.pictures,
        counts.labels.map((label) => label.id),
      )
      const stripFiles = await ports.recents.saveStrip(project.projectId, strip)
      const accuracy = ports.lastAccuracy(project)
      const labels = counts.labels.map(({ name, colour }) => ({ name, colour }))
      await ports.recents.update(project.projectId, (before) => ({
        ...before,
        name: project.name(),
        pictures: counts.active,
        labels,
        strip: stripFiles.length,
        stripFiles,
        accuracy,
      }))
    } catch (error) {
      ports.log.warn('the list of recent projects could not be brought up to date', error)
    }
  }

  return {
    now,
    soon(projectId) {
      if (timers.has(projectId)) return
      const timer = setTimeout(() => {
        timers.delete(projectId)
        const project = ports.registry.all().find((each) => each.projectId === projectId)
        // The start page draws the new strip when it hears of it.
        if (project) void now(project).then(() => project.db.sql.open && project.announce('project'))
      }, WAIT_MS)
      timer.unref()
      timers.set(projectId, timer)
    },
  }
}

/** A picture of each label in turn, so that the strip shows what the project is about. */
function stripOf(project: OpenProject, pictures: PicturesService, labelIds: readonly number[]): Uint8Array[] {
  const { projectId } = project
  const groups = labelIds.length === 0 ? [undefined] : labelIds
  const each = Math.ceil(STRIP_PICTURES / groups.length)
  const perGroup = groups
    .slice(0, STRIP_PICTURES)
    .map((label) =>
      pictures.ids({ projectId, filter: { show: 'active', label }, sort: 'added', from: 0, to: each }),
    )
  const ids = Array.from({ length: each }, (_, turn) => perGroup.map((group) => group[turn])).flat()
  return project
    .use(createPicturesRepository)
    .list(ids.filter((id) => id !== undefined))
    .flatMap((picture) => project.thumbnails.get(picture.sha256) ?? [])
    .slice(0, STRIP_PICTURES)
}
