import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrainMetric, TrainResult, Weighed } from '#shared/contract/trainer.ts'
import type { TrainConfig } from '#shared/contract/training.ts'
import { distillationObjectiveSchema } from '#shared/domain/distillation/objective.ts'
import { fitWork } from '#shared/domain/forecast.ts'
import { shownPictures } from '#shared/domain/training/presets.ts'
import { KestrelError, toKestrelError, toWire } from '#shared/errors/index.ts'
import { cachedPictures } from '#shared/util/feature-cache-format.ts'
import type { MeasuredRatesStore } from '../backbones/rates.ts'
import type { BackboneService, ReadyBackbone } from '../backbones/service.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobContext, JobFacts } from '../jobs/job-runner.ts'
import type { OpenProject } from '../projects/open-project.ts'
import { createPicturesRepository } from '../storage/pictures-repository.ts'
import { createPredictionsRepository } from '../storage/predictions-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunFacts, RunRecord } from '../storage/runs-repository.ts'
import type { TrainerPool } from '../trainer-client/pool.ts'
import { checkpointFolder, dropCheckpoint, endsTheSameWay, wasStopped, whatNext } from './checkpoints.ts'
import { checkShots } from './checks.ts'
import { outcomeOf } from './outcome.ts'
import type { PartOutcome } from './outcome.ts'
import { passportOf } from './passport.ts'
import { runFolder } from './run-folder.ts'
import { stepWriter } from './step-writer.ts'
import { teacherColumns, teacherOf } from './teacher.ts'
import { findWarmStart } from './warm-start.ts'
import { imagesOf } from './plan.ts'
import type { TrainingPlan } from './plan.ts'

export interface RunTrainingPorts {
  pool: TrainerPool
  backbones: BackboneService
  rates: MeasuredRatesStore
  bus: EventBus
}

/** Up to so many pictures without features are computed by the warm trainer: a fresh one would take longer to start. */
const FEW_MISSING = 64

/** Rates of whole trainings by gradients are kept among those of the backbones, under these names. */
export const rateName = ({ recipe, backboneId }: Pick<TrainConfig, 'recipe' | 'backboneId'>): string =>
  recipe === 'scratch' ? 'scratch' : `fine-tune ${backboneId ?? ''}`

/**
 * One training, from the frozen version to stored predictions. Whatever happens, the run ends in a state with words:
 * done, stopped (a model is kept), interrupted (stopped before there was one) or failed.
 */
export async function runTraining(
  ports: RunTrainingPorts,
  project: OpenProject,
  run: RunRecord,
  plan: TrainingPlan,
  job: JobContext,
): Promise<JobFacts> {
  const runs = project.use(createRunsRepository)
  const draft = join(project.paths.temporary, `run-${run.id}`)
  const steps = stepWriter(ports.bus, project, run.id)
  let facts = run.facts
  try {
    const teacher = teacherOf(project, run.config)
    await mkdir(draft, { recursive: true })
    const backbone = await prepared(ports, run, job)
    if (backbone) {
      const { id, name, sha256, licence } = backbone
      facts = { ...facts, backbone: { id, name, sha256, licence } }
    }
    const warm = backbone ? warmStartOf(project, run, backbone) : undefined
    facts = {
      ...facts,
      warmStartFrom: warm?.id ?? null,
      weighed: teacher && (await weigh(ports, project, run, teacher, backbone)),
    }
    if (facts.weighed) {
      runs.setFacts(run.id, facts)
      project.announce('runs')
    }
    const result = await train(ports, project, run, plan, backbone, warm, draft, job, steps.add)
    steps.flush()
    const parts = outcomeOf(
      result,
      run.classes.map(({ name }) => name),
      new Map(plan.pictures.map((each) => [each.pictureId, each.class])),
    )
    facts = factsOf(facts, { ...result, checks: [...result.checks, ...checkShots(plan)] }, parts)
    await writeFile(
      join(draft, 'passport.json'),
      `${JSON.stringify(passportOf(project, { ...run, facts }, plan, backbone, result), null, 2)}\n`,
    )
    await mkdir(project.paths.runs, { recursive: true })
    await rename(draft, runFolder(project, run.id))
    const state = result.stopped ? 'stopped' : 'done'
    project.db.transaction(() => {
      storePredictions(project, run, parts)
      runs.end(run.id, { state, facts, error: null, endedAt: Date.now() })
    })
    if (!wasStopped({ state, facts })) await dropCheckpoint(project, run.id)
    await noteRates(ports, run, plan, result, warm !== undefined)
    return {
      runId: run.id,
      testAccuracy: facts.testAccuracy,
      stopped: facts.stopped?.message ?? null,
      unreadable: facts.failed,
    }
  } catch (error) {
    steps.flush()
    const { code, checks } = toKestrelError(error)
    if (checks) facts = { ...facts, checks }
    const stopped = job.signal.aborted || code === 'stopped'
    if (endsTheSameWay(code)) await dropCheckpoint(project, run.id)
    runs.end(run.id, {
      state: stopped ? 'interrupted' : 'failed',
      facts,
      error: toWire(stopped ? stoppedEarly(project, run.id) : error),
      endedAt: Date.now(),
    })
    throw error
  } finally {
    await rm(draft, { recursive: true, force: true })
    project.announce('runs', 'pictures')
  }
}

