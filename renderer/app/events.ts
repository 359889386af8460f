import { useQueryCache } from '@pinia/colada'
import { createEventHook, useThrottleFn } from '@vueuse/core'
import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import { isOver, reduceJobs } from '#shared/jobs/job.ts'
import type { Job } from '#shared/jobs/job.ts'
import type { StudioEvent } from '#shared/contract/system.ts'
import { queryKeys, useStudio } from '../client/index.ts'
import { unreachableWords } from '../client/studio.ts'
import type { ProjectPart } from '../client/index.ts'
import { useNotices } from './notices.ts'

/** Heartbeats come every 10 s; after this long without any the stream is taken for dead. */
const silenceMs = 25_000
const firstRetryMs = 300
const longestRetryMs = 5_000
const invalidateMs = 400

const pause = (ms: number): Promise<void> => new Promise((resolve) => window.setTimeout(resolve, ms))

/**
 * The one subscription to all that happens in the studio. Keeps the jobs, marks queries as stale, passes every event
 * on, and connects again when the stream ends.
 */
export const useEvents = defineStore('events', () => {
  const studio = useStudio()
  const queries = useQueryCache()
  const notices = useNotices()
  const windowId = crypto.randomUUID()

  const jobs = shallowRef<ReadonlyMap<string, Job>>(new Map())
  const connection = ref<'connecting' | 'open' | 'lost'>('connecting')
  const happened = createEventHook<StudioEvent>()
  const ended = createEventHook<Job>()
  const reconnected = createEventHook<void>()

  /** What fails to be fetched again is said where it is shown, by its own query. */
  const staleNow = (filter?: { key: readonly (string | number | null)[] }): Promise<unknown> =>
    queries.invalidateQueries(filter).catch((error: unknown) => console.warn('not fetched again', error))

  // An import changes pictures many times a second; the page asks again at most a few times.
  const stale = new Map<string, Set<ProjectPart>>()
  const invalidate = useThrottleFn(
    () => {
      for (const [projectId, parts] of stale) {
        for (const part of parts) void staleNow({ key: ['project', projectId, part] })
        // Whether a run is out of date depends on pictures and labels.
        if (parts.has('pictures') || parts.has('labels')) {
          void staleNow({ key: queryKeys.runs(projectId) })
        }
        void staleNow({ key: queryKeys.project(projectId) })
      }
      if (stale.size > 0) void staleNow({ key: queryKeys.recent() })
      stale.clear()
    },
    invalidateMs,
    true,
  )

  function takeJob(job: Job): void {
    const before = jobs.value.get(job.id)
    jobs.value = reduceJobs(jobs.value, job)
    if (isOver(job) && before && !isOver(before)) void ended.trigger(job)
  }

  function take(event: StudioEvent): void {
    if (event.type === 'hello') {
      jobs.value = new Map(event.jobs.map((job) => [job.id, job]))
    } else if (event.type === 'job') {
      takeJob(event.job)
    } else if (event.type === 'changed') {
      const parts = stale.get(event.projectId) ?? new Set()
      for (const part of event.what) parts.add(part)
      // Counts belong to both: labels are counted with their pictures.
      if (parts.has('labels')) parts.add('pictures')
      stale.set(event.projectId, parts)
      void invalidate()
    } else if (event.type === 'backbones') {
      void staleNow({ key: queryKeys.backbones() })
    } else if (event.type === 'notice') {
      notices.push({ level: event.level, title: event.title, words: event.words })
    }
    void happened.trigger(event)
  }

  async function listenOnce(outer: AbortSignal, opened: () => void): Promise<void> {
    const quiet = new AbortController()
    const stop = (): void => quiet.abort()
    outer.addEventListener('abort', stop, { once: true })
    let watchdog = window.setTimeout(stop, silenceMs)
    try {
      const stream = await studio.system.events({ windowId }, { signal: quiet.signal })
      for await (const event of stream) {
        window.clearTimeout(watchdog)
        watchdog = window.setTimeout(stop, silenceMs)
        opened()
        take(event)
      }
    } finally {
      window.clearTimeout(watchdog)
      outer.removeEventListener('abort', stop)
    }
  }

  /** Runs until aborted. */
  async function listen(signal: AbortSignal): Promise<void> {
    let retryMs = firstRetryMs
    let before = false
    while (!signal.aborted) {
      try {
        await listenOnce(signal, () => {
          retryMs = firstRetryMs
          if (connection.value === 'open') return
          connection.value = 'open'
          notices.retract(unreachableWords)
          // What happened in between was not heard: everything shown is asked for again.
          if (before) {
            void staleNow()
            void reconnected.trigger()
          }
          before = true
        })
      } catch (error) {
        if (!signal.aborted) console.warn('event stream ended', error)
      }
      if (signal.aborted) return
      connection.value = 'lost'
      await pause(retryMs)
      retryMs = Math.min(retryMs * 2, longestRetryMs)
    }
  }

  return {
    jobs,
    connection,
    listen,
    onEvent: happened.on,
    /** A job that this window saw running is over. */
    onJobEnd: ended.on,
    onReconnect: reconnected.on,
  }
})
