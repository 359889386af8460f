import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, realpath, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Project, RecentProject } from '#shared/contract/projects.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import type { ProjectHooks } from '../ports.ts'
import type { SettingsService } from '../settings/settings.ts'
import type { SourceStore } from '../sources/source-store.ts'
import type { LeftOut } from '../sources/left-out.ts'
import type { Uploads } from '../sources/uploads.ts'
import { databaseFile, openProjectDatabase } from '../storage/database.ts'
import { createProjectRepository } from '../storage/project-repository.ts'
import type { ProjectFacts } from '../storage/project-repository.ts'
import { numberedName, projectFolderName } from './folder-name.ts'
import { folderToWriteInto, makeFolder, makeNewFolder, projectFolderOf } from './folders.ts'
import { createOpenProject } from './open-project.ts'
import type { OpenProject, ProjectRegistry } from './open-project.ts'
import type { Recents } from './recents.ts'

export interface ProjectsPorts {
  log: Log
  bus: EventBus
  jobs: JobRunner
  registry: ProjectRegistry
  recents: Recents
  settings: SettingsService
  sources: SourceStore
  uploads: Pick<Uploads, 'isUpload' | 'leftOut' | 'moveOut' | 'contains'>
  /** Asked at the time of use: capabilities register while the studio is put together. */
  hooks(): readonly ProjectHooks[]
}

export interface ProjectsService {
  recent(): Promise<RecentProject[]>
  create(name: string, parentToken?: string): Promise<Project>
  /** As `create` in the standard folder; a number is put behind the name where it is taken. */
  createNumbered(name: string): Promise<Project>
  /** For the file manager. @throws KestrelError project-not-found */
  folderOf(projectId: string): Promise<string>
  openRecent(projectId: string): Promise<Project>
  /**
   * A project that was dropped or chosen. One that a browser sent is moved into the projects folder first: where sent
   * files wait it would be deleted.
   * @throws KestrelError not-found, project-not-found, project-newer, project-locked, project-damaged
   */
  openSource(token: string): Promise<Project>
  /** The command line's way: an existing project, or a new one in an absent or empty folder. */
  openOrCreateAt(folder: string, name: string): Promise<Project>
  get(projectId: string): Project
  rename(projectId: string, name: string): Promise<Project>
  forget(projectId: string): Promise<void>
  close(projectId: string): Promise<void>
  closeAll(): Promise<void>
}

