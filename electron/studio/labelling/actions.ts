import { fromWire, KestrelError } from '#shared/errors/index.ts'
import { isInterruption, stopped } from '../jobs/job-runner.ts'
import type { JobContext, JobRunner } from '../jobs/job-runner.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import type { ProjectDatabase } from '../storage/database.ts'
import { createHistoryRepository } from '../storage/history-repository.ts'
import type { HistoryRepository, HistoryRow } from '../storage/history-repository.ts'
import { createLabellingRepository } from '../storage/labelling-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createProjectRepository } from '../storage/project-repository.ts'
import { createTestLooksRepository } from '../storage/test-looks-repository.ts'
import { createViewsRepository } from '../storage/views-repository.ts'
import type { ViewsRepository } from '../storage/views-repository.ts'
import { applyChanges, changesSchema } from './changes.ts'
import type { Change } from './changes.ts'
import {
  beginAction,
  endAction,
  giveUpAction,
  rowsOf,
  sliceSizes,
  slicesOf,
  unfinishedAction,
} from './long-action.ts'
import type { LongActionTarget, SliceSizes, Unfinished } from './long-action.ts'

/** Keys of the page's texts for undo and redo: "Undo: label 12 pictures". */
export type ActionName =
  | 'assign'
  | 'exclude'
  | 'restore'
  | 'confirm'
  | 'say'
  | 'add'
  | 'label-create'
  | 'label-rename'
  | 'label-recolour'
  | 'label-merge'
  | 'label-remove'
  | 'label-reorder'

export interface Changed {
  /** Pictures (for actions on labels: pictures that carry them) that are different now. */
  changed: number
  revision: number
  /** What undo can be asked to take back; null when nothing changed, and after an undo. */
  step: number | null
}

export interface Plan {
  changes: Change[]
  pictures: number
  /** What it turned out to be, where that is known only now. */
  name?: ActionName
}

/** The repositories of one project that labelling works on. */
const createTools = (
  db: ProjectDatabase,
): LongActionTarget & {
  db: ProjectDatabase
  history: HistoryRepository
  views: ViewsRepository
} => ({
  db,
  labels: createLabelsRepository(db),
  pictures: createLabellingRepository(db),
  looks: createTestLooksRepository(db),
  facts: createProjectRepository(db),
  history: createHistoryRepository(db),
  views: createViewsRepository(db),
})
export type Tools = ReturnType<typeof createTools>

export interface LabellingPorts {
  registry: ProjectRegistry
  jobs: JobRunner
  /** Other than the app's own only in tests. */
  sizes?: SliceSizes
}

