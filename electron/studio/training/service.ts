import type { Forecast, Teacher, TrainConfig, TrainingOptions } from '#shared/contract/training.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { JobRunner } from '../jobs/job-runner.ts'
import type { Log } from '../log.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { createComparisonRepository } from '../storage/comparison-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { checkPlan } from './checks.ts'
import { whatNext, isResumable, wasStopped } from './checkpoints.ts'
import { forecastOf, gradientsOf, noBackbone } from './forecast.ts'
import { freezeContinuation, freezeRun } from './freeze.ts'
import { frozenPlan, leftOut, planTraining } from './plan.ts'
import { headOn, studentsFor } from './students.ts'
import { requireTeacher, teacherOf } from './teacher.ts'
import type { TrainingPlan } from './plan.ts'
import { runTraining } from './run-training.ts'
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

  /** What a training with the recommended choices would learn from now. */
  async function currentPlan(project: OpenProject): Promise<{ plan: TrainingPlan; config: TrainConfig }> {
    const config = await recommended(project)
    return { plan: planFor(project, config), config }
  }
  const now = async (project: OpenProject) => {
    const { plan, config } = await currentPlan(project)
    return { config, classes: plan.classes.length }
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
    return forecastOf({ backbones, rates }, project, planFor(project, config), config)
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

  /** A head on a backbone, of the pictures and labels of now: the one there is, else one that is queued here. */
  async function trainedHead(projectId: string, backboneId: string, small: TrainConfig): Promise<string> {
    const known = headOn(registry.get(projectId), backboneId, small)
    if (known) return known.id
    const head = { recipe: 'head' as const, backboneId, folds: 0, changes: {}, teacherRunId: null }
    return (await start({ projectId, config: { ...small, ...head } })).runId
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

    currentPlan,

    /** @throws KestrelError not-found, model-unreadable, backbone-unknown, backbone-damaged, no-backbone */
    students: ({ projectId, teacher }: { projectId: string; teacher: Teacher }) =>
      studentsFor({ pool, backbones, now }, registry.get(projectId), teacher),

    /** @throws KestrelError as `start` does */
    async makeSmall({
      projectId,
      teacher,
      config,
    }: {
      projectId: string
      teacher: Teacher
      config: TrainConfig
    }) {
      const teacherRunId =
        'runId' in teacher ? teacher.runId : await trainedHead(projectId, teacher.backboneId, config)
      return { ...(await start({ projectId, config: { ...config, teacherRunId } })), teacherRunId }
    },

    /**
     * Goes on with a training by gradients that was interrupted or stopped, from its last finished epoch, on the very
     * pictures, labels and sides it was begun with.
     * @returns the same run; a new one where the stopped run has a model, which stays as it is
     * @throws KestrelError not-found, also for a teacher that is gone; bad-request when there is nothing to go on from
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
      // Before the state of a stopped run is handed over to one that could not begin.
      teacherOf(project, run.config)
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

/** A head makes its folds in seconds; folds of a training by gradients are as many trainings. */
const usualFolds = (recipe: TrainConfig['recipe']): number => (recipe === 'head' ? DEFAULT_FOLDS : 0)
