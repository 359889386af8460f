import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import type { ImportPlan, ImportProblem, LabelRule } from '#shared/contract/projects.ts'
import type { SplitName } from '#shared/contract/trainer.ts'
import { planFolders } from '#shared/domain/folder-labels.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Job } from '#shared/jobs/job.ts'
import { freeBytes } from '../files.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import type { SourceStore } from '../sources/source-store.ts'
import { listSource, packedContents } from '../sources/source-files.ts'
import { bytesNeeded } from '../sources/space.ts'
import type { Uploads } from '../sources/uploads.ts'
import { createImportsRepository } from '../storage/imports-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createSourcesRepository } from '../storage/sources-repository.ts'
import { runImport } from './import-job.ts'
import { importOptionsSchema } from './import-options.ts'
import type { ImportOptions } from './import-options.ts'
import type { PictureReader } from './picture-reader.ts'
import type { TwinFinder } from './twins.ts'
import { leadingFolders, stripLeading } from './placement.ts'

export interface ImportChoices {
  rule: LabelRule
  labelId?: number
  keepSplit: boolean
  storage: 'copy' | 'reference'
}

export interface SyncChoices {
  rule: LabelRule
  storage: 'copy' | 'reference'
  /** Keep train/val/test folders as the split. */
  keepSplit: boolean
  /** All pictures of this folder are of one side: `--test-folder`. */
  forcedSplit?: SplitName
}

export interface ImportService {
  /** Looks at names only. @param projectId null for a project that is still to be made */
  inspect(projectId: string | null, token: string): Promise<ImportPlan>
  start(projectId: string, token: string, choices: ImportChoices): Promise<Job>
  /** Imports a folder, whatever it is: the sample, a folder of the command line. */
  startFolder(projectId: string, folder: string, choices: ImportChoices): Job
  /**
   * Brings the project in step with a folder that was (perhaps) imported before. Unchanged files are recognised by
   * path, size and time without reading them, moved ones by content; labels follow the folders; what is gone is excluded.
   */
  syncFolder(projectId: string, folder: string, choices: SyncChoices): Job
  /**
   * All files of folders that were synced, each once: pictures, copies among them, what could not be read, and copies whose
   * folder says another label or side than the place that counts.
   */
  folderSummary(
    projectId: string,
    folders: readonly string[],
  ): { read: number; duplicates: number; skipped: FileNote[]; conflicts: FileNote[] }
  problems(
    projectId: string,
    offset: number,
    limit: number,
  ): { total: number; duplicates: number; problems: ImportProblem[] }
  /** Imports that were interrupted go on. */
  resume(project: OpenProject): void
}

/** What there is to say of one file; `file` is its path below the folder. */
export interface FileNote {
  file: string
  code: string
  message: string
}

export interface ImportPorts {
  registry: ProjectRegistry
  jobs: JobRunner
  sources: SourceStore
  uploads: Uploads
  /** Where new projects go; perhaps not there yet. */
  newProjectsFolder(): Promise<string>
  reader: PictureReader
  twins: Pick<TwinFinder, 'compare'>
  reportError(error: unknown): void
  /** An import has ended: the start page shows new pictures. */
  ended(projectId: string): void
}

