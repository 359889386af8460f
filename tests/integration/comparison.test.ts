import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isOver } from '#shared/jobs/job.ts'
import { readCatalogue } from '#studio/backbones/catalogue.ts'
import { defaultDownload } from '#studio/backbones/download.ts'
import { drawPictures, drawnFolder } from '../helpers/drawn-pictures.ts'
import { withContents } from '../helpers/folders.ts'
import { tinyFeatureLength, tinyNetwork } from '../helpers/tiny-backbone.ts'
import { tinyBackboneFolder, trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'

/** What a larger backbone would gain, measured by real trainers on drawn pictures. */
let work: string
let pictures: string
/** What comes with Kestrel sees only how light a picture is; the other one sees colours and edges. */
let blind: string
let seeing: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-comparison-'))
  pictures = join(work, 'pictures')
  blind = await tinyBackboneFolder(join(work, 'blind'), {
    ...{ id: 'kestrel_blind', bytes: tinyNetwork(1, { blind: true }) },
  })
  seeing = await tinyBackboneFolder(join(work, 'seeing'), { id: 'mobilenet_v2_tiny' })
  await drawnFolder(pictures, { classes: 3, count: 30, seed: 3 })
})
afterAll(() => rm(work, withContents))

async function end(studio: TrainingStudio): Promise<void> {
  await studio.close()
  expect(studio.log.lines).toEqual([])
}

describe('a larger backbone beside the one that comes with Kestrel', () => {
  const other = 'mobilenet_v2_tiny'
  let home: string
  let studio: TrainingStudio
  let projectId: string
  const get = async () => (await studio.client.comparison.get({ projectId }))!
  const recommended = async () => (await studio.client.training.options({ projectId })).recommended.backboneId
  const measure = async () => {
    const { jobId } = await studio.client.comparison.measure({ projectId, backboneId: other })
    return await studio.jobs.wait(jobId)
  }

  beforeAll(async () => {
    home = join(work, 'home')
    studio = await trainingStudio(home, null, blind)
    projectId = await studio.projectOf(pictures)
    expect((await studio.train(projectId)).job.state).toBe('done')
  })
  afterAll(() => end(studio))

  it('is offered from the catalogue while no other is here', async () => {
    const { own, other, declined, result } = await get()
    expect([own.id, own.source, other.state, other.source]).toEqual([
      ...['kestrel_blind', 'built-in', 'available', 'catalogue'],
    ])
    expect([declined, result]).toEqual([false, null])
    // Declining a download says nothing of what is here one day.
    await studio.client.comparison.decide({ projectId, backboneId: other.id, use: false })
    expect((await get()).declined).toBe(true)
    await studio.client.projects.close({ projectId })
    await end(studio)
  })

  it('never takes over by itself, and is measured on all but the test pictures', async () => {
    studio = await trainingStudio(home, seeing, blind)
    await studio.client.projects.open({ projectId })
    expect(await recommended()).toBe('kestrel_blind')
    expect(await get()).toMatchObject({
      other: { id: other },
      pictures: 75,
      cannotTell: null,
      declined: false,
    })

    const job = await measure()
    expect([job.kind, job.state, job.done, job.total]).toEqual(['compare', 'done', 150, 150])
    const { result } = await get()
    expect(result).toMatchObject({ pictures: 75, verdict: 'better', current: true })
    expect(result!.other.accuracy - result!.own.accuracy).toBeCloseTo(result!.gain, 9)
    expect(result!.onlyOther - result!.onlyOwn).toBe(Math.round(result!.gain * 75))
    expect(result!.gainCi95[0]).toBeGreaterThan(0)
    expect(result!.other.rate).toBeGreaterThan(0)
    // A training finds the features of all it looked at, and of no test picture.
    const { recommended: config } = await studio.client.training.options({ projectId })
    const forecast = await studio.client.training.forecast({
      projectId,
      config: { ...config, backboneId: other },
    })
    expect(forecast.cachedPictures).toBe(75)
    expect(await recommended()).toBe('kestrel_blind')
  })

  it('gives the same figures for the same pictures', async () => {
    const { result: before } = await get()
    await measure()
    expect((await get()).result).toEqual({ ...before, measuredAt: expect.any(Number) })
  })

  it('is used when the person says so, until a later training says otherwise', async () => {
    await studio.client.comparison.decide({ projectId, backboneId: other, use: true })
    expect(await recommended()).toBe(other)
    await studio.client.comparison.decide({ projectId, backboneId: other, use: false })
    expect([await recommended(), (await get()).declined]).toEqual(['kestrel_blind', true])
    await studio.client.comparison.decide({ projectId, backboneId: other, use: true })
    await studio.train(projectId, { backboneId: 'kestrel_blind' })
    expect(await recommended()).toBe('kestrel_blind')
  })

  it('keeps what was measured over a restart, and says when it is of other labels', async () => {
    await studio.client.projects.close({ projectId })
    await end(studio)
    studio = await trainingStudio(home, seeing, blind)
    await studio.client.projects.open({ projectId })
    expect((await get()).result).toMatchObject({ pictures: 75, current: true })
    const ids = await studio.client.pictures.ids({ projectId, filter: {}, from: 0, to: 1 })
    await studio.client.labelling.exclude({ projectId, selection: { ids } })
    expect((await get()).result).toMatchObject({ pictures: 75, current: false })
    await studio.client.labelling.undo({ projectId })
    expect((await get()).result).toMatchObject({ current: true })
  })

  it('can be stopped, and then says nothing new', async () => {
    const before = (await get()).result
    const { jobId } = await studio.client.comparison.measure({ projectId, backboneId: other })
    expect(await studio.client.comparison.measure({ projectId, backboneId: other })).toEqual({ jobId })
    await studio.client.jobs.cancel({ jobId })
    expect((await studio.jobs.wait(jobId)).state).toBe('cancelled')
    expect((await get()).result).toEqual(before)
  })
})

