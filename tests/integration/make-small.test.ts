import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sampleFolder } from '../helpers/cli.ts'
import { withContents } from '../helpers/folders.ts'
import { tinyBackboneFolder, trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'

let work: string
let studio: TrainingStudio
let projectId: string
let teacherId: string
/** Comes with Kestrel. */
const own = 'kestrel_small_160'
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-small-'))
  studio = await trainingStudio(join(work, 'home'), await tinyBackboneFolder(join(work, 'backbones')))
  projectId = await studio.projectOf(sampleFolder, 'Finds')
  // Large, and good for nothing after one epoch: what it answers has to be handed on all the same.
  const changes = { network: 'small-vgg' as const, epochs: 1 }
  teacherId = (await studio.train(projectId, { recipe: 'scratch', backboneId: null, folds: 0, changes }))
    .runId
})
afterAll(async () => {
  await studio.close()
  await rm(work, withContents)
})

const jobOf = async (runId: string): Promise<string> => {
  const job = studio.jobs.list(projectId).find(({ facts }) => facts.runId === runId)
  return job!.id
}

const optionOf = async (id: 'tiny' | 'small' | 'medium') => {
  const { students } = await studio.client.training.students({ projectId, teacher: { runId: teacherId } })
  return students.find((student) => student.id === id)!
}