const stoppedEarly = (project: OpenProject, runId: string): KestrelError =>
  new KestrelError('stopped', 'Stopped before there was a model.', {
    kept: 'What was computed so far is kept.',
    remedy: whatNext(project, runId),
  })

async function prepared(
  { backbones }: RunTrainingPorts,
  run: RunRecord,
  job: JobContext,
): Promise<ReadyBackbone | null> {
  if (run.config.recipe === 'scratch' || run.config.backboneId === null) return null
  job.update({ stage: 'converting', done: 0, total: null })
  return await backbones.ensure(run.config.backboneId)
}

/** What a student and its teacher weigh on this machine, before the student takes its cores. */
async function weigh(
  { pool }: RunTrainingPorts,
  project: OpenProject,
  { facts: { gradients } }: RunRecord,
  teacher: RunRecord,
  backbone: ReadyBackbone | null,
): Promise<Weighed> {
  const student = backbone ? { file: backbone.onnxPath } : { network: gradients!.network! }
  const { models } = await pool.quick<'measure'>({
    kind: 'measure',
    models: [{ modelDir: runFolder(project, teacher.id) }, student],
  })
  return { teacher: models[0]!, student: models[1]! }
}

/** The model a head begins with. One that goes on begins as it did, so that it ends as it would have. */
function warmStartOf(
  project: OpenProject,
  { config, classes, facts }: RunRecord,
  { sha256 }: ReadyBackbone,
): RunRecord | undefined {
  if (facts.continues === null) return findWarmStart(project, sha256, classes, config.objective)
  return facts.warmStartFrom === null
    ? undefined
    : project.use(createRunsRepository).find(facts.warmStartFrom)
}

async function train(
  { pool }: RunTrainingPorts,
  project: OpenProject,
  run: RunRecord,
  plan: TrainingPlan,
  backbone: ReadyBackbone | null,
  warm: RunRecord | undefined,
  draft: string,
  job: JobContext,
  onMetric: (metric: TrainMetric) => void,
): Promise<TrainResult> {
  job.signal.throwIfAborted()
  const teacher = teacherOf(project, run.config)
  // The warm trainer answers predictions: only a head on features that are there may keep it busy, for a second.
  const quick = run.facts.gradients === null && (await isQuick(project, plan, backbone))
  const call = quick ? pool.quick : pool.long
  return await call<'train'>(
    {
      kind: 'train',
      recipe: run.config.recipe,
      backbone: backbone && {
        id: backbone.id,
        sha256: backbone.sha256,
        onnxPath: backbone.onnxPath,
        featureLength: backbone.featureLength,
        preprocessing: backbone.preprocessing,
      },
      objective: run.config.objective,
      classes: run.classes.map(({ name }) => name),
      images: imagesOf(plan.pictures),
      seed: run.config.seed,
      folds: run.config.folds,
      cacheDir: project.paths.features,
      runDir: draft,
      warmStartFrom: warm ? runFolder(project, warm.id) : null,
      gradients: run.facts.gradients,
      engine: run.config.engine,
      checkpointDir: run.facts.gradients && (await checkpointFolder(project, run.id)),
      ...(teacher && {
        teacher: {
          modelDir: runFolder(project, teacher.id),
          columns: teacherColumns(teacher.classes, run.classes),
          objective: distillationObjectiveSchema.parse({}),
        },
      }),
    },
    {
      signal: job.signal,
      keepBest: true,
      onProgress: ({ stage, done, total, rate }) =>
        job.update({ stage, done, total, ...(rate === null ? {} : { rate }) }),
      onMetric,
    },
  )
}