/** Projects on this machine: making, opening, closing, and the list of recent ones. */
export function createProjectsService(ports: ProjectsPorts): ProjectsService {
  const { registry, recents, jobs } = ports
  /** Two windows that open the same folder at once get the same project. */
  const opening = new Map<string, Promise<OpenProject>>()
  const closing = new Map<string, Promise<void>>()
  const arriving = new Map<string, Promise<OpenProject>>()

  function openFolder(folder: string, create?: { name: string }): Promise<OpenProject> {
    const known = registry.all().find((project) => project.folder === folder)
    if (known && !closing.has(known.projectId)) return Promise.resolve(known)
    const underway = opening.get(folder)
    if (underway) return underway
    const open = (async () => {
      if (known) await closing.get(known.projectId)
      return await reallyOpen(folder, create)
    })().finally(() => opening.delete(folder))
    opening.set(folder, open)
    return open
  }

  async function reallyOpen(folder: string, create?: { name: string }): Promise<OpenProject> {
    if (await ports.uploads.contains(folder)) throw wouldBeDeleted()
    const db = openProjectDatabase(folder)
    let project: OpenProject | null = null
    try {
      const repository = createProjectRepository(db)
      const facts = repository.facts() ?? initialise(repository, create?.name ?? nameOfFolder(folder))
      if (await isCopy(facts.id, folder)) {
        facts.id = randomUUID()
        repository.changeId(facts.id)
      }
      project = createOpenProject({ projectId: facts.id, folder, db, bus: ports.bus })
      await prepareFolders(project)
      registry.add(project)
      await remember(facts, folder)
      for (const hook of ports.hooks()) hook.opened?.(project)
      ports.log.info('project opened')
      return project
    } catch (error) {
      if (project) registry.remove(project.projectId)
      ;(project ?? db).close()
      throw error
    }
  }

  /** A project that was sent gets a place where it stays. Asked twice at once, it is moved once. */
  function keepSent(token: string): Promise<OpenProject> {
    const underway = arriving.get(token)
    if (underway) return underway
    const keep = (async () => {
      const sent = await projectFolderOf(ports.sources.paths(token, 'read'))
      const [missing, ...more] = ports.uploads.leftOut(token)
      if (missing) throw incomplete(missing, more.length)
      const { folder } = await freePlace(nameOfFolder(sent))
      await ports.uploads.moveOut(token, folder)
      try {
        return await openFolder(folder)
      } catch (error) {
        // Newer, damaged …: the person still has the folder that was sent, and a copy nobody can open helps nobody.
        await rm(folder, { recursive: true, force: true })
        throw error
      }
    })().finally(() => arriving.delete(token))
    arriving.set(token, keep)
    return keep
  }

  /** A place in the projects folder that is free; a number is put behind the name where it is taken. */
  async function freePlace(wanted: string): Promise<{ folder: string; name: string }> {
    const parent = await ports.settings.projectsFolder()
    await mkdir(parent, { recursive: true })
    const inside = await realpath(parent)
    for (let number = 1; ; number++) {
      const name = numberedName(wanted, number)
      const folder = join(inside, projectFolderName(name))
      if (!existsSync(folder)) return { folder, name }
    }
  }

  /** A folder that was copied beside its original answers to an id of its own. */
  async function isCopy(projectId: string, folder: string): Promise<boolean> {
    if (registry.all().some((project) => project.projectId === projectId)) return true
    const other = await recents.find(projectId)
    return other !== undefined && other.folder !== folder && existsSync(databaseFile(other.folder))
  }

  const remember = (facts: ProjectFacts, folder: string): Promise<void> =>
    recents.change(facts.id, (before) => ({
      pictures: 0,
      labels: [],
      strip: 0,
      stripFiles: [],
      accuracy: null,
      ...before,
      projectId: facts.id,
      name: facts.name,
      folder,
      openedAt: Date.now(),
    }))

  async function closeProject(projectId: string): Promise<void> {
    const project = registry.all().find((each) => each.projectId === projectId)
    if (!project) return
    const underway = closing.get(projectId)
    if (underway) return underway
    const close = (async () => {
      await jobs.stopAll(projectId)
      for (const hook of ports.hooks()) await hook.closing?.(project)
      registry.remove(projectId)
      project.close()
      ports.log.info('project closed')
    })().finally(() => closing.delete(projectId))
    closing.set(projectId, close)
    return close
  }

  return {
    async recent() {
      const list = await recents.list()
      return Promise.all(
        list.map(async ({ folder, stripFiles, ...recent }) => ({
          ...recent,
          strip: stripFiles.length,
          location: dirname(folder),
          missing: !existsSync(databaseFile(folder)),
        })),
      )
    },

    async create(name, parentToken) {
      const parent =
        parentToken === undefined
          ? await ports.settings.projectsFolder()
          : await folderToWriteInto(ports.sources.paths(parentToken, 'write')[0])
      await mkdir(parent, { recursive: true })
      const folder = join(await realpath(parent), projectFolderName(name))
      await makeNewFolder(folder, name)
      return viewOf(await openFolder(folder, { name }))
    },

    async createNumbered(wanted) {
      const { folder, name } = await freePlace(wanted)
      await makeNewFolder(folder, name)
      return viewOf(await openFolder(folder, { name }))
    },

    async folderOf(projectId) {
      const open = registry.all().find((project) => project.projectId === projectId)
      const folder = open?.folder ?? (await recents.find(projectId))?.folder
      if (folder === undefined)
        throw new KestrelError('project-not-found', 'This project is not on the list any more.')
      return folder
    },

    async openRecent(projectId) {
      const open = registry.all().find((project) => project.projectId === projectId)
      const recent = await recents.find(projectId)
      const folder = open?.folder ?? recent?.folder
      if (folder === undefined)
        throw new KestrelError('project-not-found', 'This project is not on the list any more.', {
          remedy: 'Go back to all projects and drop its folder on the window.',
        })
      if (!existsSync(databaseFile(folder)))
        throw new KestrelError('project-not-found', `The folder of “${recent?.name ?? ''}” is not there.`, {
          remedy: 'Connect its disk or find the folder, then drop it on the window.',
        })
      const project = await openFolder(folder)
      await remember(factsOf(project), folder)
      return viewOf(project)
    },

    async openSource(token) {
      if (ports.uploads.isUpload(token) || arriving.has(token)) return viewOf(await keepSent(token))
      return viewOf(await openFolder(await projectFolderOf(ports.sources.paths(token, 'read'))))
    },

    async openOrCreateAt(folder, name) {
      const absolute = resolve(folder)
      if (existsSync(databaseFile(absolute))) return viewOf(await openFolder(await realpath(absolute)))
      await makeFolder(absolute)
      if ((await readdir(absolute)).length > 0)
        throw new KestrelError('folder-not-empty', `The folder “${basename(absolute)}” is not empty.`, {
          kept: 'Nothing was changed.',
          remedy: 'Name an empty or new folder, or a Kestrel project.',
        })
      return viewOf(await openFolder(await realpath(absolute), { name }))
    },

    get: (projectId) => viewOf(registry.get(projectId)),

    async rename(projectId, name) {
      const project = registry.get(projectId)
      project.use(createProjectRepository).rename(name.trim())
      await remember(factsOf(project), project.folder)
      project.announce('project')
      return viewOf(project)
    },

    forget: (projectId) => recents.forget(projectId),
    close: closeProject,
    async closeAll() {
      await Promise.all(registry.all().map((project) => closeProject(project.projectId)))
    },
  }
}

