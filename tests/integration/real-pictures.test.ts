import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithShared, sharedPath } from '../helpers/shared.ts'
import { trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

const needs = ['data/flowers5', 'backbones/mobilenet_v1_0.25_128']

describeWithShared('the main job on real flowers', needs, () => {
  let work: string
  let studio: TrainingStudio
  let projectId: string
  const backboneId = 'mobilenet_v1_0.25_128'

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'kestrel-flowers-'))
    const flowers = join(work, 'flowers')
    for (const kind of await readdir(sharedPath('data/flowers5'), { withFileTypes: true })) {
      if (!kind.isDirectory()) continue
      const folder = sharedPath(`data/flowers5/${kind.name}`)
      const names = (await readdir(folder)).filter((name) => name.endsWith('.jpg')).sort()
      for (const name of names.slice(0, 40)) await cp(join(folder, name), join(flowers, kind.name, name))
    }
    studio = await trainingStudio(join(work, 'home'), sharedPath('backbones'))
    projectId = await studio.projectOf(flowers, 'Flowers')
  })
  afterAll(async () => {
    await studio.close()
    expect(studio.log.lines).toEqual([])
    await rm(work, withContents)
  })

  it('goes from pictures to a proven export: train, mend, train again, see what flipped, use, take away', async () => {
    const { client } = studio
    const first = await studio.train(projectId, { backboneId })
    expect(first.job.error).toBeNull()
    const run = await client.runs.get({ projectId, runId: first.runId })
    expect(run).toMatchObject({ state: 'done', backboneName: 'MobileNet V1 × 0.25, 128 px' })
    // Chance is 0.2; the smallest backbone, 28 pictures of each kind.
    expect(run.outOfFoldAccuracy).toBeGreaterThan(0.55)

    const cell = { trueClass: null, predicted: null, offset: 0, limit: 5 }
    const wrong = await client.evaluation.pictures({
      ...{ projectId, runId: first.runId, part: 'outOfFold', only: 'wrong', ...cell },
    })
    const [worst] = wrong.rows
    await client.labelling.assign({
      ...{ projectId, selection: { ids: [worst!.pictureId] } },
      labelId: run.classes[worst!.predicted]!.labelId,
    })
    const second = await studio.train(projectId, { backboneId })
    const passport = await client.runs.passport({ projectId, runId: second.runId })
    expect(passport).toMatchObject({ warmStartFrom: first.runId, features: { computed: 0 } })
    const flips = await client.evaluation.flips({
      ...{ projectId, a: first.runId, b: second.runId, part: 'outOfFold', offset: 0, limit: 50 },
    })
    expect(flips.compared).toBeGreaterThan(150)
    expect(flips.rows).toHaveLength(Math.min(50, flips.fixed + flips.broken + flips.changed))

    const roses = sharedPath('data/flowers5/roses')
    const unseen = (await readdir(roses))
      .filter((name) => name.endsWith('.jpg'))
      .sort()
      .slice(40, 44)
    const source = studio.sources.register(
      unseen.map((name) => join(roses, name)),
      'read',
    )
    const { predictions } = await client.predictions.predict({ projectId, runId: second.runId, source })
    expect(predictions.map(({ name }) => name)).toEqual(unseen)
    expect(predictions.every(({ error }) => error === null)).toBe(true)

    for (const format of ['onnx', 'tfjs'] as const) {
      const { jobId } = await client.exports.start({ projectId, runId: second.runId, format })
      expect((await studio.jobs.wait(jobId)).error).toBeNull()
    }
    const made = await client.exports.list({ projectId, runId: second.runId })
    expect(made).toHaveLength(2)
    for (const { proof } of made) {
      expect(proof).toMatchObject({ images: 100, passed: true })
      expect(proof.same_answer).toBeGreaterThanOrEqual(99)
      expect(proof.max_abs_diff_same_tensor).toBeLessThan(1e-3)
    }
  })
})
