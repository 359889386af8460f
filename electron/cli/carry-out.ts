import { join } from 'node:path'
import { KestrelError } from '#shared/errors/index.ts'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { createRunsRepository } from '#studio/storage/runs-repository.ts'
import type { RunRecord } from '#studio/storage/runs-repository.ts'
import { continuedBy } from '#studio/runs/service.ts'
import { isResumable } from '#studio/training/checkpoints.ts'
import { writeAsked } from './asked.ts'
import type { Asked } from './asked.ts'
import type { CliContext } from './context.ts'
import { figuresOf } from './figures.ts'
import { Interrupted, isInterruption } from './interrupt.ts'
import { describeResult, resultFile, skippedInWords } from './result.ts'
import type { RunResult } from './result.ts'
import { followJob } from './studio.ts'
import { wordsOfError } from './terminal.ts'
import type { CliStudio } from './studio.ts'

/** Where a command is carried out. */
export interface Workplace {
  studio: CliStudio
  project: OpenProject
  context: CliContext
  /** The project's folder. */
  out: string
}

/** All of what was asked for, from what is there of it: brings the pictures in, trains, evaluates, exports. */
export async function carryOut(at: Workplace, asked: Asked): Promise<void> {
  const { out } = at
  await writeAsked(out, { ...asked, run: null })
  const began = performance.now()
  await bringIn(at, asked)
  const import_s = seconds(performance.now() - began)
  const training = await begin(at, asked)
  const begun = { ...asked, run: training.runId }
  await writeAsked(out, begun)
  await finishTraining(at, begun, training, import_s)
}

/** Where there is too little to train on, files that are no pictures may be why. */
async function begin(at: Workplace, asked: Asked): Promise<{ runId: string; jobId: string }> {
  const { studio, project, context } = at
  const { projectId } = project
  try {
    return await studio.training.training.start({ projectId, config: asked.config })
  } catch (error) {
    const { skipped } = imagesOf(at, asked)
    for (const line of skippedInWords(skipped, 'and others')) context.terminal.say(line)
    throw error
  }
}

/** Waits for a training and does the rest. */
export async function finishTraining(
  at: Workplace,
  asked: Asked,
  { runId, jobId }: { runId: string; jobId: string },
  import_s = 0,
): Promise<void> {
  try {
    await followJob(at.studio, jobId, at.context, { keepResult: true })
  } catch (error) {
    const ended = endedWithout(at, runId, error)
    await noteFailure(at, asked, runId, ended, import_s)
    throw ended
  }
  await finishRun(at, asked, runId, import_s)
}

/** Evaluates a training that has a model, exports it and writes `result.json`; interrupted, it leaves exports out. */
export async function finishRun(at: Workplace, asked: Asked, runId: string, import_s = 0): Promise<void> {
  const { project, context, out } = at
  const runs = project.use(createRunsRepository)
  const record = runs.find(runId)
  if (!record?.facts.timings) throw new Error('the training ended without figures')
  const evaluating = performance.now()
  const figures = figuresOf(project, record)
  const { features_s, train_s, evaluate_s } = record.facts.timings
  const { facts } = record
  const result: RunResult = {
    ...aboutRun(at, asked, record),
    timings: {
      import_s,
      features_s,
      train_s,
      evaluate_s: evaluate_s + seconds(performance.now() - evaluating),
      export_s: 0,
      total_s: 0,
    },
    ...figures,
    ...(facts.foldsLeftOut ? { foldsLeftOut: facts.foldsLeftOut } : {}),
    ...(facts.kept ? { kept: facts.kept } : {}),
    exports: [],
    ...(facts.stopped ? { stopped: facts.stopped } : {}),
  }
  try {
    await exportAll(at, asked, record, result)
  } finally {
    // What was finished is written down also when an export failed.
    result.timings.total_s = seconds(performance.now())
    await writeFileWhole(join(out, resultFile), `${JSON.stringify(result, null, 2)}\n`)
  }
  context.terminal.print(describeResult(result, out))
  context.terminal.answer(result)
  if (context.signal.aborted) throw endedWith(at, asked, result)
}

/** What is known of a training whether it came to its end or not. */
function aboutRun(at: Workplace, asked: Asked, { id, config, facts, classes }: RunRecord) {
  return {
    kestrel: at.context.version,
    run: id,
    seed: config.seed,
    engine: config.engine,
    backbone: facts.backbone?.id ?? null,
    recipe: config.recipe,
    classes: classes.map(({ name }) => name),
    images: imagesOf(at, asked),
    split: facts.counts,
    ...(facts.sharedShots ? { sharedShots: facts.sharedShots } : {}),
    curves: at.project.use(createRunsRepository).steps(id),
    checks: facts.checks,
  }
}

