import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StudioEvent } from '#shared/contract/system.ts'
import type { Job } from '#shared/jobs/job.ts'
import { drawPictures } from '../helpers/drawn-pictures.ts'
import { tinyBackboneFolder, trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let work: string
let pictures: string
let backbones: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-interrupted-'))
  pictures = join(work, 'pictures')
  backbones = await tinyBackboneFolder(join(work, 'backbones'))
  for (const { path, label } of await drawPictures(pictures, { classes: 2, count: 60, seed: 5 })) {
    await mkdir(join(pictures, `kind ${label}`), { recursive: true })
    await rename(path, join(pictures, `kind ${label}`, path.split('/').at(-1)!))
  }
})
afterAll(() => rm(work, withContents))

/** Waits for the first event that fits. */
function eventOf(studio: TrainingStudio, fits: (event: StudioEvent) => boolean): Promise<StudioEvent> {
  return new Promise((done) => {
    const end = studio.bus.subscribe((event) => {
      if (!fits(event)) return
      end()
      done(event)
    })
  })
}
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

describe('a training that does not come to its end', () => {
  let studio: TrainingStudio
  let projectId: string
  beforeAll(async () => {
    studio = await trainingStudio(join(work, 'home'), null)
    projectId = await studio.projectOf(pictures)
  })
  afterAll(() => studio.close())

  const begin = async (change = {}): Promise<{ runId: string; jobId: string }> => {
    const { recommended } = await studio.client.training.options({ projectId })
    return await studio.client.training.start({ projectId, config: { ...recommended, ...change } })
  }

  it('says plainly that it trains on the pixels when there is no backbone', async () => {
    const options = await studio.client.training.options({ projectId })
    expect(options.recommended).toMatchObject({ recipe: 'scratch', backboneId: null })
    expect(options.warnings[0]).toMatchObject({
      code: 'no-backbone',
      words: expect.stringContaining('learns from the pixels instead'),
    })
    await expect(begin({ recipe: 'head' })).rejects.toMatchObject({ data: { code: 'no-backbone' } })
  })

  it('keeps the best so far when it is stopped', async () => {
    const { runId, jobId } = await begin()
    await eventOf(studio, (event) => event.type === 'metric' && event.runId === runId)
    expect(await studio.client.training.stop({ projectId, runId })).toEqual({ ok: true })
    const job = await studio.jobs.wait(jobId)
    expect(job).toMatchObject({ state: 'done', facts: { runId, stopped: expect.any(String) } })
    expect(await studio.client.runs.get({ projectId, runId })).toMatchObject({
      state: 'stopped',
      stopped: { reason: 'asked', message: expect.stringMatching(/^Stopped after epoch \d+ of \d+: /) },
      testAccuracy: expect.any(Number),
      resumable: true,
      continues: null,
    })
    await expect(studio.client.training.stop({ projectId, runId })).rejects.toMatchObject({
      data: { code: 'not-found' },
    })
    // The model that was kept can be used.
    const source = studio.sources.register([join(pictures, 'kind 0')], 'read')
    const { asTable } = await studio.client.predictions.predict({ projectId, runId, source })
    expect(asTable).toBe(true)
  })

  it('tells a window that opens late the curve so far', async () => {
    const { runId, jobId } = await begin({ changes: { epochs: 12 } })
    await eventOf(studio, (event) => event.type === 'metric' && event.runId === runId)
    const steps = async () => (await studio.client.runs.curve({ projectId, runId })).map(({ step }) => step)
    expect((await steps())[0]).toBe(1)
    await expect.poll(steps, { timeout: 10_000 }).toEqual(expect.arrayContaining([1, 2, 3, 4]))
    expect((await studio.client.runs.get({ projectId, runId })).state).toBe('running')
    await studio.client.jobs.cancel({ jobId })
    await studio.jobs.wait(jobId)
    await studio.client.runs.remove({ projectId, runId })
  })

  it('fails with words when the training process is killed, and everything else goes on', async () => {
    const before = new Set(studio.trainers)
    const { runId, jobId } = await begin()
    await eventOf(studio, (event) => event.type === 'metric' && event.runId === runId)
    const fresh = studio.trainers.filter((pid) => !before.has(pid))
    expect(fresh).toHaveLength(1)
    process.kill(fresh[0]!, 'SIGKILL')
    const job = await studio.jobs.wait(jobId)
    expect(job).toMatchObject({
      state: 'failed',
      error: { code: 'training-crashed', kept: expect.any(String) },
    })
    const run = await studio.client.runs.get({ projectId, runId })
    expect(run).toMatchObject({ state: 'failed', error: { code: 'training-crashed' } })
    expect(run.error!.message).toContain('ended unexpectedly while training')
    expect(run.resumable).toBe(true)
    expect((await studio.client.runs.curve({ projectId, runId })).length).toBeGreaterThan(0)
    expect(await readdir(studio.registry.get(projectId).paths.temporary)).toEqual([])

    const source = studio.sources.register([join(pictures, 'kind 0', '0-1.jpg')], 'read')
    const [, stopped] = await studio.client.runs.list({ projectId })
    const { predictions } = await studio.client.predictions.predict({
      ...{ projectId, runId: stopped!.runId, source },
    })
    expect(predictions).toHaveLength(1)
    await expect(studio.client.predictions.predict({ projectId, runId, source })).rejects.toMatchObject({
      data: { code: 'model-unreadable' },
    })
  })

  it('goes on from its last epoch when the person wants it, on what it was begun with', async () => {
    const [lost] = await studio.client.runs.list({ projectId })
    const { runId } = lost!
    const before = await studio.client.runs.curve({ projectId, runId })
    const { jobId } = await studio.client.training.resume({ projectId, runId })
    expect((await studio.client.runs.get({ projectId, runId })).state).toBe('running')
    expect(await studio.jobs.wait(jobId)).toMatchObject({ state: 'done' })
    const run = await studio.client.runs.get({ projectId, runId })
    expect(run).toMatchObject({
      state: 'done',
      resumable: false,
      error: null,
      testAccuracy: expect.any(Number),
    })
    expect(run.checks.find(({ id }) => id === 'finite')?.verdict).toBe('good')
    const after = await studio.client.runs.curve({ projectId, runId })
    expect(after.length).toBeGreaterThan(before.length)
    expect(after.slice(0, before.length - 1)).toEqual(before.slice(0, -1))
    await expect(studio.client.training.resume({ projectId, runId })).rejects.toMatchObject({
      data: { code: 'bad-request' },
    })
  })

  it('goes on with a stopped one as a run of its own, also after the project was closed', async () => {
    const stopped = (await studio.client.runs.list({ projectId })).find(({ state }) => state === 'stopped')!
    const before = await studio.client.runs.curve({ projectId, runId: stopped.runId })
    await studio.client.projects.close({ projectId })
    await studio.client.projects.open({ projectId })
    const { runId, jobId } = await studio.client.training.resume({ projectId, runId: stopped.runId })
    expect(runId).not.toBe(stopped.runId)
    await expect(studio.client.training.resume({ projectId, runId: stopped.runId })).rejects.toMatchObject({
      data: { code: 'bad-request' },
    })
    expect(await studio.jobs.wait(jobId)).toMatchObject({ state: 'done', facts: { stopped: null } })
    const after = await studio.client.runs.curve({ projectId, runId })
    expect(after.slice(0, before.length)).toEqual(before)
    expect(after.length).toBeGreaterThan(before.length)
    expect(await studio.client.runs.get({ projectId, runId })).toMatchObject({
      ...{ state: 'done', resumable: false, continues: stopped.number },
      ...{ counts: stopped.counts, config: stopped.config },
    })
    // What was kept is as it was, and there is nothing to go on with any more.
    expect(await studio.client.runs.get({ projectId, runId: stopped.runId })).toEqual({
      ...stopped,
      resumable: false,
    })
    expect(await readdir(studio.registry.get(projectId).paths.checkpoints)).toEqual([])
  })

  it('never begins when it is cancelled while it waits', async () => {
    const first = await begin()
    const second = await begin()
    expect(await studio.client.jobs.cancel({ jobId: second.jobId })).toEqual({ ok: true })
    await studio.client.jobs.cancel({ jobId: first.jobId })
    expect(await studio.jobs.wait(second.jobId)).toMatchObject({ state: 'cancelled' })
    expect(await studio.client.runs.get({ projectId, runId: second.runId })).toMatchObject({
      state: 'interrupted',
      error: { code: 'stopped' },
    })
    expect(['interrupted', 'stopped']).toContain(
      (await studio.client.runs.get({ projectId, runId: first.runId })).state,
    )
  })
})