describe('a backbone that is not here yet', () => {
  it('is downloaded, and then compared without being asked again', async () => {
    const bytes = tinyNetwork()
    const server = createServer((_, response) => response.end(bytes))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const entry = readCatalogue().find(({ architecture }) => architecture === 'mobilenet_v2')!
    const value = createHash('sha256').update(bytes).digest('hex')
    const studio = await trainingStudio(join(work, 'home-download'), null, blind, {
      catalogue: [
        {
          ...entry,
          ...{ inputSize: 32, featureLength: tinyFeatureLength, bytes: bytes.length, file: 'tiny.onnx' },
          ...{ hash: { algorithm: 'sha256', value }, urls: [`http://127.0.0.1:${port}/tiny.onnx`] },
        },
      ],
      downloadOptions: { ...defaultDownload, protocols: ['http:'] },
    })
    try {
      const projectId = await studio.projectOf(pictures)
      const offered = await studio.client.comparison.get({ projectId })
      expect(offered?.other).toMatchObject({ id: entry.id, state: 'available', bytes: bytes.length })
      const compared = new Promise<string>((resolve) => {
        studio.bus.subscribe((event) => {
          if (event.type === 'job' && event.job.kind === 'compare' && isOver(event.job))
            resolve(event.job.state)
        })
      })
      const { jobId } = await studio.client.comparison.measure({ projectId, backboneId: entry.id })
      expect(await studio.jobs.wait(jobId)).toMatchObject({ kind: 'download', state: 'done' })
      expect(await compared).toBe('done')
      expect(await studio.client.comparison.get({ projectId })).toMatchObject({
        other: { id: entry.id, state: 'ready' },
        result: { verdict: 'better', pictures: 75 },
      })
    } finally {
      await end(studio)
      server.close()
    }
  })
})

describe('a backbone that sees the same', () => {
  it('makes no clear difference', async () => {
    const same = await tinyBackboneFolder(join(work, 'same'), { id: 'kestrel_same' })
    const studio = await trainingStudio(join(work, 'home-same'), seeing, same)
    const projectId = await studio.projectOf(pictures)
    // Without a training the better one is the default, as before.
    expect((await studio.client.training.options({ projectId })).recommended.backboneId).toBe(
      'mobilenet_v2_tiny',
    )
    const backboneId = 'mobilenet_v2_tiny'
    const { jobId } = await studio.client.comparison.measure({ projectId, backboneId })
    await studio.jobs.wait(jobId)
    const comparison = await studio.client.comparison.get({ projectId })
    expect(comparison?.result).toMatchObject({ verdict: 'unclear', gain: 0, onlyOwn: 0, onlyOther: 0 })
    await end(studio)
  })
})

describe('too little to tell', () => {
  it('is said beforehand, with what it takes', async () => {
    const studio = await trainingStudio(join(work, 'home-few'), seeing, blind)
    const few = join(work, 'few')
    await mkdir(join(few, 'box'), { recursive: true })
    await drawPictures(join(few, 'box'), { classes: 1, count: 12 })
    const projectId = await studio.projectOf(few)
    const comparison = await studio.client.comparison.get({ projectId })
    expect(comparison?.cannotTell).toMatch(/at least two labels/)
    await expect(
      studio.client.comparison.measure({ projectId, backboneId: 'mobilenet_v2_tiny' }),
    ).rejects.toMatchObject({ code: 'KESTREL' })
    await end(studio)
  })

  it('there is nothing to compare where nothing comes with Kestrel', async () => {
    const studio = await trainingStudio(join(work, 'home-none'), seeing, null)
    const { projectId } = await studio.client.projects.create({ name: 'None' })
    expect(await studio.client.comparison.get({ projectId })).toBeNull()
    await end(studio)
  })
})