/** `result.json` of a training that failed: what was noticed, and the error in words. Figures from before stay in the project. */
async function noteFailure(
  at: Workplace,
  asked: Asked,
  runId: string,
  error: unknown,
  import_s: number,
): Promise<void> {
  const { project, context, out } = at
  const record = project.use(createRunsRepository).find(runId)
  // One that went on with another has the model and the figures of that one.
  if (record?.state !== 'failed' || continuedBy(project, record)) return
  const { wire } = wordsOfError(error)
  const result: RunResult = {
    ...aboutRun(at, asked, record),
    timings: {
      ...{ import_s, features_s: 0, evaluate_s: 0, export_s: 0 },
      // Until it broke, with whatever came before the fit.
      train_s: seconds((record.endedAt ?? record.createdAt) - record.createdAt),
      total_s: seconds(performance.now()),
    },
    metrics: { val: null, test: null },
    exports: [],
    stopped: { reason: wire.code === 'training-diverged' ? 'diverged' : 'error', message: wire.message },
    error: wire,
  }
  await writeFileWhole(join(out, resultFile), `${JSON.stringify(result, null, 2)}\n`)
  context.terminal.answer(result)
}

const seconds = (milliseconds: number): number => milliseconds / 1000

/** After Ctrl+C there is a model all the same. */
function endedWith({ out }: Workplace, { exports }: Asked, result: RunResult): Interrupted {
  const rest = exports.filter((format) => !result.exports.some((made) => made.format === format))
  const leftOut = rest.length === 0 ? '.' : `; exporting it as ${rest.join(' and ')} was left out.`
  if (result.stopped?.reason === 'asked')
    return new Interrupted({
      message: result.stopped.message,
      kept: `Its figures are in ${resultFile}${leftOut}`,
      remedy: `"kestrel resume ${out}" goes on.${rest.length === 0 ? '' : ' With --keep it exports the model as it is.'}`,
    })
  return new Interrupted({
    kept: `The model is finished and kept, with its figures in ${resultFile}${leftOut}`,
    remedy:
      rest.length === 0
        ? 'Run the same command again to train anew.'
        : `"kestrel resume ${out}" makes up for that; run the same command again to train anew.`,
  })
}

/** What a training without a model ends with: on the command line nobody can press a button to go on. */
function endedWithout({ project, context, out }: Workplace, runId: string, error: unknown): unknown {
  const remedy = `"kestrel resume ${out}" goes on from there.`
  const run = project.use(createRunsRepository).find(runId)
  if (isInterruption(error, context.signal))
    return new Interrupted({
      kept:
        run && continuedBy(project, run)
          ? `The model from before and its figures in ${resultFile} are kept as they were.`
          : 'There is no model yet; everything that was finished is kept.',
      remedy,
    })
  if (!(error instanceof KestrelError) || error.code !== 'training-crashed' || !run) return error
  const { code, message, kept } = error
  return isResumable(project, run)
    ? new KestrelError(code, message, { ...(kept === undefined ? {} : { kept }), remedy, cause: error })
    : error
}

/** Brings the project in step with the folders. */
async function bringIn({ studio, project, context, out }: Workplace, asked: Asked): Promise<void> {
  const choices = { rule: asked.labels ?? 'parent', storage: 'copy', keepSplit: true } as const
  try {
    const job = studio.imports.syncFolder(project.projectId, asked.folder, choices)
    await followJob(studio, job.id, context)
    if (asked.testFolder === null) return
    const forced = { ...choices, forcedSplit: 'test' } as const
    const tests = studio.imports.syncFolder(project.projectId, asked.testFolder, forced)
    await followJob(studio, tests.id, context)
  } catch (error) {
    throw isInterruption(error, context.signal)
      ? new Interrupted({
          kept: 'The pictures that were read are kept.',
          remedy: `Run the same command again, or "kestrel resume ${out}", to go on from there.`,
        })
      : error
  }
}

/** What the folders gave, of pictures to learn from and of those to test on. */
const imagesOf = ({ studio, project }: Workplace, { folder, testFolder }: Asked): RunResult['images'] =>
  studio.imports.folderSummary(project.projectId, testFolder === null ? [folder] : [folder, testFolder])

/** Fills in `exports` and their time, one after the other; those that an earlier attempt has made are taken over. */
async function exportAll(at: Workplace, asked: Asked, run: RunRecord, result: RunResult): Promise<void> {
  const { studio, context, project } = at
  const { projectId } = project
  const { exports } = studio.training
  const made = (format: Asked['exports'][number]) =>
    exports.list({ projectId, runId: run.id }).find((each) => each.format === format)
  const began = performance.now()
  try {
    for (const format of asked.exports) {
      if (context.signal.aborted) return
      if (!made(format))
        await followJob(studio, exports.start({ projectId, runId: run.id, format }).jobId, context)
      const { exportId, bytes, proof } = made(format)!
      const { images, same_answer, max_abs_diff } = proof
      result.exports.push({
        format,
        path: exports.folder(projectId, exportId),
        bytes,
        proof: { images, same_answer, max_abs_diff },
      })
    }
  } catch (error) {
    if (!isInterruption(error, context.signal)) throw error
  } finally {
    result.timings.export_s = seconds(performance.now() - began)
  }
}
