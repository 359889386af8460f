import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StudioEvent } from '#shared/contract/system.ts'
import { createTestLooksRepository } from '#studio/storage/test-looks-repository.ts'
import { drawnFolder } from '../helpers/drawn-pictures.ts'
import { tinyBackboneFolder, trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'

let work: string
let pictures: string
let backbones: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-training-'))
  pictures = join(work, 'pictures')
  backbones = await tinyBackboneFolder(join(work, 'backbones'))
  await drawnFolder(pictures, { classes: 3, count: 30, seed: 3 })
})
afterAll(() => rm(work, withContents))

describe('a head on a frozen backbone', () => {
  let studio: TrainingStudio
  let projectId: string
  const events: StudioEvent[] = []

  beforeAll(async () => {
    studio = await trainingStudio(join(work, 'home-head'), backbones)
    studio.bus.subscribe((event) => events.push(event))
    projectId = await studio.projectOf(pictures)
  })
  afterAll(async () => {
    await studio.close()
    expect(studio.log.lines).toEqual([])
  })

  it('says beforehand what will happen', async () => {
    const options = await studio.client.training.options({ projectId })
    expect(options).toMatchObject({
      recommended: { recipe: 'head', backboneId: 'tiny', split: { train: 0.7, val: 0.15, test: 0.15 } },
      usable: 90,
      split: { train: 63, val: 12, test: 15 },
      blockers: [],
    })
    expect(options.warnings.map(({ code }) => code)).toEqual(['small-test'])
    const forecast = await studio.client.training.forecast({ projectId, config: options.recommended })
    expect(forecast).toMatchObject({ cachedPictures: 0, basis: 'estimated' })
  })

  it('trains, and stores what it says of every picture', async () => {
    const { runId, job } = await studio.train(projectId)
    expect(job).toMatchObject({ state: 'done', kind: 'train', title: 'Training 1', facts: { runId } })
    const [run] = await studio.client.runs.list({ projectId })
    expect(run).toMatchObject({
      runId,
      number: 1,
      state: 'done',
      counts: { train: 63, val: 12, test: 15 },
      classes: [{ name: 'berry' }, { name: 'box' }, { name: 'lemon' }],
      stale: false,
      error: null,
      stopped: null,
    })
    expect(run!.testAccuracy).toBeGreaterThan(0.6)
    const curve = await studio.client.runs.curve({ projectId, runId })
    expect(curve.length).toBeGreaterThan(0)
    expect(events.some((event) => event.type === 'metric' && event.runId === runId)).toBe(true)
    expect(await studio.client.runs.passport({ projectId, runId })).toMatchObject({
      config: { seed: 1 },
      backbone: { id: 'tiny' },
      dataset: { classes: ['berry', 'box', 'lemon'] },
    })
    expect(await readdir(studio.registry.get(projectId).paths.temporary)).toEqual([])

    const test = await studio.client.evaluation.summary({ projectId, runId, part: 'test' })
    expect(test).toMatchObject({ pictures: 15, testOpened: 0, testChanged: 0, majorityAccuracy: 1 / 3 })
    expect(test.metrics.accuracy).toBe(run!.testAccuracy)
    const outOfFold = await studio.client.evaluation.summary({ projectId, runId, part: 'outOfFold' })
    expect(outOfFold.pictures).toBe(75)
  })

  it('opens the pictures of each cell, and counts who looks at the test', async () => {
    const [run] = await studio.client.runs.list({ projectId })
    const { runId } = run!
    const query = { projectId, runId, trueClass: null, predicted: null, offset: 0, limit: 100 }
    const all = await studio.client.evaluation.pictures({ ...query, part: 'outOfFold' })
    expect(all.total).toBe(75)
    const confidences = all.rows.map(({ confidence }) => confidence)
    expect(confidences).toEqual(confidences.toSorted((a, b) => b - a))
    const { metrics } = await studio.client.evaluation.summary({ projectId, runId, part: 'outOfFold' })
    const cell = await studio.client.evaluation.pictures({
      ...query,
      part: 'outOfFold',
      trueClass: 1,
      predicted: 1,
    })
    expect(cell.total).toBe(metrics.confusion[1]![1])
    expect(cell.rows.every((row) => row.trueClass === 1 && row.predicted === 1)).toBe(true)
    const wrong = await studio.client.evaluation.pictures({ ...query, part: 'outOfFold', only: 'wrong' })
    expect(wrong.total).toBe(75 - metrics.confusion.reduce((sum, row, c) => sum + row[c]!, 0))

    await studio.client.evaluation.pictures({ ...query, part: 'test', limit: 4 })
    await studio.client.evaluation.pictures({ ...query, part: 'test', limit: 4 })
    expect(await studio.client.evaluation.summary({ projectId, runId, part: 'test' })).toMatchObject({
      testOpened: 4,
    })
  })

  it('trains again after one label was changed: warm, with the same sides, and says what flipped', async () => {
    const trainersBefore = studio.trainers.length
    const rows = (
      await studio.client.pictures.window({
        projectId,
        filter: { split: 'train', show: 'active' },
        sort: 'added',
        offset: 0,
        limit: 200,
      })
    ).rows
    const [picture] = rows
    const labels = (await studio.client.pictures.counts({ projectId })).labels
    const other = labels.find(({ id }) => id !== picture!.labelId)!
    await studio.client.labelling.assign({ projectId, selection: { ids: [picture!.id] }, labelId: other.id })
    const [stale] = await studio.client.runs.list({ projectId })
    expect(stale!.stale).toBe(true)
    const options = await studio.client.training.options({ projectId })
    expect(await studio.client.training.forecast({ projectId, config: options.recommended })).toMatchObject({
      cachedPictures: 90,
    })

    const { runId, job } = await studio.train(projectId)
    expect(job.state).toBe('done')
    const passport = await studio.client.runs.passport({ projectId, runId })
    expect(passport).toMatchObject({ warmStartFrom: stale!.runId, features: { cached: 90, computed: 0 } })
    // The warm trainer of the first training; no process was started for this one.
    expect(studio.trainers.length).toBe(trainersBefore)
    const after = await studio.client.pictures.window({
      ...{ projectId, filter: { split: 'train', show: 'active' }, sort: 'added', offset: 0, limit: 200 },
    })
    expect(after.rows.map(({ id }) => id)).toEqual(rows.map(({ id }) => id))

    const flips = await studio.client.evaluation.flips({
      ...{ projectId, a: stale!.runId, b: runId, part: 'outOfFold', offset: 0, limit: 100 },
    })
    expect(flips.compared).toBe(75)
    expect(flips.rows.length).toBe(flips.fixed + flips.broken + flips.changed)
    const window = { projectId, a: stale!.runId, b: runId, offset: 0, limit: 100 }
    const changed = await studio.client.evaluation.flips({ ...window, part: 'outOfFold', kind: 'changed' })
    expect(changed).toMatchObject({ fixed: flips.fixed, broken: flips.broken, changed: flips.changed })
    expect(changed.rows).toEqual(flips.rows.filter(({ kind }) => kind === 'changed'))
    await studio.client.labelling.undo({ projectId })
  })

  it('counts who sees what two runs say of test pictures, and who opens one large', async () => {
    const [newest, first] = await studio.client.runs.list({ projectId })
    const { runId } = newest!
    const opened = async (): Promise<number> =>
      (await studio.client.evaluation.summary({ projectId, runId, part: 'test' })).testOpened
    const looks = studio.registry.get(projectId).use(createTestLooksRepository)
    looks.clear()
    const view = { projectId, sort: 'added', offset: 0, limit: 100 } as const
    const { rows: tests } = await studio.client.pictures.window({
      ...view,
      filter: { split: 'test', show: 'active' },
    })
    const { rows: learned } = await studio.client.pictures.window({
      ...view,
      filter: { split: 'train', show: 'active' },
    })
    expect(await opened()).toBe(0)
    await studio.client.pictures.looked({ projectId, pictureId: learned[0]!.id })
    expect(await opened()).toBe(0)
    await studio.client.pictures.looked({ projectId, pictureId: tests[0]!.id })
    await studio.client.pictures.looked({ projectId, pictureId: tests[0]!.id })
    expect(await opened()).toBe(1)

    // A run that always says another label than the first one did flips every test picture.
    looks.clear()
    const window = { projectId, a: first!.runId, b: runId, part: 'test', limit: 100 } as const
    studio.registry
      .get(projectId)
      .db.sql.prepare(
        `UPDATE predictions AS later SET predicted = (
           SELECT (earlier.predicted + 1) % 3 FROM predictions AS earlier
           WHERE earlier.run_id = ? AND earlier.part = later.part AND earlier.picture_id = later.picture_id)
         WHERE run_id = ? AND part = 'test'`,
      )
      .run(first!.runId, runId)
    const { rows } = await studio.client.evaluation.flips({ ...window, offset: 0, limit: 4 })
    expect(rows.length).toBe(4)
    expect(await opened()).toBe(4)
    await studio.client.evaluation.flips({ ...window, offset: 4 })
    expect(await opened()).toBe(15)
  })

  it('shows in the grid what the newest training says against the labels', async () => {
    const { rows } = await studio.client.pictures.window({
      ...{ projectId, filter: { show: 'active' }, sort: 'doubt', offset: 0, limit: 90 },
    })
    const doubted = rows.filter(({ modelSays }) => modelSays !== null)
    expect(doubted.length).toBeGreaterThan(0)
    expect(rows.slice(0, doubted.length)).toEqual(doubted)
  })

  it('keeps a run apart from another: rename, remove', async () => {
    const [newest, first] = await studio.client.runs.list({ projectId })
    const { runId } = newest!
    expect(await studio.client.runs.rename({ projectId, runId, name: 'With a mistake' })).toMatchObject({
      name: 'With a mistake',
    })
    const { paths, folder } = studio.registry.get(projectId)
    await studio.client.runs.remove({ projectId, runId })
    expect((await studio.client.runs.list({ projectId })).map((run) => run.runId)).toEqual([first!.runId])
    expect(existsSync(join(paths.runs, runId))).toBe(false)
    expect(existsSync(join(folder, 'trash', 'runs', runId, 'model.onnx'))).toBe(true)
    await expect(studio.client.runs.get({ projectId, runId })).rejects.toMatchObject({
      data: { code: 'not-found' },
    })
  })

  it('refuses what cannot be trained, in words', async () => {
    const { projectId: empty } = await studio.client.projects.create({ name: 'Empty' })
    const options = await studio.client.training.options({ projectId: empty })
    expect(options.blockers).toMatchObject([{ code: 'too-few-pictures' }])
    await expect(
      studio.client.training.start({ projectId: empty, config: options.recommended }),
    ).rejects.toMatchObject({ data: { code: 'too-few-pictures' } })
    await studio.client.projects.close({ projectId: empty })

    const { recommended } = await studio.client.training.options({ projectId })
    const start = (change: object): Promise<unknown> =>
      studio.client.training.start({ projectId, config: { ...recommended, ...change } })
    const before = await studio.client.runs.list({ projectId })
    for (const [change, code] of [
      [{ backboneId: '../../etc/passwd' }, 'backbone-unknown'],
      [{ backboneId: 'resnet50_v1_224_zoo' }, 'no-backbone'],
      [{ split: { train: 0, val: 0, test: 0 } }, 'bad-request'],
    ] as const)
      await expect(start(change)).rejects.toMatchObject({ data: { code } })
    expect(await studio.client.runs.list({ projectId })).toEqual(before)
  })
})
