import { randomBytes } from 'node:crypto'
import { cp, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExportFormat, ExportRequest } from '#shared/contract/trainer.ts'
import type { ExportRecord } from '#shared/contract/use.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { EvaluationService } from '../evaluation/service.ts'
import { isMissing } from '../files.ts'
import type { JobContext, JobFacts, JobRunner } from '../jobs/job-runner.ts'
import type { SourceAccess } from '../ports.ts'
import { folderName } from '../predictions/sort-into.ts'
import type { Thresholds } from '../predictions/thresholds.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { findModel, findRun } from '../runs/service.ts'
import { createExportsRepository } from '../storage/exports-repository.ts'
import type { ExportRow } from '../storage/exports-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'
import { proofSet, samplesOf } from './proof-set.ts'

export interface ExportPorts {
  version: string
  registry: ProjectRegistry
  jobs: JobRunner
  pool: TrainerPool
  sources: SourceAccess
  thresholds: Thresholds
  evaluation: EvaluationService
}

export type ExportsService = ReturnType<typeof createExportsService>
interface RunRef {
  projectId: string
  runId: string
}
interface ExportRef {
  projectId: string
  exportId: string
}

/** Taking a model away: written, proven on the original pictures, and only then offered. */
export function createExportsService(ports: ExportPorts) {
  const { registry, jobs, pool, sources, thresholds, evaluation } = ports

  function find(project: OpenProject, exportId: string): ExportRow {
    const row = project.use(createExportsRepository).find(exportId)
    if (!row) throw new KestrelError('not-found', 'This export is not there any more.')
    return row
  }
  const folderOf = (project: OpenProject, row: ExportRow): string => join(project.folder, row.folder)

  function cardOf(project: OpenProject, run: RunRecord): ExportRequest['card'] {
    const { projectId } = project
    const { metrics, pictures } = evaluation.summary({ projectId, runId: run.id, part: 'test' })
    const { facts } = run
    return {
      name: `${project.name()}, ${run.name}`,
      kestrelVersion: ports.version,
      createdAt: new Date(run.createdAt).toISOString(),
      backbone: facts.backbone?.name ?? 'none (a small network that learned from the pixels)',
      backboneLicence: facts.backbone?.licence ?? null,
      recipe: run.config.recipe,
      objective: run.config.objective,
      ...(facts.kept && { tuned: facts.kept.tuned }),
      ...(facts.madeSmall && { madeSmall: facts.madeSmall }),
      seed: run.config.seed,
      pictures: facts.counts,
      testAccuracy: facts.testAccuracy,
      testAccuracyCi95: facts.testAccuracyCi95,
      macroF1: facts.testMacroF1,
      perClass: pictures === 0 ? [] : metrics.per_class,
    }
  }

  async function make(
    project: OpenProject,
    run: RunRecord,
    modelDir: string,
    format: ExportFormat,
    job: JobContext,
  ): Promise<JobFacts> {
    const id = `${format}-${String(run.number).padStart(4, '0')}-${randomBytes(4).toString('hex')}`
    const draft = join(project.paths.temporary, `export-${id}`)
    try {
      await mkdir(draft, { recursive: true })
      const pictures = await proofSet(pool, project, run, modelDir, job.signal)
      const threshold = thresholds.of(project, run).value
      const probabilities = new Float32Array(pictures.length * run.classes.length)
      pictures.forEach((picture, row) => probabilities.set(picture.probabilities, row * run.classes.length))
      const result = await pool.long<'export'>(
        {
          kind: 'export',
          format,
          modelDir,
          targetDir: draft,
          card: cardOf(project, run),
          threshold,
          samples: samplesOf(pictures),
          proofImages: pictures.map(({ path }) => ({ path })),
          proofProbabilities: probabilities,
        },
        { signal: job.signal, onProgress: ({ stage, done, total }) => job.update({ stage, done, total }) },
      )
      const folder = join('exports', id)
      await mkdir(project.paths.exports, { recursive: true })
      await rename(draft, join(project.folder, folder))
      await replace(project, {
        ...{ id, runId: run.id, format, folder, threshold },
        ...{ bytes: result.bytes, proof: result.proof, createdAt: Date.now() },
      })
      return {
        exportId: id,
        runId: run.id,
        format,
        same: result.proof.same_answer,
        of: result.proof.images,
      }
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }

  /** The newest export of a format takes the place of the one before: it can be made again at any time. */
  async function replace(project: OpenProject, row: ExportRow): Promise<void> {
    const exports = project.use(createExportsRepository)
    const older = exports.ofRun(row.runId).filter(({ format }) => format === row.format)
    project.db.transaction(() => {
      exports.insert(row)
      for (const { id } of older) exports.remove(id)
    })
    project.announce('exports')
    for (const old of older) await rm(folderOf(project, old), { recursive: true, force: true })
  }

  return {
    /** The newest one per format. */
    list({ projectId, runId }: RunRef): ExportRecord[] {
      const project = registry.get(projectId)
      findRun(project, runId)
      return project
        .use(createExportsRepository)
        .ofRun(runId)
        .map(({ id, folder: _folder, ...rest }) => ({ exportId: id, ...rest }))
    },

    start({ projectId, runId, format }: RunRef & { format: ExportFormat }): { jobId: string } {
      const project = registry.get(projectId)
      const { run, folder } = findModel(project, runId)
      const job = jobs.start({
        kind: 'export',
        projectId,
        title: run.name,
        stage: 'writing',
        queue: 'export',
        facts: { runId, format },
        run: (context) => make(project, run, folder, format, context),
      })
      return { jobId: job.id }
    },

    async texts({
      projectId,
      exportId,
    }: ExportRef): Promise<{ card: string; python: string | null; javascript: string | null }> {
      const project = registry.get(projectId)
      const folder = folderOf(project, find(project, exportId))
      const read = async (name: string): Promise<string | null> => {
        try {
          return await readFile(join(folder, name), 'utf8')
        } catch (error) {
          if (isMissing(error)) return null
          throw error
        }
      }
      return {
        card: (await read('README.md')) ?? '',
        python: await read('predict.py'),
        javascript: await read('predict.mjs'),
      }
    },

    /** Copies the folder beside whatever is in the chosen one; nothing is overwritten. */
    async saveTo({ projectId, exportId, target }: ExportRef & { target: string }): Promise<{ name: string }> {
      const project = registry.get(projectId)
      const row = find(project, exportId)
      const [parent] = sources.paths(target, 'write')
      if (parent === undefined) throw new KestrelError('not-found', 'No folder was chosen.')
      const base = nameOf(project, row)
      for (let number = 1; ; number++) {
        const name = number === 1 ? base : `${base} (${number})`
        try {
          await mkdir(join(parent, name))
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'EEXIST') continue
          throw error
        }
        await cp(folderOf(project, row), join(parent, name), { recursive: true })
        return { name }
      }
    },

    /** @throws KestrelError not-found */
    folder(projectId: string, exportId: string): string {
      const project = registry.get(projectId)
      return folderOf(project, find(project, exportId))
    },

    /** Name of the zip and of the folder in it. */
    title(projectId: string, exportId: string): string {
      const project = registry.get(projectId)
      return nameOf(project, find(project, exportId))
    },
  }

  function nameOf(project: OpenProject, row: ExportRow): string {
    const format = row.format === 'onnx' ? 'ONNX' : 'TensorFlow.js'
    return folderName(`${project.name()} ${findRun(project, row.runId).name} (${format})`)
  }
}
