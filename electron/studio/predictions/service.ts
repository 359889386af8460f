import { access } from 'node:fs/promises'
import type { Threshold } from '#shared/contract/use.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { toCsv } from '#shared/util/csv.ts'
import { isMissing } from '../files.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import type { AddPicture, LabelOrName, Said, SourceAccess } from '../ports.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { findModel, findRun } from '../runs/service.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'
import { answerFolder } from './folder-job.ts'
import type { FolderJob } from './folder-job.ts'
import type { FolderTable } from './folder-tables.ts'
import { countRows, createFolderTables, filterRows, sortedPictures, tableRows } from './folder-tables.ts'
import { givenFiles } from './given-files.ts'
import { predictionOf } from './given-pictures.ts'
import type { Answer } from './given-pictures.ts'
import { createHeldAnswers } from './held-answers.ts'
import type { KeptAnswers } from './kept-answers.ts'
import { createSinglePictures } from './single-pictures.ts'
import type { Question } from './single-pictures.ts'
import { folderName, sortedPlaces, sortInto } from './sort-into.ts'
import type { Thresholds } from './thresholds.ts'

export interface PredictionPorts {
  registry: ProjectRegistry
  jobs: JobRunner
  pool: TrainerPool
  sources: SourceAccess
  datasets: AddPicture
  thresholds: Thresholds
  kept: KeptAnswers
  bus: EventBus
  log: Log
}

export type PredictionsService = ReturnType<typeof createPredictionsService>
interface RunRef {
  projectId: string
  runId: string
}

