import type { Forecast, TrainConfig, TrainingOptions } from '#shared/contract/training.ts'
import { forecastTraining } from '#shared/domain/forecast.ts'
import { planGradients, shownPictures } from '#shared/domain/training/presets.ts'
import type { GradientPlan } from '#shared/domain/training/presets.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { cachedPictures } from '#shared/util/feature-cache-format.ts'
import { expectedRateOf } from '../backbones/known-architectures.ts'
import type { ReadyBackbone } from '../backbones/service.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { createComparisonRepository } from '../storage/comparison-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { checkPlan } from './checks.ts'
import { whatNext, isResumable, wasStopped } from './checkpoints.ts'
import { freezeContinuation, freezeRun } from './freeze.ts'
import { frozenPlan, leftOut, planTraining } from './plan.ts'
import { studentsFor } from './students.ts'
import { requireTeacher } from './teacher.ts'
import type { TrainingPlan } from './plan.ts'
import { rateName, runTraining } from './run-training.ts'
import { findWarmStart } from './warm-start.ts'
import type { RunTrainingPorts } from './run-training.ts'

export interface TrainingPorts extends RunTrainingPorts {
  oneShot?: boolean | undefined
  version: string
  registry: ProjectRegistry
  jobs: JobRunner
  log: Log
  refreshRecent(projectId: string): void
  /** Finds pictures of one shot among those that came last. */
  twins: { compare(project: OpenProject): Promise<void> }
  /** Resolves when no change of labels is half-way through its pictures. */
  settled(projectId: string): Promise<void>
}

export type TrainingService = ReturnType<typeof createTrainingService>

const DEFAULT_SPLIT = { train: 0.7, val: 0.15, test: 0.15 }
const DEFAULT_SEED = 1
const DEFAULT_FOLDS = 5
/** Pictures shown per second of a training by gradients, judging and a second round included, before anything was measured. */
const EXPECTED_RATE = { 'fine-tune': 25, scratch: 90 }

