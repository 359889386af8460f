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

const optionOf = async (id: 'tiny' | 'small' | 'medium') => {
  const { students } = await studio.client.training.students({ projectId, runId: teacherId })
  return students.find((student) => student.id === id)!
}

describe('making a model small', () => {
  it('offers lighter networks with what they weigh on this machine', async () => {
    const { teacher, students } = await studio.client.training.students({ projectId, runId: teacherId })
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
    expect((await studio.client.training.students({ projectId, runId })).students).toEqual([])
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
