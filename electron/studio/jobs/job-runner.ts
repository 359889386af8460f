import { randomUUID } from 'node:crypto'
import { isOver } from '#shared/jobs/job.ts'
import type { Job } from '#shared/jobs/job.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import type { EventBus } from '../events/event-bus.ts'
import { createRateMeter } from './rate-meter.ts'
import { throttle } from './throttle.ts'

export type JobFacts = Job['facts']
export interface JobProgress {
  stage?: string
  done?: number
  total?: number | null
  /** Units per second; measured from `done` when left out. */
  rate?: number | null
  etaSeconds?: number | null
  title?: string
  /** Merged into what is there. */
  facts?: JobFacts
}

/** What a running job sees of its runner. */
export interface JobContext {
  readonly id: string
  /** Aborted when the person asks for a stop. */
  readonly signal: AbortSignal
  update(progress: JobProgress): void
}

export interface JobStart {
  /** For a job that goes on after a restart under its old id. */
  id?: string
  kind: Job['kind']
  projectId: string | null
  title: string
  /** First stage; 'waiting' when left out. */
  stage?: string
  /** Jobs with the same queue run one after the other. */
  queue?: string
  facts?: JobFacts
  /** Work may not be given up half-way through a write: it looks at `signal` and ends by itself. A returned value
   * is merged into the facts and the job is 'done' even after a stop; thrown `stopped` or AbortError: 'cancelled'. */
  run(context: JobContext): Promise<JobFacts | void>
}

export interface JobRunner {
  start(job: JobStart): Job
  /** Asks for an end; does nothing when it is over. @throws KestrelError not-found */
  cancel(id: string): void
  /** @throws KestrelError not-found */
  get(id: string): Job
  /** Running ones and the last finished ones; null: of all projects. */
  list(projectId: string | null): Job[]
  /** Resolves with the last snapshot when it is over. @throws KestrelError not-found */
  wait(id: string): Promise<Job>
  /** The app or the project closes: all (or one project's) are interrupted; waits until they have ended. */
  stopAll(projectId?: string): Promise<void>
}

interface Entry {
  job: Job
  abort: AbortController
  finished: Promise<void>
}

/** Finished jobs kept for windows that open late. */
const KEEP_FINISHED = 50
const PUBLISH_EVERY_MS = 200

export interface JobRunnerPorts {
  bus: EventBus
  /** Unexpected errors, with their cause, for the log. */
  reportError(error: unknown): void
}

/** Runs long work: one snapshot each, progress throttled with a leading and a trailing call. */
export function createJobRunner({ bus, reportError }: JobRunnerPorts): JobRunner {
  const entries = new Map<string, Entry>()
  const queues = new Map<string, Promise<void>>()

  const find = (id: string): Entry => {
    const entry = entries.get(id)
    if (!entry) throw new KestrelError('not-found', 'That task is not known any more.')
    return entry
  }

  const forgetOldest = (): void => {
    const over = [...entries.values()].filter((entry) => isOver(entry.job))
    for (const entry of over.slice(0, Math.max(0, over.length - KEEP_FINISHED))) entries.delete(entry.job.id)
  }

  function start(request: JobStart): Job {
    const id = request.id ?? randomUUID()
    const abort = new AbortController()
    const job: Job = {
      id,
      projectId: request.projectId,
      kind: request.kind,
      state: 'queued',
      stage: request.stage ?? 'waiting',
      done: 0,
      total: null,
      rate: null,
      etaSeconds: null,
      title: request.title,
      facts: { ...request.facts },
      error: null,
      startedAt: Date.now(),
      endedAt: null,
    }
    const entry: Entry = { job, abort, finished: Promise.resolve() }
    entries.set(id, entry)
    forgetOldest()
    bus.publish({ type: 'job', job: entry.job })

    const before = request.queue === undefined ? undefined : queues.get(request.queue)
    entry.finished = (before ?? Promise.resolve()).then(() => execute(entry, request))
    if (request.queue !== undefined) queues.set(request.queue, entry.finished)
    return entry.job
  }

  async function execute(entry: Entry, request: JobStart): Promise<void> {
    const publish = throttle(() => bus.publish({ type: 'job', job: entry.job }), PUBLISH_EVERY_MS)
    const change = (patch: Partial<Job>): void => {
      entry.job = { ...entry.job, ...patch }
      publish()
    }
    const meter = createRateMeter()
    const update = ({ facts, ...progress }: JobProgress): void => {
      if (progress.stage !== undefined && progress.stage !== entry.job.stage) meter.restart()
      const next: Job = { ...entry.job, ...progress, facts: { ...entry.job.facts, ...facts } }
      if (progress.done !== undefined) {
        const measured = meter.add(progress.done, next.total)
        if (progress.rate === undefined) next.rate = measured.rate
        if (progress.etaSeconds === undefined) next.etaSeconds = measured.etaSeconds
      }
      change(next)
    }
    const end = (patch: Partial<Job>): void => {
      change({ etaSeconds: null, endedAt: Date.now(), ...patch })
      publish.flush()
    }

    if (entry.abort.signal.aborted) return end({ state: 'cancelled' })
    change({ state: 'running' })
    try {
      const facts = await request.run({ id: entry.job.id, signal: entry.abort.signal, update })
      end({ state: 'done', facts: { ...entry.job.facts, ...facts } })
    } catch (error) {
      if (isStop(error)) return end({ state: 'cancelled' })
      if (!(error instanceof KestrelError) || error.cause !== undefined) reportError(error)
      end({ state: 'failed', error: toWire(error) })
    }
  }

  function stop(id: string, reason: KestrelError): void {
    const entry = find(id)
    if (isOver(entry.job) || entry.abort.signal.aborted) return
    entry.job = { ...entry.job, state: 'stopping' }
    // Before anybody hears of it: a listener that asks again must find it asked for.
    entry.abort.abort(reason)
    bus.publish({ type: 'job', job: entry.job })
  }

  return {
    start,
    cancel: (id) => stop(id, stopped()),
    get: (id) => find(id).job,
    list: (projectId) =>
      [...entries.values()]
        .map((entry) => entry.job)
        .filter((job) => projectId === null || job.projectId === projectId),
    async wait(id) {
      const entry = find(id)
      await entry.finished
      return entry.job
    },
    async stopAll(projectId) {
      const running = [...entries.values()].filter(
        ({ job }) => !isOver(job) && (projectId === undefined || job.projectId === projectId),
      )
      for (const { job } of running) stop(job.id, new Interruption())
      await Promise.all(running.map((entry) => entry.finished))
    },
  }
}

/** What a job throws when it ends because it was asked to. */
export const stopped = (): KestrelError =>
  new KestrelError('stopped', 'Stopped.', { kept: 'Everything finished before is kept.' })

/** Why a job is stopped when nobody asked for it: it may go on when the project is opened again. */
class Interruption extends KestrelError {
  constructor() {
    super('stopped', 'Interrupted because Kestrel was closed.', {
      kept: 'Everything finished before is kept.',
    })
  }
}

/** Whether the work is to be left so that it can go on later, rather than given up. */
export const isInterruption = (signal: AbortSignal): boolean => signal.reason instanceof Interruption

const isStop = (error: unknown): boolean =>
  (error instanceof KestrelError && error.code === 'stopped') ||
  (error instanceof Error && error.name === 'AbortError')