type Repository = ReturnType<typeof createProjectRepository>

function initialise(repository: Repository, name: string): ProjectFacts {
  repository.initialise({ id: randomUUID(), name, createdAt: Date.now() })
  return repository.facts()!
}

const incomplete = ({ file, message }: LeftOut, more: number): KestrelError =>
  new KestrelError(
    'file-unreadable',
    `The project did not arrive whole: “${file}”${more > 0 ? ` and ${more} more` : ''} is missing. ${message}`,
    {
      kept: 'Nothing was opened, and the folder you dropped is as it was.',
      remedy: 'Close the project where it is open, then drop it again.',
    },
  )

const wouldBeDeleted = (): KestrelError =>
  new KestrelError('bad-request', 'This project lies where sent files wait, and would be deleted there.', {
    kept: 'Nothing was changed.',
    remedy: 'Move its folder to where your projects are, then open it there.',
  })

const nameOfFolder = (folder: string): string => basename(folder).replace(/\.kestrel$/i, '')
const factsOf = (project: OpenProject): ProjectFacts => project.use(createProjectRepository).facts()!

function viewOf(project: OpenProject): Project {
  const { id, ...facts } = factsOf(project)
  return { projectId: id, location: project.folder, ...facts }
}

/** What an interrupted write left behind goes; files an import still needs stay (see datasets). */
async function prepareFolders(project: OpenProject): Promise<void> {
  const { images, features, runs, temporary } = project.paths
  for (const folder of [images, features, runs, temporary]) await mkdir(folder, { recursive: true })
  for (const name of await readdir(temporary))
    if (!name.startsWith('import-')) await rm(join(temporary, name), { recursive: true, force: true })
}
