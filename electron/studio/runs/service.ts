import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Run } from '#shared/contract/training.ts'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createRunsRepository } from '../storage/runs-repository.ts'
import type { RunRecord } from '../storage/runs-repository.ts'
import { isOpen, isResumable } from '../training/checkpoints.ts'
import { runFolder } from '../training/run-folder.ts'
import { isMissing } from '../files.ts'

export interface RunPorts {
  registry: ProjectRegistry
  refreshRecent(projectId: string): void
  /** Lets go of what only a run that is there can show. */
  removed(project: OpenProject, runId: string): Promise<void>
}

export type RunsService = ReturnType<typeof createRunsService>
interface RunRef {
  projectId: string
  runId: string
}

/** @throws KestrelError not-found */
export function findRun(project: OpenProject, runId: string): RunRecord {
  const run = project.use(createRunsRepository).find(runId)
  if (!run) throw new KestrelError('not-found', 'This training is not there any more.')
  return run
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

export const hasModel = ({ state }: RunRecord): boolean => state === 'done' || state === 'stopped'

/** A run that can predict, and its folder. @throws KestrelError not-found, model-unreadable */
export function findModel(project: OpenProject, runId: string): { run: RunRecord; folder: string } {
  const run = findRun(project, runId)
  if (!hasModel(run))
    throw new KestrelError('model-unreadable', 'This training ended before there was a model.', {
      remedy: 'Train again, or choose another training.',
    })
  return { run, folder: runFolder(project, runId) }
}

/** The stopped run that this one goes on from, while it is there. */
export const continuedBy = (project: OpenProject, { facts }: RunRecord): RunRecord | undefined =>
  facts.continues === null ? undefined : project.use(createRunsRepository).find(facts.continues)

/** The run whose model this one learned from, while it is there. */
const teacherOf = (project: OpenProject, { config }: RunRecord): RunRecord | undefined =>
  config.teacherRunId === null ? undefined : project.use(createRunsRepository).find(config.teacherRunId)

/** A training under way that learns from this run. */
function learnerOf(project: OpenProject, runId: string): RunRecord | undefined {
  const runs = project.use(createRunsRepository)
  return runs
    .running()
    .map((id) => runs.find(id))
    .find((run) => run?.config.teacherRunId === runId)
}

export function createRunsService({ registry, refreshRecent, removed }: RunPorts) {
  function view(project: OpenProject, run: RunRecord): Run {
    const labels = new Map(
      project
        .use(createLabelsRepository)
        .all()
        .map((label) => [label.id, label]),
    )
    const { facts } = run
    const teacher = teacherOf(project, run)
    return {
      runId: run.id,
      number: run.number,
      name: run.name,
      state: run.state === 'removed' ? 'interrupted' : run.state,
      config: run.config,
      backboneName: facts.backbone?.name ?? null,
      createdAt: run.createdAt,
      seconds: run.endedAt === null ? null : (run.endedAt - run.createdAt) / 1000,
      classes: run.classes.map(({ labelId, name, colour }) => {
        const label = labels.get(labelId)
        return { labelId: label ? labelId : null, name, colour: label?.colour ?? colour }
      }),
      counts: facts.counts,
      testAccuracy: facts.testAccuracy,
      testAccuracyCi95: facts.testAccuracyCi95,
      valAccuracy: facts.valAccuracy,
      outOfFoldAccuracy: facts.outOfFoldAccuracy,
      foldsLeftOut: facts.foldsLeftOut,
      regularisation: facts.regularisation,
      stopped: facts.stopped,
      error: run.error && {
        code: run.error.code,
        message: [run.error.message, run.error.kept].filter(Boolean).join(' '),
        ...(run.error.remedy === undefined ? {} : { remedy: run.error.remedy }),
      },
      resumable: isResumable(project, run),
      continues: continuedBy(project, run)?.number ?? null,
      checks: facts.checks,
      kept: facts.kept,
      teacher: teacher?.number ?? null,
      weighed: facts.weighed && {
        ...facts.weighed,
        teacherValAccuracy: teacher?.facts.valAccuracy ?? null,
      },
      madeSmall: facts.madeSmall,
      stale: run.revision !== project.revision(),
    }
  }

  return {
    /** Newest first. */
    list({ projectId }: { projectId: string }): Run[] {
      const project = registry.get(projectId)
      return project
        .use(createRunsRepository)
        .all()
        .map((run) => view(project, run))
    },

    get({ projectId, runId }: RunRef): Run {
      const project = registry.get(projectId)
      return view(project, findRun(project, runId))
    },

    curve({ projectId, runId }: RunRef): TrainMetric[] {
      const project = registry.get(projectId)
      return project.use(createRunsRepository).steps(findRun(project, runId).id)
    },

    rename({ projectId, runId, name }: RunRef & { name: string }): Run {
      const project = registry.get(projectId)
      findRun(project, runId)
      project
        .use(createRunsRepository)
        .rename(runId, name.trim() || `Training ${findRun(project, runId).number}`)
      project.announce('runs')
      return view(project, findRun(project, runId))
    },

    /** Its model goes to the project's trash folder; its number is not given again. */
    async remove({ projectId, runId }: RunRef): Promise<void> {
      const project = registry.get(projectId)
      const run = findRun(project, runId)
      if (run.state === 'running')
        throw new KestrelError('busy', 'This training is still running.', { remedy: 'Stop it first.' })
      const learner = learnerOf(project, runId)
      if (learner)
        throw new KestrelError('busy', `${learner.name} is learning from ${run.name} now.`, {
          kept: 'Nothing was removed.',
          remedy: 'Wait until it has ended, or stop it.',
        })
      const trash = join(project.folder, 'trash', 'runs')
      await mkdir(trash, { recursive: true })
      try {
        await rename(runFolder(project, runId), join(trash, runId))
      } catch (error) {
        // A run that failed never had a folder.
        if (!isMissing(error)) throw error
      }
      project.use(createRunsRepository).markRemoved(runId)
      await removed(project, runId)
      project.announce('runs')
      refreshRecent(projectId)
    },

    async passport({ projectId, runId }: RunRef): Promise<Record<string, unknown>> {
      const project = registry.get(projectId)
      const run = findRun(project, runId)
      try {
        const text = await readFile(join(runFolder(project, runId), 'passport.json'), 'utf8')
        return JSON.parse(text) as Record<string, unknown>
      } catch (error) {
        if (!isMissing(error)) throw error
        // What is known of a run without a model.
        return {
          version: 1,
          kestrel: run.facts.kestrel,
          run: { id: run.id, number: run.number, name: run.name, state: run.state },
          config: run.config,
          dataset: { classes: run.classes.map(({ name }) => name), counts: run.facts.counts },
          error: run.error,
        }
      }
    },

    /** Test accuracy of the newest run that has one, for the start page. */
    lastAccuracy(project: OpenProject): number | null {
      const run = project
        .use(createRunsRepository)
        .newestWithModel(({ facts }) => facts.testAccuracy !== null)
      return run?.facts.testAccuracy ?? null
    },

    /** Leftovers of runs that never became complete, and states of trainings that will not go on. */
    async sweep(project: OpenProject): Promise<void> {
      const runs = project.use(createRunsRepository).all()
      const open = new Set(runs.filter(isOpen).map(({ id }) => id))
      for (const id of await namesIn(project.paths.checkpoints))
        if (!open.has(id)) await rm(join(project.paths.checkpoints, id), { recursive: true, force: true })
      for (const run of runs)
        if (!hasModel(run) && run.state !== 'running')
          await rm(runFolder(project, run.id), { recursive: true, force: true })
    },
  }
}