/** How actions are done, one after the other: all of it or nothing, one entry of the history, undoable. */
export function createActions({ registry, jobs, sizes = sliceSizes }: LabellingPorts) {
  /** Actions that are half-way through their pictures; everything else waits for them. */
  const underWay = new Map<string, Promise<unknown>>()

  /** Does `work` once nothing in the project is half done, in the very moment in which that was seen. */
  async function whenSettled<T>(projectId: string, work: (project: OpenProject) => T): Promise<Awaited<T>> {
    for (;;) {
      const project = registry.get(projectId)
      const left = unfinishedAction(project.use(createTools))
      if (left === null) return await work(project)
      await (underWay.get(projectId) ?? runLong(project, left))
    }
  }

  /** Does what `plan` says; an action that changes nothing leaves no entry. */
  const act = (projectId: string, as: ActionName, plan: (tools: Tools) => Plan): Promise<Changed> =>
    whenSettled(projectId, (project) => {
      const tools = project.use(createTools)
      const { name, result } = tools.db.transaction(() => {
        const { changes, pictures, name = as } = plan(tools)
        if (changes.length === 0)
          return { name, result: { changed: 0, revision: project.revision(), step: null } }
        return { name, result: begin(project, { as: 'do', entry: null, name, pictures, changes }) }
      })
      return goOn(project, name, result)
    })

  /** @param only the step to take back; refused when it is not the latest */
  const step = (projectId: string, as: 'undo' | 'redo', only?: number): Promise<Changed & { name: string }> =>
    whenSettled(projectId, async (project) => {
      const tools = project.use(createTools)
      const { name, result } = tools.db.transaction(() => {
        const entry = as === 'undo' ? tools.history.lastDone() : tools.history.firstUndone()
        if (only !== undefined && entry?.step !== only) throw notTheLatest(tools.history.find(only))
        if (!entry) throw nothingTo(as)
        const { name, pictures } = entry
        const changes = changesSchema.parse(JSON.parse(as === 'undo' ? entry.backward : entry.forward))
        return { name, result: begin(project, { as, entry: entry.id, name, pictures, changes }) }
      })
      return { name, ...(await goOn(project, name, result)) }
    })

  /** Does it, or writes it down to be done in slices. Inside a transaction. */
  function begin(project: OpenProject, action: Omit<Unfinished, 'back' | 'givenUp'>): Changed | Unfinished {
    const tools = project.use(createTools)
    if (rowsOf(action.changes) > sizes.long) return beginAction(tools, action)
    return conclude(project, action, applyChanges(tools, action.changes))
  }

  function goOn(project: OpenProject, name: string, begun: Changed | Unfinished): Changed | Promise<Changed> {
    if ('changes' in begun) return runLong(project, begun)
    announce(project, name)
    return begun
  }

  /** Tells the history of an action that was done. Inside the transaction that does the last of it. */
  function conclude(
    project: OpenProject,
    { as, entry, name, pictures, changes }: Omit<Unfinished, 'back' | 'givenUp'>,
    back: readonly Change[],
  ): Changed {
    const { history } = project.use(createTools)
    const backward = JSON.stringify(back)
    let step: number | null = null
    if (entry === null) step = history.push({ name, pictures, forward: JSON.stringify(changes), backward })
    else if (as === 'undo') history.markUndone(entry, backward)
    else {
      history.markDone(entry, backward)
      step = history.lastDone()?.step ?? null
    }
    return { changed: pictures, revision: project.nextRevision(), step }
  }

  /** @throws KestrelError what ended it; nothing is lost then, it is finished before the next action. */
  async function runLong(project: OpenProject, unfinished: Unfinished): Promise<Changed> {
    let result: Changed = { changed: 0, revision: project.revision(), step: null }
    const { id } = jobs.start({
      kind: 'label',
      projectId: project.projectId,
      title: project.name(),
      stage: 'changing',
      run: async (job) => {
        result = await workThrough(project, unfinished, job)
      },
    })
    const ended = jobs.wait(id)
    underWay.set(project.projectId, ended)
    const { error } = await ended
    underWay.delete(project.projectId)
    if (error) throw fromWire(error)
    return result
  }

  async function workThrough(
    project: OpenProject,
    unfinished: Unfinished,
    job: JobContext,
  ): Promise<Changed> {
    const tools = project.use(createTools)
    const { db } = tools
    const stage = unfinished.givenUp ? 'putting-back' : 'changing'
    const total = rowsOf(unfinished.changes)
    let done = 0
    for (const { field, value, ids } of slicesOf(unfinished, sizes.slice)) {
      job.update({ stage, done, total })
      await new Promise((next) => setImmediate(next))
      if (job.signal.aborted && isInterruption(job.signal)) throw stopped()
      if (job.signal.aborted && !unfinished.givenUp)
        return workThrough(
          project,
          db.transaction(() => giveUpAction(tools, unfinished)),
          job,
        )
      db.transaction(() => tools.pictures.set(field, ids, value))
      done += ids.length
    }
    const result = db.transaction(() => {
      const back = endAction(tools, unfinished)
      return back && conclude(project, unfinished, back)
    })
    announce(project, unfinished.name)
    if (result === null) throw stopped()
    job.update({ stage, done: total, total })
    return result
  }

  return {
    act,
    step,
    /** Finishes what a studio that died left half-way. */
    resume(project: OpenProject): void {
      const left = unfinishedAction(project.use(createTools))
      // Said by its job when it fails.
      if (left) void runLong(project, left).catch(() => undefined)
    },
    /** Resolves when no action is half-way through its pictures. */
    settled: (projectId: string): Promise<void> => whenSettled(projectId, () => undefined),
  }
}

function announce(project: OpenProject, name: string): void {
  const onlyLabels =
    name === 'label-create' ||
    name === 'label-recolour' ||
    name === 'label-reorder' ||
    name === 'label-rename'
  if (onlyLabels) project.announce('labels')
  else project.announce('pictures', 'labels')
}

function nothingTo(direction: 'undo' | 'redo'): KestrelError {
  return direction === 'undo'
    ? new KestrelError('nothing-to-undo', 'There is nothing to undo.')
    : new KestrelError('nothing-to-redo', 'There is nothing to redo.')
}

/** Taking back another action than the one that was named would be a silent loss. */
function notTheLatest(asked: HistoryRow | undefined): KestrelError {
  const gone = asked === undefined || asked.undone === 1
  return new KestrelError(
    'not-the-latest',
    gone ? 'This was taken back already.' : 'Other changes were made after this one.',
    {
      kept: 'Nothing was undone.',
      remedy: gone
        ? 'Redo does again what was taken back last.'
        : 'Undo takes back the latest change first; go on until this one is reached.',
    },
  )
}