describe('a studio that is killed', () => {
  async function killAt(
    stage: string,
    home: string,
    recipe: string,
  ): Promise<{ projectId: string; trainers: number[] }> {
    const child = spawn(
      process.execPath,
      [resolve(import.meta.dirname, '../fixtures/studio/train-child.ts'), home, backbones, pictures, recipe],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const exited = new Promise((done) => child.once('exit', done))
    try {
      for await (const line of createInterface(child.stdout)) {
        const [what, name, projectId = '', pids = ''] = line.split(' ')
        if (what !== 'stage' || name !== stage) continue
        return { projectId, trainers: pids.split(',').filter(Boolean).map(Number) }
      }
      throw new Error(`it ended before it was ${stage}`)
    } finally {
      child.kill('SIGKILL')
      await exited
    }
  }

  it('leaves finished trainings whole, says that one was interrupted, and goes on from the features', async () => {
    const home = join(work, 'home-killed')
    const { projectId, trainers } = await killAt('fitting', home, 'scratch')
    const studio = await trainingStudio(home, backbones)
    const notices: StudioEvent[] = []
    studio.bus.subscribe((event) => {
      if (event.type === 'notice') notices.push(event)
    })
    await studio.client.projects.open({ projectId })
    expect(notices).toMatchObject([{ title: 'A training was interrupted' }])
    const [lost, first] = await studio.client.runs.list({ projectId })
    expect(lost).toMatchObject({
      state: 'interrupted',
      error: { message: expect.stringContaining('Kestrel ended while this training ran') },
    })
    expect(first).toMatchObject({ state: 'done', testAccuracy: expect.any(Number) })
    const { paths } = studio.registry.get(projectId)
    expect(existsSync(join(paths.runs, lost!.runId))).toBe(false)
    expect(existsSync(join(paths.runs, first!.runId, 'model.onnx'))).toBe(true)

    const { job } = await studio.train(projectId)
    expect(job).toMatchObject<Partial<Job>>({ state: 'done' })
    const [again] = await studio.client.runs.list({ projectId })
    expect(await studio.client.runs.passport({ projectId, runId: again!.runId })).toMatchObject({
      features: { cached: 120, computed: 0 },
    })
    await studio.close()
    // Trainers end by themselves when their studio is gone.
    for (const pid of trainers) while (alive(pid)) await new Promise((wait) => setTimeout(wait, 50))
  })
})