export function createTrainingService(ports: TrainingPorts) {
  const { registry, jobs, backbones, rates, pool, log } = ports
  /** Trainings that are queued or running: run → job. */
  const underWay = new Map<string, { jobId: string; project: OpenProject; run: RunRecord }>()
  const plans = new WeakMap<OpenProject, { key: string; plan: TrainingPlan }>()

  function planFor(
    project: OpenProject,
    choice: Pick<TrainConfig, 'split' | 'seed' | 'together'>,
  ): TrainingPlan {
    const { train, val, test } = choice.split
    if (!(train > 0) || train + val + test <= 0)
      throw new KestrelError('bad-request', 'Some part of the pictures must be there to learn from.', {
        remedy: 'Give the training more than nothing.',
      })
    const key = JSON.stringify([project.viewVersion(), choice.split, choice.seed, choice.together])
    const known = plans.get(project)
    if (known?.key === key) return known.plan
    const plan = planTraining(project, choice)
    plans.set(project, { key, plan })
    return plan
  }

  /** The choices of the newest training, as far as they still make sense, and what was decided about backbones since. */
  async function recommended(project: OpenProject): Promise<TrainConfig> {
    const newest = project.use(createRunsRepository).all()[0]
    const last = newest?.config
    const decision = project.use(createComparisonRepository).decision()
    const decided = decision && decision.afterRun >= (newest?.number ?? 0) ? decision.chosen : null
    const ready = (await backbones.list()).filter(({ state }) => state === 'ready')
    const same = ready.find(({ id }) => id === (decided ?? last?.backboneId))
    const backboneId = (same ?? ready[0])?.id ?? null
    const recipe = backboneId === null ? 'scratch' : last?.recipe === 'fine-tune' ? 'fine-tune' : 'head'
    return {
      ...{ recipe, backboneId, objective: 'softmax', teacherRunId: null },
      split: last?.split ?? DEFAULT_SPLIT,
      seed: last?.seed ?? DEFAULT_SEED,
      together: last?.together ?? 'shots',
      folds: usualFolds(recipe),
      changes: {},
      engine: 'onnx',
    }
  }

  async function options({ projectId }: { projectId: string }): Promise<TrainingOptions> {
    const project = registry.get(projectId)
    const config = await recommended(project)
    const plan = planFor(project, config)
    const { unlabelled, excluded } = leftOut(project)
    return {
      recommended: config,
      usable: plan.pictures.length,
      unlabelled,
      excluded,
      perLabel: plan.classes.map(({ labelId }, index) => {
        const { train, val, test } = plan.perClass[index]!
        return { labelId, pictures: train + val + test }
      }),
      split: plan.counts,
      splitFixed: plan.splitFixed,
      sharedShots: plan.sharedShots,
      ...checkPlan({ plan, unlabelled, hasBackbone: config.backboneId !== null }),
    }
  }

  async function forecast({
    projectId,
    config,
  }: {
    projectId: string
    config: TrainConfig
  }): Promise<Forecast> {
    const project = registry.get(projectId)
    const plan = planFor(project, config)
    const count = plan.pictures.length
    if (config.recipe !== 'head') {
      const rate = rates.features(rateName(config))
      const shown = shownPictures(gradientsOf(config, plan), plan.counts.train)
      const seconds = ((1 + config.folds) * shown) / (rate ?? EXPECTED_RATE[config.recipe])
      return {
        seconds,
        featuresSeconds: 0,
        fitSeconds: seconds,
        cachedPictures: 0,
        basis: rate === null ? 'estimated' : 'measured',
      }
    }
    const id = config.backboneId ?? (await backbones.recommended())
    const backbone = (await backbones.list()).find((candidate) => candidate.id === id)
    if (!backbone) throw noBackbone()
    const prepared = await backbones.prepared(backbone.id)
    const warm =
      prepared !== null &&
      findWarmStart(project, prepared.sha256, plan.classes, config.objective) !== undefined
    return forecastTraining({
      pictures: count,
      cached: prepared ? await countCached(project, plan, prepared) : 0,
      featureLength: backbone.featureLength,
      classes: plan.classes.length,
      folds: config.folds,
      measured: { features: backbone.rate, fit: rates.fit(warm) },
      expectedFeatureRate: expectedRateOf(backbone.architecture, backbone.inputSize),
      preparing: prepared === null,
    })
  }

  async function countCached(
    project: OpenProject,
    plan: TrainingPlan,
    { sha256, preprocessing, featureLength }: ReadyBackbone,
  ): Promise<number> {
    const identity = { backboneSha256: sha256, preprocessing, featureLength }
    const cached = await cachedPictures(project.paths.features, identity)
    return plan.pictures.filter((picture) => cached.has(picture.sha256)).length
  }

  async function start({
    projectId,
    config,
  }: {
    projectId: string
    config: TrainConfig
  }): Promise<{ runId: string; jobId: string }> {
    const project = registry.get(projectId)
    const backboneId =
      config.recipe === 'scratch' ? null : (config.backboneId ?? (await backbones.recommended()))
    if (config.recipe !== 'scratch' && backboneId === null) throw noBackbone()
    if (backboneId !== null) await backbones.requireReady(backboneId)
    // Nobody wants to learn from labels that are half-way changed.
    await ports.settled(projectId)
    await ports.twins.compare(project)
    const plan = planFor(project, config)
    const { unlabelled } = leftOut(project)
    const [blocker] = checkPlan({ plan, unlabelled, hasBackbone: backboneId !== null }).blockers
    if (blocker)
      throw new KestrelError(
        blocker.code === 'too-few-classes' ? 'too-few-classes' : 'too-few-pictures',
        blocker.words,
      )
    requireTeacher(project, config, plan)
    const gradients = config.recipe === 'head' ? null : gradientsOf(config, plan)
    // The teacher has learned from the pictures of every fold: what it teaches would tell of those held out.
    const folds = config.teacherRunId === null ? config.folds : 0
    const frozen = { ...config, backboneId, folds }
    return begin(project, freezeRun(project, plan, frozen, gradients, ports.version), plan)
  }

  /** Queues a run that is written down. */
  function begin(project: OpenProject, run: RunRecord, plan: TrainingPlan): { runId: string; jobId: string } {
    const { projectId } = project
    const job = jobs.start({
      kind: 'train',
      projectId,
      title: run.name,
      stage: 'waiting',
      // One training at a time: two would take the cores from each other.
      queue: 'train',
      facts: { runId: run.id, number: run.number },
      run: async (context) => {
        try {
          return await runTraining(ports, project, run, plan, context)
        } finally {
          underWay.delete(run.id)
          ports.refreshRecent(projectId)
          // The model is there to be used and to be trained again: both should be instant.
          if (ports.oneShot !== true)
            pool.warmUp().catch((error: unknown) => log.warn('the warm trainer did not start', error))
        }
      },
    })
    underWay.set(run.id, { jobId: job.id, project, run })
    void jobs.wait(job.id).then(() => endUnbegun(project, run.id))
    project.announce('runs', 'pictures')
    return { runId: run.id, jobId: job.id }
  }

  /** A training that was cancelled while it waited for another one never ran. */
  function endUnbegun(project: OpenProject, runId: string): void {
    underWay.delete(runId)
    if (!project.db.sql.open) return
    const run = project.use(createRunsRepository).find(runId)
    if (run?.state !== 'running') return
    interrupt(project, run, 'It was stopped before it began.')
    project.announce('runs')
  }

  function interrupt(project: OpenProject, run: RunRecord, message: string): void {
    project.use(createRunsRepository).end(run.id, {
      state: 'interrupted',
      facts: run.facts,
      error: {
        code: 'stopped',
        message,
        kept: 'What was computed so far is kept.',
        remedy: whatNext(project, run.id),
      },
      endedAt: Date.now(),
    })
  }

  return {
    options,
    forecast,
    start,

    /** @throws KestrelError not-found, model-unreadable */
    students: ({ projectId, runId }: { projectId: string; runId: string }) =>
      studentsFor({ pool, backbones }, registry.get(projectId), runId),

    /** What a training with the recommended choices would learn from now. */
    async currentPlan(project: OpenProject): Promise<{ plan: TrainingPlan; config: TrainConfig }> {
      const config = await recommended(project)
      return { plan: planFor(project, config), config }
    },

    /**
     * Goes on with a training by gradients that was interrupted or stopped, from its last finished epoch, on the very
     * pictures, labels and sides it was begun with.
     * @returns the same run; a new one where the stopped run has a model, which stays as it is
     * @throws KestrelError not-found; bad-request when there is nothing to go on from
     */
    resume({ projectId, runId }: { projectId: string; runId: string }): { runId: string; jobId: string } {
      const project = registry.get(projectId)
      const runs = project.use(createRunsRepository)
      const run = runs.find(runId)
      if (!run) throw new KestrelError('not-found', 'This training is not there any more.')
      if (!isResumable(project, run))
        throw new KestrelError('bad-request', 'This training left nothing to go on from.', {
          remedy: 'Train again.',
        })
      const plan = frozenPlan(project, run)
      if (wasStopped(run)) return begin(project, freezeContinuation(project, run, plan, ports.version), plan)
      runs.restart(runId)
      return begin(project, runs.find(runId)!, plan)
    },

    /** Asks for an end with the best so far; the trainer client enforces it. @throws KestrelError not-found */
    stop({ runId }: { projectId: string; runId: string }): void {
      const training = underWay.get(runId)
      if (!training) throw new KestrelError('not-found', 'This training is not running any more.')
      jobs.cancel(training.jobId)
    },

    /**
     * For a project that has just been opened: trainings whose process ended without a word.
     * @returns how many there were
     */
    recover(project: OpenProject): number {
      const runs = project.use(createRunsRepository)
      const lost = runs.running().filter((id) => !underWay.has(id))
      for (const id of lost) {
        const run = runs.find(id)
        if (run) interrupt(project, run, 'Kestrel ended while this training ran.')
      }
      return lost.length
    },

    /** Trainings that would be interrupted by quitting. */
    status: (): { projectName: string; words: string }[] =>
      [...underWay.values()].map(({ project, run }) => ({ projectName: project.name(), words: run.name })),
  }
}

/** @throws KestrelError bad-request when a network or a setting does not fit */
const gradientsOf = ({ recipe, changes }: TrainConfig, plan: TrainingPlan): GradientPlan =>
  planGradients(
    {
      recipe: recipe === 'scratch' ? 'scratch' : 'fine-tune',
      pictures: plan.counts.train,
      classes: plan.classes.length,
      labels: plan.classes.map(({ name }) => name),
    },
    changes,
  )

/** A head makes its folds in seconds; folds of a training by gradients are as many trainings. */
const usualFolds = (recipe: TrainConfig['recipe']): number => (recipe === 'head' ? DEFAULT_FOLDS : 0)

const noBackbone = (): KestrelError =>
  new KestrelError('no-backbone', 'No backbone is on this computer yet.', {
    remedy: 'Download one in Settings, add a file of your own, or train a network from scratch.',
  })