/** Whether so few features are missing that the warm trainer may compute them. */
export async function isQuick(
  project: OpenProject,
  plan: Pick<TrainingPlan, 'pictures'>,
  backbone: ReadyBackbone | null,
): Promise<boolean> {
  if (!backbone) return false
  const cached = await cachedPictures(project.paths.features, {
    backboneSha256: backbone.sha256,
    preprocessing: backbone.preprocessing,
    featureLength: backbone.featureLength,
  })
  let missing = 0
  for (const { sha256 } of plan.pictures) if (!cached.has(sha256)) missing++
  return missing <= FEW_MISSING
}

function factsOf(before: RunFacts, result: TrainResult, parts: readonly PartOutcome[]): RunFacts {
  const metrics = (part: PartOutcome['part']) => parts.find((each) => each.part === part)?.metrics ?? null
  const test = metrics('test')
  return {
    ...before,
    featureLength: result.featureLength,
    testAccuracy: test?.accuracy ?? null,
    testAccuracyCi95: test?.accuracy_ci95 ?? null,
    testMacroF1: test?.macro_f1 ?? null,
    valAccuracy: metrics('val')?.accuracy ?? null,
    outOfFoldAccuracy: metrics('outOfFold')?.accuracy ?? null,
    regularisation: result.regularisation.chosen,
    stopped: result.stopped,
    timings: result.timings,
    features: result.features,
    foldsLeftOut: result.foldsLeftOut ?? null,
    failed: result.failed.length,
    steps: result.steps,
    checks: result.checks,
    kept: result.kept,
    madeSmall: result.madeSmall ?? null,
  }
}

function storePredictions(project: OpenProject, run: RunRecord, parts: readonly PartOutcome[]): void {
  const predictions = project.use(createPredictionsRepository)
  for (const { part, predictions: rows } of parts) predictions.add(run.id, part, rows)
  // By models that did not learn from the picture: out-of-fold where there is one, else validation; and the test.
  const held = parts.some(({ part }) => part === 'outOfFold') ? 'outOfFold' : 'val'
  const opinions = parts
    .filter(({ part }) => part === held || part === 'test')
    .flatMap(({ predictions: rows }) => rows)
  project.use(createPicturesRepository).setOpinions(
    opinions.map(({ pictureId, predicted, confidence }) => ({
      id: pictureId,
      labelId: run.classes[predicted]!.labelId,
      confidence,
    })),
  )
}

async function noteRates(
  { rates, bus }: RunTrainingPorts,
  run: RunRecord,
  plan: TrainingPlan,
  { timings, features, featureLength, outOfFold, stopped }: TrainResult,
  warm: boolean,
): Promise<void> {
  const fit = timings.train_s + timings.evaluate_s
  if (run.facts.gradients) {
    // One that ended early has shown fewer pictures than were planned.
    if (stopped) return
    // As many trainings as there were, which may be fewer than were asked for.
    const folds = new Set(outOfFold?.fold).size
    const shown = (1 + folds) * shownPictures(run.facts.gradients, plan.counts.train)
    return await rates.noteFeatures(rateName(run.config), shown, timings.features_s + fit)
  }
  await rates.noteFeatures(run.config.backboneId ?? '', features.computed, timings.features_s)
  if (features.computed > 0) bus.publish({ type: 'backbones' })
  await rates.noteFit(
    fitWork({
      pictures: plan.counts.train + plan.counts.val,
      featureLength,
      classes: run.classes.length,
      folds: run.config.folds,
    }),
    fit,
    warm,
  )
}
