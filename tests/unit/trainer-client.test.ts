import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import type { KestrelError } from '#shared/errors/index.ts'
import { privateAddress } from '#studio/trainer-client/address.ts'
import { crashError, diedOfMemory } from '#studio/trainer-client/crash.ts'
import { createTrainerPool } from '#studio/trainer-client/pool.ts'
import type { TrainerPool } from '#studio/trainer-client/pool.ts'
import { startTrainer } from '#studio/trainer-client/trainer.ts'
import type { RequestOf, Trainer, TrainerDeadlines } from '#studio/trainer-client/trainer.ts'
import { launcherOf, scriptedTrainer } from '../helpers/launcher.ts'

const deadlines: TrainerDeadlines = { readyMs: 60_000, stopMs: 200, closeMs: 500 }
const logged: string[] = []
const log = (level: string, text: string): void => {
  logged.push(`${level}: ${text}`)
}
const order = (what: string): RequestOf<'predict'> => ({ kind: 'predict', modelDir: what, images: [] })
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: KestrelError) => error.code ?? String(error),
  )

describe('one trainer', () => {
  let trainer: Trainer | undefined
  const start = async (script = '', limits = deadlines): Promise<Trainer> => {
    logged.length = 0
    trainer = await startTrainer(launcherOf(scriptedTrainer, { KESTREL_SCRIPT: script }), log, limits)
    return trainer
  }
  afterEach(async () => {
    await trainer?.close()
    trainer = undefined
  })

  it('listens where nobody else can enter', async () => {
    const address = privateAddress()
    expect((await stat(dirname(address.path))).mode & 0o777).toBe(0o700)
    await address.remove()
    expect(existsSync(dirname(address.path))).toBe(false)
    expect(privateAddress('win32').path).toMatch(/^\\\\\.\\pipe\\kestrel-[0-9a-f-]{36}$/)
  })

  it('answers, and hands on progress, metrics and parts in between', async () => {
    const heard: unknown[] = []
    const { request } = await start()
    const result = await request(order('chatter'), {
      onProgress: (progress) => heard.push(progress),
      onMetric: (metric) => heard.push(metric.valAccuracy),
      onPartial: (partial) => heard.push(partial.probabilities),
    })
    expect(result).toEqual({ kind: 'predict', classes: ['a', 'b'], done: 1, failed: 0 })
    expect(heard).toEqual([
      { stage: 'features', done: 1, total: 2, rate: null },
      0.75,
      Float32Array.of(0.25, 0.75),
    ])
    expect(logged).toEqual(['info: working'])
  })

  it("passes the trainer's own words on", async () => {
    const { request } = await start()
    await expect(request(order('refuse'))).rejects.toMatchObject({
      code: 'model-unreadable',
      message: 'The model cannot be read.',
    })
    await expect(request(order('answer'))).resolves.toMatchObject({ done: 1 })
  })

  it('fails every open request when the process dies, with words and the exit code for the log', async () => {
    const { request, gone } = await start()
    const waiting = codeOf(request(order('obedient')))
    await expect(request(order('exit-3'))).rejects.toMatchObject({
      code: 'training-crashed',
      cause: { message: 'trainer exited with code 3, signal null during predict' },
    })
    expect(await waiting).toBe('training-crashed')
    expect(await gone).toEqual({ code: 3, signal: null })
    expect(trainer?.alive).toBe(false)
    expect(await codeOf(request(order('answer')))).toBe('training-crashed')
  })

  it('calls a kill from outside a crash, not a lack of memory', async () => {
    const { request } = await start()
    expect(await codeOf(request(order('kill')))).toBe('training-crashed')
  })

  it('reads what was sent before the death', async () => {
    const { request } = await start()
    await expect(request(order('answer-then-exit'))).resolves.toMatchObject({ done: 2 })
  })

  it.each(['nonsense', 'garbage'])('ends a trainer that sends %s', async (what) => {
    const { request, gone } = await start()
    expect(await codeOf(request(order(what)))).not.toBe('no error')
    expect((await gone).signal).toBe('SIGKILL')
    expect(logged.join()).toContain('trainer message refused')
  })

  it('refuses an answer of another kind', async () => {
    const { request } = await start()
    await expect(request(order('wrong-kind'))).rejects.toThrow('asked for predict, answered with hello')
  })

  it('stops: asked and confirmed, with the best so far or given up', async () => {
    const { request } = await start()
    const keep = new AbortController()
    const kept = request(order('obedient'), { signal: keep.signal, keepBest: true })
    keep.abort()
    await expect(kept).resolves.toMatchObject({ done: 9 })

    const drop = new AbortController()
    const dropped = codeOf(request(order('obedient'), { signal: drop.signal }))
    drop.abort()
    expect(await dropped).toBe('stopped')
    expect(trainer?.alive).toBe(true)
    expect(await codeOf(request(order('answer'), { signal: drop.signal }))).toBe('stopped')
  })

  it('stops: enforced when it does not answer', async () => {
    const { request, gone } = await start()
    const abort = new AbortController()
    const waiting = codeOf(request(order('deaf'), { signal: abort.signal, keepBest: true }))
    abort.abort()
    expect(await waiting).toBe('stopped')
    expect((await gone).signal).toBe('SIGKILL')
    expect(logged.join()).toContain('did not stop within')
  })

  it('kills a process that stays when its socket closes', async () => {
    const clinging = await start('clinging')
    await clinging.close()
    expect((await clinging.gone).signal).toBe('SIGKILL')
  })

  it('says so when it cannot be started', async () => {
    expect(await codeOf(start('stillborn'))).toBe('training-crashed')
    expect(await codeOf(start('mute', { ...deadlines, readyMs: 1500 }))).toBe('training-crashed')
  })
})