export function createImportService(ports: ImportPorts): ImportService {
  const { registry, jobs, sources, uploads } = ports

  function begin(project: OpenProject, options: ImportOptions, id: string = randomUUID()): Job {
    const importId = project.use(createImportsRepository).create(id, JSON.stringify(options))
    return run(project, importId, id, options)
  }

  function run(project: OpenProject, importId: number, id: string, options: ImportOptions): Job {
    return jobs.start({
      id,
      kind: 'import',
      projectId: project.projectId,
      title: options.title,
      stage: 'scanning',
      queue: `import ${project.projectId}`,
      async run(context) {
        try {
          return await runImport({ project, importId, options, context }, ports)
        } finally {
          ports.ended(project.projectId)
        }
      },
    })
  }

  const optionsFor = (roots: string[], title: string, choices: ImportChoices): ImportOptions => ({
    roots,
    title,
    staging: null,
    storage: choices.storage,
    remember: true,
    placement: {
      rule: choices.rule,
      labelId: choices.labelId ?? null,
      keepSplit: choices.keepSplit,
      forcedSplit: null,
      strip: 0,
      layout: { wrapper: 0, splitLevel: null },
    },
    total: null,
    sync: false,
    leftOut: [],
  })

  return {
    async inspect(projectId, token) {
      const folder = projectId === null ? await ports.newProjectsFolder() : registry.get(projectId).folder
      const paths = sources.paths(token, 'read')
      const relatives: string[] = []
      let bytes = 0
      let ignored = 0
      for await (const file of listSource(paths, {
        onIgnored: () => ignored++,
        onUnreadable: () => ignored++,
      })) {
        relatives.push(file.relative)
        bytes += file.bytes
      }
      const { layout: _layout, ...plan } = planFolders(
        stripLeading(relatives, leadingFolders(relatives)),
        titleOf(paths),
      )
      return {
        ...plan,
        bytes,
        ignored,
        mustCopy: uploads.isUpload(token) || hasZip(paths),
        needsBytes: bytesNeeded({ pictures: relatives.length, bytes }, await packedContents(paths)),
        freeBytes: await freeBytes(existingAbove(folder)),
      }
    },

    async start(projectId, token, choices) {
      const project = registry.get(projectId)
      if (choices.labelId !== undefined && !project.use(createLabelsRepository).find(choices.labelId))
        throw new KestrelError('not-found', 'This label is not there any more.', {
          kept: 'Nothing was imported.',
          remedy: 'Choose another label.',
        })
      const id = randomUUID()
      const staging = join(project.paths.temporary, `import-${id}`)
      const title = titleOf(sources.paths(token, 'read'))
      // Files that were sent belong to the import from now on: they have to be there after a restart.
      const leftOut = await uploads.moveInto(token, join(staging, 'sent'))
      const roots = sources.paths(token, 'read')
      const transient = leftOut !== null || hasZip(roots)
      if (transient) await mkdir(staging, { recursive: true })
      const options = optionsFor(roots, title, choices)
      return begin(
        project,
        {
          ...options,
          staging: transient ? staging : null,
          // What lies in the staging folder is gone afterwards: it must be copied, and is never met again.
          storage: transient ? 'copy' : choices.storage,
          remember: !transient,
          leftOut: leftOut ?? [],
        },
        id,
      )
    },

    startFolder: (projectId, folder, choices) =>
      begin(registry.get(projectId), optionsFor([resolve(folder)], basename(folder), choices)),

    syncFolder(projectId, folder, { forcedSplit, ...choices }) {
      const options = optionsFor([resolve(folder)], basename(resolve(folder)), choices)
      return begin(registry.get(projectId), {
        ...options,
        placement: { ...options.placement, forcedSplit: forcedSplit ?? null },
        sync: true,
      })
    },

    folderSummary(projectId, folders) {
      const sources = registry.get(projectId).use(createSourcesRepository)
      // Folders may lie in each other: the later one is where a file of both is told of.
      const found = new Map(
        folders
          .map((folder) => resolve(folder))
          .flatMap((root) => sources.below(root + sep).map((row) => [row.path, { root, row }] as const)),
      )
      const rows = [...found.values()].filter(({ row }) => row.gone === 0)
      const pictures = rows.flatMap(({ row }) => row.pictureId ?? [])
      const notes = (ofPictures: boolean): FileNote[] =>
        rows.flatMap(({ root, row: { path, pictureId, code, message } }) =>
          (pictureId !== null) === ofPictures && code !== null
            ? [{ file: relative(root, path).split(sep).join('/'), code, message: message ?? '' }]
            : [],
        )
      return {
        read: pictures.length,
        duplicates: pictures.length - new Set(pictures).size,
        skipped: notes(false),
        conflicts: notes(true),
      }
    },

    problems(projectId, offset, limit) {
      const imports = registry.get(projectId).use(createImportsRepository)
      const { duplicates } = imports.totals()
      return { total: imports.problemCount(), duplicates, problems: imports.problems(offset, limit) }
    },

    resume(project) {
      for (const row of project.use(createImportsRepository).unfinished()) {
        const options = importOptionsSchema.parse(JSON.parse(row.options))
        run(project, row.id, row.jobId, options)
      }
    },
  }
}

/** The folder itself, or the nearest one above that is there. */
const existingAbove = (folder: string): string =>
  existsSync(folder) || dirname(folder) === folder ? folder : existingAbove(dirname(folder))

const hasZip = (paths: readonly string[]): boolean => paths.some((path) => /\.zip$/i.test(path))

function titleOf(paths: readonly string[]): string {
  const [first] = paths
  if (first === undefined) return ''
  return paths.length === 1 ? basename(first) : `${basename(first)} + ${paths.length - 1}`
}
