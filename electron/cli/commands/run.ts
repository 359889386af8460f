import { existsSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { exportFormats } from '#shared/contract/trainer.ts'
import type { TrainConfig } from '#shared/contract/training.ts'
import type { GradientChanges } from '#shared/domain/training/presets.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { writeFileWhole } from '#studio/files.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import type { RunRecord } from '#studio/storage/runs-repository.ts'
import type { RunCommand } from '../arguments.ts'
import { changesOf } from '../changes.ts'
import type { CliContext } from '../context.ts'
import { figuresOf } from '../figures.ts'
import { requireFolder } from '../pictures.ts'
import { describeResult } from '../result.ts'
import type { RunResult } from '../result.ts'
import { followJob, makeReady, withStudio } from '../studio.ts'
import type { CliStudio } from '../studio.ts'

/** Import, train, evaluate and export in one go; the same services as in the window, one after the other. */
export async function run(command: RunCommand, context: CliContext): Promise<void> {
  const folder = await requireFolder(command.folder)
  const testFolder = command.testFolder === null ? null : await requireFolder(command.testFolder)
  const out = resolve(command.out)
  const changes = await changesOf(command)
  await withStudio(context, async (studio) => {
    // With features in the cache the fit is short: the trainer starts, and loads its engine, while the folder is
    // looked through.
    if (existsSync(join(out, 'project.db')))
      studio.pool
        .quick<'hello'>({ kind: 'hello' })
        .catch((error: unknown) => studio.log.warn('the warm trainer did not start', error))
    // Before anything is made or imported: a misspelt name should not cost minutes.
    const config = await configOf(command, changes, studio, context)
    const { projectId } = await studio.projects.openOrCreateAt(out, basename(out, '.kestrel'))
    const project = studio.registry.get(projectId)
    const asked: Asked = { folder, testFolder, exports: command.exports }
    await writeFileWhole(join(out, askedFile), `${JSON.stringify(asked, null, 2)}\n`)

    const began = performance.now()
    const images = await bringIn(command, { folder, testFolder }, project, studio, context)
    const import_s = seconds(performance.now() - began)

    const training = await studio.training.training.start({ projectId, config })
    await finishRun({ studio, project, context, out, training, asked, images, import_s })
  })
}

/** What `kestrel resume` has to know of the command that was interrupted. */
export const askedFile = 'run.json'
export const askedSchema = z.object({
  folder: z.string(),
  testFolder: z.string().nullable(),
  exports: z.array(z.enum(exportFormats)),
})
export type Asked = z.infer<typeof askedSchema>

export interface RunUnderWay {
  studio: CliStudio
  project: OpenProject
  context: CliContext
  out: string
  training: { runId: string; jobId: string }
  asked: Asked
  images: RunResult['images']
  import_s: number
}

/** Waits for a training, exports its model and writes `result.json`. */
export async function finishRun(under: RunUnderWay): Promise<void> {
  const { studio, project, context, out, training, asked, images, import_s } = under
  const { runId, jobId } = training
  await followJob(studio, jobId, context)
  const runs = project.use(createRunsRepository)
  const record = runs.find(runId)
  if (!record?.facts.timings) throw new Error('the training ended without figures')
  const evaluating = performance.now()
  const figures = figuresOf(project, record)
  const { features_s, train_s, evaluate_s } = record.facts.timings
  const { config, facts } = record
  const result: RunResult = {
    kestrel: context.version,
    seed: config.seed,
    engine: config.engine,
    backbone: facts.backbone?.id ?? null,
    recipe: config.recipe,
    classes: record.classes.map(({ name }) => name),
    images,
    split: facts.counts,
    timings: {
      import_s,
      features_s,
      train_s,
      evaluate_s: evaluate_s + seconds(performance.now() - evaluating),
      export_s: 0,
      total_s: 0,
    },
    ...figures,
    curves: runs.steps(runId),
    checks: facts.checks,
    ...(facts.kept ? { kept: facts.kept } : {}),
    exports: [],
    ...(facts.stopped ? { stopped: facts.stopped } : {}),
  }
  try {
    await exportAll(asked.exports, project, record, result, studio, context)
  } finally {
    // What was finished is written down also when an export failed or was interrupted.
    result.timings.total_s = seconds(performance.now())
    await writeFileWhole(join(out, 'result.json'), `${JSON.stringify(result, null, 2)}\n`)
  }
  context.terminal.print(describeResult(result, out))
  context.terminal.answer(result)
}

const seconds = (milliseconds: number): number => milliseconds / 1000

async function configOf(
  { backbone, recipe, head, split, seed, folds, engine }: RunCommand,
  changes: GradientChanges,
  studio: CliStudio,
  context: CliContext,
): Promise<TrainConfig> {
  const { backbones } = studio
  const sum = split.train + split.val + split.test
  const shares = { train: split.train / sum, val: split.val / sum, test: split.test / sum }
  if (backbone !== null) await makeReady(backbone, studio, context)
  const backboneId = recipe === 'scratch' ? null : (backbone ?? (await backbones.recommended()))
  if (backboneId === null && recipe !== null && recipe !== 'scratch')
    throw new KestrelError('no-backbone', 'No backbone is ready on this computer.', {
      remedy:
        'Get one with "kestrel backbones get ID", or use --recipe scratch to train a network from nothing.',
    })
  if (backboneId === null && recipe === null)
    context.terminal.say(
      'No backbone is ready: a small network learns from the pixels alone. "kestrel backbones" lists what can be had.',
    )
  return {
    recipe: backboneId === null ? 'scratch' : (recipe ?? 'head'),
    ...{ backboneId, objective: head, split: shares, seed, folds, changes, engine },
  }
}

/** Brings the project in step with the folders. */
async function bringIn(
  { labels }: RunCommand,
  { folder, testFolder }: { folder: string; testFolder: string | null },
  { projectId }: OpenProject,
  studio: CliStudio,
  context: CliContext,
): Promise<RunResult['images']> {
  const choices = { rule: labels ?? 'parent', storage: 'copy', keepSplit: true } as const
  const job = studio.imports.syncFolder(projectId, folder, choices)
  await followJob(studio, job.id, context)
  const images = studio.imports.folderSummary(projectId, folder)
  if (testFolder === null) return images
  const tests = studio.imports.syncFolder(projectId, testFolder, { ...choices, forcedSplit: 'test' })
  await followJob(studio, tests.id, context)
  const more = studio.imports.folderSummary(projectId, testFolder)
  return {
    read: images.read + more.read,
    duplicates: images.duplicates + more.duplicates,
    skipped: [...images.skipped, ...more.skipped],
    conflicts: [...images.conflicts, ...more.conflicts],
  }
}

/** Fills in `exports` and their time, one after the other. */
async function exportAll(
  formats: Asked['exports'],
  project: OpenProject,
  run: RunRecord,
  result: RunResult,
  studio: CliStudio,
  context: CliContext,
): Promise<void> {
  const { projectId } = project
  const { exports } = studio.training
  const began = performance.now()
  try {
    for (const format of formats) {
      const { jobId } = exports.start({ projectId, runId: run.id, format })
      await followJob(studio, jobId, context)
      const made = exports.list({ projectId, runId: run.id }).find((each) => each.format === format)
      if (!made) throw new Error(`the export as ${format} left nothing`)
      const { images, same_answer, max_abs_diff } = made.proof
      result.exports.push({
        format,
        path: exports.folder(projectId, made.exportId),
        bytes: made.bytes,
        proof: { images, same_answer, max_abs_diff },
      })
    }
  } finally {
    result.timings.export_s = seconds(performance.now() - began)
  }
}