const lastPart = (path: string): string =>
  path
    .replaceAll('\\', '/')
    .split('/')
    .findLast((part) => part !== '') ?? ''

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Using a model: single pictures at once, folders as a job. */
export function createPredictionsService(ports: PredictionPorts) {
  const { registry, jobs, pool, sources, datasets, thresholds, kept } = ports
  const atHand = new Map<string, ReturnType<typeof begin>>()
  const begin = () => ({ held: createHeldAnswers(), tables: createFolderTables() })
  const of = (project: OpenProject): ReturnType<typeof begin> => {
    const known = atHand.get(project.projectId) ?? begin()
    atHand.set(project.projectId, known)
    return known
  }
  const placeOf = (projectId: string) => {
    const project = registry.get(projectId)
    return { project, held: of(project).held }
  }

  const thresholdOf = (project: OpenProject, runId: string): Threshold =>
    thresholds.of(project, findRun(project, runId))
  const singles = createSinglePictures({ ...ports, thresholdOf })

  function findAnswer(project: OpenProject, id: string): { answer: Answer; path: string } {
    const { held, tables } = of(project)
    const answer = tables.row(id) ?? held.find(id) ?? kept.find(project, id)
    const path = answer?.path ?? null
    if (!answer || path === null)
      throw new KestrelError('not-found', 'This picture is not at hand any more.', {
        remedy: 'Drop it again.',
      })
    return { answer, path }
  }

  function findTable(project: OpenProject, jobId: string): FolderTable {
    const table = of(project).tables.find(jobId)
    if (!table)
      throw new KestrelError('not-found', 'The results of this folder are not at hand any more.', {
        remedy: 'Drop the folder again.',
      })
    return table
  }

  function predictFolder({ projectId, runId, source }: RunRef & { source: string }): { jobId: string } {
    const project = registry.get(projectId)
    const { run, folder } = findModel(project, runId)
    const dropped = sources.paths(source, 'read')
    const title = dropped.length === 1 ? lastPart(dropped[0]!) : ''
    const { tables } = of(project)
    const job = jobs.start({
      kind: 'predict-folder',
      projectId,
      title,
      stage: 'scanning',
      queue: 'predict-folder',
      facts: { runId },
      run: async (context) => {
        const table = findTable(project, context.id)
        const { signal } = context
        const pictures: FolderJob['pictures'] = (onSkipped) =>
          givenFiles(sources, project, source, { signal, onSkipped })
        await answerFolder({ table, modelDir: folder, pool, pictures }, context)
        const { unsure, failed } = countRows(table, thresholdOf(project, runId).value)
        return { pictures: table.rows.length, unsure, failed }
      },
    })
    tables.add({
      jobId: job.id,
      runId,
      title,
      classes: run.classes.map(({ name }) => name),
      rows: [],
      ordered: null,
    })
    return { jobId: job.id }
  }

  return {
    threshold: ({ projectId, runId }: RunRef): Threshold => thresholdOf(registry.get(projectId), runId),

    setThreshold({ projectId, runId, value }: RunRef & { value: number | null }): Threshold {
      const project = registry.get(projectId)
      thresholds.set(project, findRun(project, runId), value)
      return thresholdOf(project, runId)
    },

    predict: ({ projectId, ...question }: { projectId: string } & Question, signal?: AbortSignal) =>
      singles.predict(placeOf(projectId), question, signal),
    asked: ({ projectId, runId }: RunRef) => singles.asked(placeOf(projectId), runId),
    clearAsked: ({ projectId, runId }: RunRef) => singles.clear(placeOf(projectId), runId),
    predictFolder,

    /** The tables that are at hand, newest first, also of folders that are being looked through. */
    folders: ({ projectId }: { projectId: string }) =>
      of(registry.get(projectId))
        .tables.all()
        .map(({ jobId, runId, title, rows }) => ({ jobId, runId, title, pictures: rows.length })),

    async table({
      projectId,
      jobId,
      offset,
      limit,
      ...filter
    }: {
      projectId: string
      jobId: string
      classIndex: number | null
      unsure: boolean | null
      offset: number
      limit: number
    }) {
      const project = registry.get(projectId)
      const table = findTable(project, jobId)
      const { value } = thresholdOf(project, table.runId)
      const rows = filterRows(table, filter, value)
      const shown = rows.slice(offset, offset + limit)
      return {
        total: rows.length,
        ...countRows(table, value),
        rows: await Promise.all(shown.map((row) => predictionOf(project, row, value))),
      }
    },

    sortInto({ projectId, jobId, target }: { projectId: string; jobId: string; target: string }): {
      jobId: string
    } {
      const project = registry.get(projectId)
      const table = findTable(project, jobId)
      const [folder] = sources.paths(target, 'write')
      if (folder === undefined) throw new KestrelError('not-found', 'No folder was chosen.')
      const pictures = sortedPictures(table, thresholdOf(project, table.runId).value)
      const job = jobs.start({
        kind: 'sort-folder',
        projectId,
        title: table.title,
        stage: 'sorting',
        run: (context) => sortInto(folder, pictures, context),
      })
      return { jobId: job.id }
    },

    async feedback({
      projectId,
      predictionId,
      label,
    }: {
      projectId: string
      predictionId: string
      label: LabelOrName
    }): Promise<Said> {
      const project = registry.get(projectId)
      const { answer, path } = findAnswer(project, predictionId)
      const name = answer.name.split('/').at(-1) ?? answer.name
      const said = await datasets.addPicture(project, { path, name, label })
      answer.pictureId = said.pictureId
      kept.setPicture(project, predictionId, said.pictureId)
      return said
    },

    /** For the media door. @throws KestrelError not-found */
    picturePath: (projectId: string, predictionId: string): string =>
      findAnswer(registry.get(projectId), predictionId).path,

    csv(projectId: string, jobId: string): { name: string; text: string } {
      const project = registry.get(projectId)
      const table = findTable(project, jobId)
      return {
        name: `${table.title || 'predictions'}.csv`,
        text: toCsv(tableRows(table, thresholdOf(project, table.runId).value)),
      }
    },

    /**
     * The sorted copies for a zip: the same folders as {@link sortInto} makes.
     * @returns `left`: names of pictures that are not among them, because they could not be read or are gone
     */
    async sorted(
      projectId: string,
      jobId: string,
    ): Promise<{ name: string; files: { path: string; place: string }[]; left: string[] }> {
      const project = registry.get(projectId)
      const table = findTable(project, jobId)
      const pictures = sortedPictures(table, thresholdOf(project, table.runId).value)
      const there = await Promise.all(pictures.map(({ path }) => isThere(path)))
      const gone = pictures.filter((_, index) => !there[index])
      const unread = table.rows.filter(({ error }) => error !== null)
      return {
        name: folderName(`${lastPart(table.title) || 'pictures'} sorted`),
        files: sortedPlaces(pictures.filter((_, index) => there[index])),
        left: [...unread, ...gone].map(({ name }) => name),
      }
    },

    forget(project: OpenProject): void {
      atHand.delete(project.projectId)
    },
  }
}