describe('making a model small', () => {
  it('offers lighter networks with what they weigh on this machine', async () => {
    const { teacher, students } = await studio.client.training.students({
      projectId,
      teacher: { runId: teacherId },
    })
    expect(teacher.bytes).toBeGreaterThan(0)
    expect(students.map(({ id }) => id)).toContain('tiny')
    expect(students.map(({ id }) => id)).not.toContain('medium')
    for (const { bytes, milliseconds, config } of students) {
      expect(bytes).toBeLessThan(0.9 * teacher.bytes)
      expect(milliseconds).toBeGreaterThan(0)
      expect(config).toMatchObject({ teacherRunId: teacherId, folds: 0 })
    }
  })

  it('gives a run like any other, beside its teacher on the same test pictures', async () => {
    const { config } = await optionOf('tiny')
    const { runId, job } = await studio.train(projectId, {
      ...config,
      changes: { ...config.changes, epochs: 2 },
    })
    expect(job.error).toBeNull()
    const [run, teacher] = [
      await studio.client.runs.get({ projectId, runId }),
      await studio.client.runs.get({ projectId, runId: teacherId }),
    ]
    expect(run).toMatchObject({ state: 'done', teacher: 1, counts: teacher.counts })
    const weights = run.madeSmall!
    expect(weights.teacher.testAccuracy).toBeCloseTo(teacher.testAccuracy!, 6)
    expect(weights.student.testAccuracy).toBeCloseTo(run.testAccuracy!, 6)
    expect(weights.student.bytes).toBeGreaterThan(2e6)
    expect(weights.teacher.milliseconds).toBeGreaterThan(0)
    expect(teacher.madeSmall).toBeNull()
    const { jobId } = await studio.client.exports.start({ projectId, runId, format: 'onnx' })
    expect((await studio.jobs.wait(jobId)).error).toBeNull()
    const [made] = await studio.client.exports.list({ projectId, runId })
    const { card } = await studio.client.exports.texts({ projectId, exportId: made!.exportId })
    expect(card).toContain('## Beside the model it was made from')
    expect(card).toContain(`| ${(100 * weights.teacher.testAccuracy!).toFixed(1)} % | `)
    const passport = await studio.client.runs.passport({ projectId, runId })
    expect(passport).toMatchObject({ madeSmall: weights, config: { teacherRunId: teacherId } })
  })

  it('teaches a network that knows pictures already, too, and leaves nothing of the teacher in the model', async () => {
    const { config } = await optionOf('tiny')
    const { runId, job } = await studio.train(projectId, {
      ...{ ...config, recipe: 'fine-tune', backboneId: 'tiny' },
      changes: { topBlocks: 1000, epochs: 2 },
    })
    expect(job.error).toBeNull()
    const run = await studio.client.runs.get({ projectId, runId })
    expect(run).toMatchObject({ state: 'done', teacher: 1 })
    expect(run.madeSmall!.student.bytes).toBeLessThan(run.madeSmall!.teacher.bytes)
    const { jobId } = await studio.client.exports.start({ projectId, runId, format: 'onnx' })
    expect((await studio.jobs.wait(jobId)).error).toBeNull()
  })

  it('offers nothing where the model is light already', async () => {
    const { runId } = await studio.train(projectId, { recipe: 'head', backboneId: 'tiny', folds: 0 })
    for (const teacher of [{ runId }, { backboneId: 'tiny' }])
      expect((await studio.client.training.students({ projectId, teacher })).students).toEqual([])
  })

  it('lets a backbone teach, which learns the labels first: once, while pictures and labels stay as they are', async () => {
    const teacher = { backboneId: own }
    const { students, teacher: weight } = await studio.client.training.students({ projectId, teacher })
    expect(weight.bytes).toBeGreaterThan(3e6)
    const { config } = students.find(({ id }) => id === 'tiny')!
    const short = { ...config, changes: { ...config.changes, epochs: 1 } }
    const first = await studio.client.training.makeSmall({ projectId, teacher, config: short })
    expect((await studio.jobs.wait(first.jobId)).error).toBeNull()
    const head = await studio.client.runs.get({ projectId, runId: first.teacherRunId })
    expect(head).toMatchObject({ state: 'done', config: { recipe: 'head', backboneId: own } })
    const small = await studio.client.runs.get({ projectId, runId: first.runId })
    expect(small).toMatchObject({ state: 'done', teacher: head.number, counts: head.counts })
    expect(small.madeSmall!.teacher.testAccuracy).toBeCloseTo(head.testAccuracy!, 6)

    const second = await studio.client.training.makeSmall({ projectId, teacher, config: short })
    expect(second.teacherRunId).toBe(first.teacherRunId)
    expect((await studio.jobs.wait(second.jobId)).error).toBeNull()
  })

  it('is held against what its own loss would be by guessing, not that of the labels', async () => {
    const { config } = (
      await studio.client.training.students({ projectId, teacher: { backboneId: own } })
    ).students.find(({ id }) => id === 'tiny')!
    const { runId } = await studio.client.training.makeSmall({
      ...{ projectId, teacher: { backboneId: own } },
      config: {
        ...{ ...config, recipe: 'fine-tune', backboneId: 'tiny' },
        changes: { topBlocks: 1000, epochs: 3 },
      },
    })
    await studio.jobs.wait(await jobOf(runId))
    const { checks } = await studio.client.runs.get({ projectId, runId })
    expect(checks.find(({ id }) => id === 'learning')).toMatchObject({ verdict: 'good' })
  })

  it('keeps the teacher while it learns, and its own state when the teacher goes', async () => {
    const teacher = { backboneId: own }
    const { students } = await studio.client.training.students({ projectId, teacher })
    const { config } = students.find(({ id }) => id === 'tiny')!
    const { runId, jobId, teacherRunId } = await studio.client.training.makeSmall({
      ...{ projectId, teacher },
      config: { ...config, changes: { ...config.changes, epochs: 200 } },
    })
    // An epoch has to be over, or there would be nothing to go on from.
    await expect
      .poll(() => studio.jobs.get(jobId).stage === 'fitting' && studio.jobs.get(jobId).done > 200, {
        timeout: 60_000,
      })
      .toBe(true)
    await expect(studio.client.runs.remove({ projectId, runId: teacherRunId })).rejects.toMatchObject({
      data: { code: 'busy', message: expect.stringContaining('is learning from') },
    })
    await studio.client.training.stop({ projectId, runId })
    expect((await studio.jobs.wait(jobId)).error).toBeNull()
    expect(await studio.client.runs.get({ projectId, runId })).toMatchObject({
      state: 'stopped',
      resumable: true,
    })

    await studio.client.runs.remove({ projectId, runId: teacherRunId })
    await expect(studio.client.training.resume({ projectId, runId })).rejects.toMatchObject({
      data: { code: 'not-found', message: expect.stringContaining('was to teach') },
    })
    expect(await studio.client.runs.get({ projectId, runId })).toMatchObject({
      state: 'stopped',
      resumable: true,
    })
  })

  it('knows labels again that are called otherwise by now', async () => {
    const { labels } = await studio.client.pictures.counts({ projectId })
    const [first, second] = [labels[0]!, labels[1]!]
    const rename = (label: { id: number }, name: string) =>
      studio.client.labels.rename({ projectId, labelId: label.id, name })
    const { config } = await optionOf('tiny')
    const before = await studio.client.runs.get({ projectId, runId: teacherId })
    // Swapped: by name, the teacher would teach one for the other.
    await rename(first, 'another name')
    await rename(second, first.name)
    await rename(first, second.name)
    const { runId, job } = await studio.train(projectId, {
      ...config,
      changes: { ...config.changes, epochs: 1 },
    })
    expect(job.error).toBeNull()
    const { madeSmall } = await studio.client.runs.get({ projectId, runId })
    expect(madeSmall!.teacher.testAccuracy).toBeCloseTo(before.testAccuracy!, 6)
    await rename(first, 'another name')
    await rename(second, second.name)
    await rename(first, first.name)
  })

  it('says so when the training it was to learn from ended without a model', async () => {
    const teacher = { backboneId: own }
    const { students } = await studio.client.training.students({ projectId, teacher })
    // Other labels than the head knows: it has to be trained again, and is stopped while it waits.
    await studio.client.labels.create({ projectId, name: 'not seen yet' })
    const other = { recipe: 'scratch' as const, backboneId: null, folds: 0, changes: { epochs: 50 } }
    const { recommended } = await studio.client.training.options({ projectId })
    const busy = await studio.client.training.start({ projectId, config: { ...recommended, ...other } })
    const { runId, jobId, teacherRunId } = await studio.client.training.makeSmall({
      projectId,
      teacher,
      config: students[0]!.config,
    })
    await studio.client.training.stop({ projectId, runId: teacherRunId })
    await studio.client.training.stop({ projectId, runId: busy.runId })
    const job = await studio.jobs.wait(jobId)
    expect(job.error?.message).toContain('ended before there was a model')
    expect(await studio.client.runs.get({ projectId, runId })).toMatchObject({ state: 'failed' })
  })

  it('refuses what cannot teach, in words', async () => {
    const { config } = await optionOf('tiny')
    const start = (change: object) => studio.train(projectId, { ...config, ...change })
    await expect(start({ recipe: 'head', backboneId: 'tiny' })).rejects.toMatchObject({
      data: { code: 'bad-request', message: expect.stringContaining('does not become smaller') },
    })
    await expect(start({ seed: 99 })).rejects.toMatchObject({
      data: { code: 'bad-request', message: expect.stringContaining('that would be the test') },
    })
    await expect(start({ teacherRunId: 'nobody' })).rejects.toMatchObject({ data: { code: 'not-found' } })
  })
})
