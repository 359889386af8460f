import { setTimeout as wait } from 'node:timers/promises'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import type { Job } from '#shared/jobs/job.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createJobRunner, isInterruption, stopped } from '#studio/jobs/job-runner.ts'
import { createRateMeter } from '#studio/jobs/rate-meter.ts'
import { throttle } from '#studio/jobs/throttle.ts'

const errors: unknown[] = []
const reportError = (error: unknown): void => {
  errors.push(error)
}
beforeEach(() => {
  errors.length = 0
})

function setUp() {
  const bus = createEventBus(reportError)
  const seen: Job[] = []
  bus.subscribe((event) => {
    if (event.type === 'job') seen.push(event.job)
  })
  return { jobs: createJobRunner({ bus, reportError }), seen }
}
const base = { kind: 'import', projectId: 'p', title: 'flowers' } as const
const untilStopped = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  )

describe('a job', () => {
  test('is told from queued to done, the last percent included, with its facts', async () => {
    const { jobs, seen } = setUp()
    const { id } = jobs.start({
      ...base,
      facts: { a: 1 },
      async run(job) {
        for (let done = 0; done <= 100; done++) job.update({ stage: 'reading', done, total: 100 })
        return { b: 2 }
      },
    })
    const job = await jobs.wait(id)
    expect(job).toMatchObject({
      state: 'done',
      stage: 'reading',
      done: 100,
      total: 100,
      facts: { a: 1, b: 2 },
    })
    expect(seen[0]?.state).toBe('queued')
    expect(seen.at(-1)).toEqual(job)
    // Throttled: not a hundred messages.
    expect(seen.length).toBeLessThan(10)
    expect(job.endedAt).not.toBeNull()
  })

  test('that throws is failed, with words; what was not foreseen is reported and says nothing of itself', async () => {
    const { jobs } = setUp()
    const worded = jobs.start({
      ...base,
      run: () => Promise.reject(new KestrelError('disk-full', 'The disk is full.')),
    })
    expect(await jobs.wait(worded.id)).toMatchObject({ state: 'failed', error: { code: 'disk-full' } })
    expect(errors).toEqual([])
    const unforeseen = jobs.start({ ...base, run: () => Promise.reject(new Error('secret detail')) })
    const job = await jobs.wait(unforeseen.id)
    expect(job.error).toMatchObject({ code: 'internal' })
    expect(JSON.stringify(job)).not.toContain('secret')
    expect(errors).toHaveLength(1)
  })

  test('that is stopped passes "stopping" and ends cancelled; what it returns all the same counts as done', async () => {
    const { jobs, seen } = setUp()
    const given = jobs.start({ ...base, run: ({ signal }) => untilStopped(signal) })
    await wait(0)
    jobs.cancel(given.id)
    jobs.cancel(given.id)
    expect(await jobs.wait(given.id)).toMatchObject({ state: 'cancelled', error: null })
    expect(seen.map((job) => job.state)).toEqual(['queued', 'running', 'stopping', 'cancelled'])
    const kept = jobs.start({
      ...base,
      run: ({ signal }) => untilStopped(signal).catch(() => ({ kept: 'the best so far' })),
    })
    await wait(0)
    jobs.cancel(kept.id)
    expect(await jobs.wait(kept.id)).toMatchObject({ state: 'done', facts: { kept: 'the best so far' } })
    expect(() => jobs.cancel('nobody')).toThrow(KestrelError)
  })

  test('knows whether a person stopped it or the app closes', async () => {
    const { jobs } = setUp()
    const reasons: boolean[] = []
    const run = async ({ signal }: { signal: AbortSignal }): Promise<void> => {
      await untilStopped(signal).catch(() => undefined)
      reasons.push(isInterruption(signal))
      throw stopped()
    }
    const first = jobs.start({ ...base, run })
    await wait(0)
    jobs.cancel(first.id)
    await jobs.wait(first.id)
    jobs.start({ ...base, run })
    jobs.start({ ...base, projectId: 'other', run })
    await wait(0)
    await jobs.stopAll('p')
    expect(reasons).toEqual([false, true])
    await jobs.stopAll()
    expect(reasons).toEqual([false, true, true])
  })

  test('waits for the one before it in its queue, and never starts when it was stopped meanwhile', async () => {
    const { jobs } = setUp()
    const order: string[] = []
    const gate = Promise.withResolvers<void>()
    const first = jobs.start({
      ...base,
      queue: 'q',
      async run() {
        await gate.promise
        order.push('first')
      },
    })
    const second = jobs.start({ ...base, queue: 'q', run: async () => void order.push('second') })
    const third = jobs.start({ ...base, queue: 'q', run: async () => void order.push('third') })
    jobs.cancel(second.id)
    gate.resolve()
    expect((await jobs.wait(third.id)).state).toBe('done')
    expect((await jobs.wait(first.id)).state).toBe('done')
    expect((await jobs.wait(second.id)).state).toBe('cancelled')
    expect(order).toEqual(['first', 'third'])
  })
})

test('throttle: the first call at once, the last one too, few between', () => {
  vi.useFakeTimers()
  try {
    const call = vi.fn<() => void>()
    const throttled = throttle(call, 100)
    for (let index = 0; index < 50; index++) {
      throttled()
      vi.advanceTimersByTime(10)
    }
    expect(call.mock.calls.length).toBeGreaterThanOrEqual(5)
    expect(call.mock.calls.length).toBeLessThanOrEqual(7)
    vi.advanceTimersByTime(1000)
    const settled = call.mock.calls.length
    vi.advanceTimersByTime(1000)
    expect(call.mock.calls.length).toBe(settled)
    throttled()
    throttled()
    throttled.flush()
    throttled.flush()
    expect(call.mock.calls.length).toBe(settled + 2)
  } finally {
    vi.useRealTimers()
  }
})

test('rate and time left follow the last seconds', () => {
  let now = 0
  const meter = createRateMeter(() => now)
  expect(meter.add(0, 1000)).toEqual({ rate: null, etaSeconds: null })
  for (let second = 1; second <= 20; second++) {
    now = second * 1000
    meter.add(second * 10, 1000)
  }
  expect(meter.add(200, 1000).rate).toBeCloseTo(10, 5)
  expect(meter.add(200, 1000).etaSeconds).toBeCloseTo(80, 0)
  for (let second = 21; second <= 40; second++) {
    now = second * 1000
    meter.add(200 + (second - 20) * 40, 1000)
  }
  expect(meter.add(1000, 1000).rate).toBeCloseTo(40, 0)
  meter.restart()
  expect(meter.add(0, null)).toEqual({ rate: null, etaSeconds: null })
})

test('a listener that throws is reported, and the others still hear', () => {
  const bus = createEventBus(reportError)
  const heard: string[] = []
  bus.subscribe(() => {
    throw new Error('broken')
  })
  const off = bus.subscribe((event) => heard.push(event.type))
  bus.publish({ type: 'backbones' })
  off()
  bus.publish({ type: 'backbones' })
  expect(heard).toEqual(['backbones'])
  expect(errors).toHaveLength(2)
})