describe('the words of a crash', () => {
  it('knows a lack of memory by the counters of the kernel and the codes of Windows', () => {
    const killed = { code: null, signal: 'SIGKILL' }
    expect(diedOfMemory(killed, 3, 4)).toBe(true)
    expect(diedOfMemory({ code: 137, signal: null }, 3, 4)).toBe(true)
    expect(diedOfMemory(killed, 3, 3)).toBe(false)
    expect(diedOfMemory(killed, null, null)).toBe(false)
    expect(diedOfMemory({ code: 1, signal: null }, 3, 4)).toBe(false)
    expect(diedOfMemory({ code: 0xc0000017 | 0, signal: null }, null, null)).toBe(true)
  })

  it('says what happened, what was kept and what to do', () => {
    const error = crashError('train', { code: null, signal: 'SIGKILL' }, true)
    expect(error).toMatchObject({
      code: 'out-of-memory',
      kept: expect.any(String),
      remedy: expect.any(String),
    })
    expect(crashError('export', { code: 1, signal: null }, false).remedy).toMatch(/^Try again/)
  })
})

describe('the pool', () => {
  let pool: TrainerPool
  const make = (idleMs?: number): TrainerPool => {
    logged.length = 0
    pool = createTrainerPool({
      launcher: launcherOf(scriptedTrainer),
      log,
      deadlines,
      ...(idleMs === undefined ? {} : { idleMs }),
    })
    return pool
  }
  afterEach(() => pool.close())

  it('keeps one warm for the quick and takes a fresh one for the long, and survives both', async () => {
    const { quick, long } = make()
    await Promise.all([quick(order('answer')), quick(order('answer'))])
    expect(await codeOf(long(order('exit-3')))).toBe('training-crashed')
    await expect(quick(order('answer'))).resolves.toMatchObject({ done: 1 })
    expect(await codeOf(quick(order('kill')))).toBe('training-crashed')
    await expect(quick(order('answer'))).resolves.toMatchObject({ done: 1 })
  })

  it('starts again after it was ended for idleness', async () => {
    const { quick } = make(1)
    await quick(order('answer'))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await expect(quick(order('answer'))).resolves.toMatchObject({ done: 1 })
  })

  it('refuses after it is closed', async () => {
    const { quick, close } = make()
    const waiting = codeOf(quick(order('obedient')))
    await quick(order('answer'))
    await close()
    expect(await waiting).toBe('stopped')
    expect(await codeOf(quick(order('answer')))).toBe('stopped')
  })
})
