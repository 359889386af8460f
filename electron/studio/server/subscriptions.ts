import type { StudioEvent } from '#shared/contract/system.ts'
import type { EventBus } from '../events/event-bus.ts'
import type { JobRunner } from '../jobs/job-runner.ts'

/** One every 10 s: a line that carries nothing for longer is taken for dead by the page. */
const HEARTBEAT_MS = 10_000
/** A window that does not read is dropped; it asks anew when it wakes. */
const MOST_WAITING = 5_000

export interface SubscriptionPorts {
  bus: EventBus
  jobs: JobRunner
  heartbeatMs?: number
}

export interface Subscriptions {
  /** All that happens from now on. A newer subscription of the same window ends its older one. */
  open(windowId: string, signal: AbortSignal | undefined): AsyncGenerator<StudioEvent, void, void>
  /** Ends all of them: the studio closes. */
  closeAll(): void
}

/** Event streams of the open windows. */
export function createSubscriptions({ bus, jobs, heartbeatMs }: SubscriptionPorts): Subscriptions {
  const windows = new Map<string, AbortController>()

  async function* events(
    windowId: string,
    own: AbortController,
    outer: AbortSignal | undefined,
  ): AsyncGenerator<StudioEvent, void, void> {
    const waiting: StudioEvent[] = []
    let wake = (): void => undefined
    const push = (event: StudioEvent): void => {
      addCoalesced(waiting, event)
      if (waiting.length > MOST_WAITING) own.abort()
      wake()
    }
    const unsubscribe = bus.subscribe(push)
    const heartbeat = setInterval(
      () => push({ type: 'heartbeat', at: Date.now() }),
      heartbeatMs ?? HEARTBEAT_MS,
    )
    heartbeat.unref()
    const end = (): void => wake()
    own.signal.addEventListener('abort', end)
    outer?.addEventListener('abort', end)
    try {
      yield { type: 'hello', jobs: jobs.list(null) }
      while (!own.signal.aborted && outer?.aborted !== true) {
        const next = waiting.shift()
        if (next) yield next
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      clearInterval(heartbeat)
      unsubscribe()
      own.signal.removeEventListener('abort', end)
      outer?.removeEventListener('abort', end)
      if (windows.get(windowId) === own) windows.delete(windowId)
    }
  }

  return {
    open(windowId, signal) {
      windows.get(windowId)?.abort()
      const own = new AbortController()
      windows.set(windowId, own)
      return events(windowId, own, signal)
    },
    closeAll() {
      for (const window of windows.values()) window.abort()
    },
  }
}

/** A slow reader gets the newest snapshot of a job and one "changed" per project, not all there were. */
function addCoalesced(waiting: StudioEvent[], event: StudioEvent): void {
  const at = waiting.findIndex(
    (other) =>
      (event.type === 'job' && other.type === 'job' && other.job.id === event.job.id) ||
      (event.type === 'heartbeat' && other.type === 'heartbeat'),
  )
  if (at >= 0) waiting.splice(at, 1)
  const before = waiting.at(-1)
  if (event.type === 'changed' && before?.type === 'changed' && before.projectId === event.projectId)
    waiting[waiting.length - 1] = { ...event, what: [...new Set([...before.what, ...event.what])] }
  else waiting.push(event)
}
