import { existsSync } from 'node:fs'
import type { Dirent } from 'node:fs'
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, sep } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as yauzl from 'yauzl'
import { z } from 'zod'
import { mediaUrl } from '#shared/contract/media.ts'
import { drawPictures } from '../helpers/drawn-pictures.ts'
import { tinyNetwork } from '../helpers/tiny-backbone.ts'
import { tinyBackboneFolder, trainingStudio } from '../helpers/training-studio.ts'
import type { TrainingStudio } from '../helpers/training-studio.ts'
import { withContents } from '../helpers/folders.ts'
import { damageDeflated, lockEntry, zipOf } from '../helpers/zips.ts'

let work: string
let studio: TrainingStudio
let projectId: string
let runId: string
let given: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-using-'))
  const pictures = join(work, 'pictures')
  for (const { path, label } of await drawPictures(pictures, { classes: 3, count: 30, seed: 3 })) {
    const into = join(pictures, ['berry', 'box', 'lemon'][label]!)
    await mkdir(into, { recursive: true })
    await rename(path, join(into, path.split('/').at(-1)!))
  }
  given = join(work, 'given, with a comma')
  await mkdir(given)
  const fresh = await drawPictures(join(work, 'fresh'), { classes: 3, count: 4, seed: 99 })
  for (const { path, label } of fresh) await copyFile(path, join(given, `${label} ${path.split('/').at(-1)}`))
  await copyFile(fresh[0]!.path, join(given, '=1+1.jpg'))
  await writeFile(join(given, 'broken.jpg'), 'this is no picture')

  studio = await trainingStudio(join(work, 'home'), await tinyBackboneFolder(join(work, 'backbones')))
  projectId = await studio.projectOf(pictures)
  ;({ runId } = await studio.train(projectId))
})
afterAll(async () => {
  await studio.close()
  await rm(work, withContents)
})

const get = (path: string): Promise<Response> =>
  Promise.resolve(studio.fetch(new Request(`http://studio.test${path}`), 'loopback'))

const placeBelow =
  (folder: string) =>
  ({ parentPath, name }: Dirent): string =>
    relative(folder, join(parentPath, name)).split(sep).join('/')

async function zipEntries(response: Response): Promise<string[]> {
  const zip = await yauzl.fromBufferPromise(Buffer.from(await response.arrayBuffer()))
  const names: string[] = []
  for await (const entry of zip.eachEntry()) names.push(entry.fileName)
  return names
}

describe('using a model', () => {
  it('chooses a threshold from pictures it did not learn from, and lets the person set it', async () => {
    const chosen = await studio.client.predictions.threshold({ projectId, runId })
    expect(chosen.value).toBe(chosen.chosen)
    expect(chosen.answeredShare).toBeGreaterThanOrEqual(0.7)
    const set = await studio.client.predictions.setThreshold({ projectId, runId, value: 0.999 })
    expect(set).toMatchObject({ value: 0.999, chosen: chosen.chosen })
    expect(set.answeredShare).toBeLessThan(chosen.answeredShare)
    expect(await studio.client.predictions.setThreshold({ projectId, runId, value: null })).toEqual(chosen)
  })

  it('answers single pictures at once, and puts one into the project on ✓', async () => {
    const source = studio.sources.register([join(given, '0 0-0.jpg'), join(given, 'broken.jpg')], 'read')
    const { predictions, asTable } = await studio.client.predictions.predict({ projectId, runId, source })
    expect(asTable).toBe(false)
    const [right, broken] = predictions
    expect(right).toMatchObject({ name: '0 0-0.jpg', width: 72, height: 56, error: null })
    expect(right!.top).toHaveLength(3)
    expect(right!.top.reduce((sum, { confidence }) => sum + confidence, 0)).toBeCloseTo(1, 4)
    expect(broken).toMatchObject({ name: 'broken.jpg', top: [], unsure: false })
    expect(broken!.error!.message).not.toBe('')

    for (const url of [mediaUrl.prediction, mediaUrl.predictionThumbnail]) {
      const picture = await get(url(projectId, right!.predictionId))
      expect(picture.status).toBe(200)
      expect(picture.headers.get('content-type')).toMatch(/^image\//)
      expect((await get(url(projectId, 'nobody'))).status).toBe(404)
    }

    const before = await studio.client.pictures.counts({ projectId })
    const label = { labelId: before.labels[0]!.id }
    const { predictionId } = right!
    expect(await studio.client.predictions.feedback({ projectId, predictionId, label })).toMatchObject({
      alreadyThere: false,
    })
    expect(await studio.client.predictions.feedback({ projectId, predictionId, label })).toMatchObject({
      alreadyThere: true,
    })
    expect((await studio.client.pictures.counts({ projectId })).total).toBe(before.total + 1)
    expect((await studio.client.runs.get({ projectId, runId })).stale).toBe(true)
  })

  it('answers a folder as a table, as CSV and as sorted copies', async () => {
    const source = studio.sources.register([given], 'read')
    const { jobId } = await studio.client.predictions.predictFolder({ projectId, runId, source })
    const job = await studio.jobs.wait(jobId)
    expect(job).toMatchObject({ state: 'done', facts: { pictures: 14, failed: 1 } })
    const query = { projectId, jobId, classIndex: null, unsure: null, offset: 0, limit: 100 }
    const table = await studio.client.predictions.table(query)
    expect(table).toMatchObject({ total: 14, failed: 1 })
    expect(table.perClass.reduce((sum, count) => sum + count, 0) + table.unsure + table.failed).toBe(14)
    for (const [classIndex, count] of table.perClass.entries())
      expect((await studio.client.predictions.table({ ...query, classIndex })).total).toBe(count)
    expect((await studio.client.predictions.table({ ...query, unsure: true })).total).toBe(table.unsure)

    const csv = await get(mediaUrl.predictionsCsv(projectId, jobId))
    expect(csv.headers.get('content-disposition')).toContain('given%2C%20with%20a%20comma.csv')
    const lines = (await csv.text()).split('\r\n')
    expect(lines).toHaveLength(16)
    expect(lines[0]).toMatch(/file,answer,best label,confidence/)
    expect(lines.some((line) => line.includes("'=1+1.jpg"))).toBe(true)

    const sorted = join(work, 'sorted')
    await mkdir(sorted)
    for (let round = 0; round < 2; round++) {
      const target = studio.sources.register([sorted], 'write')
      const { jobId: sorting } = await studio.client.predictions.sortInto({ projectId, jobId, target })
      expect(await studio.jobs.wait(sorting)).toMatchObject({
        state: 'done',
        facts: { copied: 13, missing: 0 },
      })
    }
    const files = (await readdir(sorted, { recursive: true, withFileTypes: true })).filter((each) =>
      each.isFile(),
    )
    expect(files).toHaveLength(26)
    expect(existsSync(join(given, 'broken.jpg'))).toBe(true)

    const zip = await get(mediaUrl.predictionsSorted(projectId, jobId))
    expect(zip.headers.get('content-type')).toBe('application/zip')
    expect(zip.headers.get('content-disposition')).toContain('given%2C%20with%20a%20comma%20sorted.zip')
    const entries = await zipEntries(zip)
    const root = 'given, with a comma sorted/'
    const copies = entries.filter((name) => name !== `${root}not in here.txt`)
    const once = files.filter(({ name }) => !name.includes('(2)')).map(placeBelow(sorted))
    expect(copies.sort()).toEqual(once.map((place) => root + place).sort())
    expect(entries).toHaveLength(14)
    expect((await get(mediaUrl.predictionsSorted(projectId, 'nobody'))).status).toBe(404)
    expect((await get(mediaUrl.predictionsSorted('nobody', jobId))).status).toBe(404)

    await studio.client.predictions.feedback({
      ...{ projectId, predictionId: table.rows.find(({ error }) => error === null)!.predictionId },
      label: { name: 'something new' },
    })
    const counts = await studio.client.pictures.counts({ projectId })
    expect(counts.labels.map(({ name }) => name)).toContain('something new')
    await studio.client.labelling.undo({ projectId }).catch(() => undefined)
  })

  it('makes a table of every folder and of more than a handful, and keeps it at hand', async () => {
    const ask = (...paths: string[]) =>
      studio.client.predictions.predict({
        ...{ projectId, runId, source: studio.sources.register(paths, 'read') },
      })
    const one = join(work, 'one')
    await mkdir(one)
    await copyFile(join(given, '0 0-0.jpg'), join(one, 'a.jpg'))
    expect(await ask(one)).toEqual({ predictions: [], asTable: true })
    expect((await ask(join(one, 'a.jpg'))).predictions).toHaveLength(1)
    const all = (await readdir(given)).map((name) => join(given, name))
    expect(await ask(...all)).toEqual({ predictions: [], asTable: true })
    expect((await ask(...all.slice(0, 12))).predictions).toHaveLength(12)

    const source = studio.sources.register(all, 'read')
    const { jobId } = await studio.client.predictions.predictFolder({ projectId, runId, source })
    expect((await studio.jobs.wait(jobId)).title).toBe('')
    const [newest, before] = await studio.client.predictions.folders({ projectId })
    expect(newest).toEqual({ jobId, runId, title: '', pictures: 14 })
    expect(before).toMatchObject({ title: 'given, with a comma', pictures: 14 })

    const bare = join(work, 'bare')
    await mkdir(bare)
    const nothing = studio.sources.register([bare], 'read')
    const { jobId: failing } = await studio.client.predictions.predictFolder({
      ...{ projectId, runId, source: nothing },
    })
    expect(await studio.jobs.wait(failing)).toMatchObject({
      state: 'failed',
      error: { code: 'not-a-picture' },
    })
  })

  it('answers what a damaged zip still gives, and lists the rest with its reason', async () => {
    const picture = await readFile(join(given, '0 0-0.jpg'))
    const zip = await zipOf({
      'fine.jpg': picture,
      'deeper/locked.jpg': picture,
      'torn.jpg': picture,
    })
    lockEntry(zip, 'deeper/locked.jpg')
    damageDeflated(zip, 'torn.jpg')
    const file = join(work, 'handful.zip')
    await writeFile(file, zip)
    const source = studio.sources.register([file], 'read')
    expect(await studio.client.predictions.predict({ projectId, runId, source })).toMatchObject({
      asTable: true,
    })
    const { jobId } = await studio.client.predictions.predictFolder({ projectId, runId, source })
    expect(await studio.jobs.wait(jobId)).toMatchObject({
      ...{ state: 'done', done: 3, total: 3 },
      facts: { pictures: 3, failed: 2 },
    })
    const query = { projectId, jobId, classIndex: null, unsure: null, offset: 0, limit: 100 }
    const { rows, failed } = await studio.client.predictions.table(query)
    expect(failed).toBe(2)
    expect(rows.map(({ name, error }) => [name, error?.message ?? null])).toEqual([
      ['deeper/locked.jpg', 'This file is locked with a password in the zip.'],
      ['fine.jpg', null],
      ['torn.jpg', 'This file is damaged in the zip.'],
    ])
    const { predictionId } = rows[2]!
    expect((await get(mediaUrl.prediction(projectId, predictionId))).status).toBe(404)
    const lines = await (await get(mediaUrl.predictionsCsv(projectId, jobId))).text()
    expect(lines).toContain('This file is damaged in the zip.')
    const sorted = await zipEntries(await get(mediaUrl.predictionsSorted(projectId, jobId)))
    expect(sorted).toHaveLength(2)
    expect(sorted).toContain('handful.zip sorted/not in here.txt')
  })

  it('has a table of nothing but reasons when no file of a zip can be unpacked', async () => {
    const zip = await zipOf({ 'a.jpg': await readFile(join(given, '0 0-0.jpg')) })
    lockEntry(zip, 'a.jpg')
    const file = join(work, 'locked.zip')
    await writeFile(file, zip)
    const source = studio.sources.register([file], 'read')
    const { jobId } = await studio.client.predictions.predictFolder({ projectId, runId, source })
    expect(await studio.jobs.wait(jobId)).toMatchObject({ state: 'done', facts: { pictures: 1, failed: 1 } })
  })

  it('says so when there is no picture, or the token is not known', async () => {
    const text = join(work, 'notes.txt')
    await writeFile(text, 'hello')
    const empty = join(work, 'empty')
    await mkdir(empty)
    const source = studio.sources.register([empty], 'read')
    await expect(studio.client.predictions.predict({ projectId, runId, source })).rejects.toMatchObject({
      data: { code: 'not-a-picture' },
    })
    await expect(
      studio.client.predictions.predict({ projectId, runId, source: 'not-a-token' }),
    ).rejects.toMatchObject({ data: { code: 'not-found' } })
  })
})

describe('taking a model away', () => {
  it.each(['onnx', 'tfjs'] as const)(
    'writes %s, proves it on the original files, and offers it',
    async (format) => {
      const { jobId } = await studio.client.exports.start({ projectId, runId, format })
      const job = await studio.jobs.wait(jobId)
      expect(job.error).toBeNull()
      expect(job).toMatchObject({ state: 'done', facts: { format, runId } })
      const made = (await studio.client.exports.list({ projectId, runId })).find(
        (each) => each.format === format,
      )!
      expect(made.proof).toMatchObject({ images: 90, same_answer: 90, passed: true })
      const chosen = await studio.client.predictions.threshold({ projectId, runId })
      expect(made.threshold).toBe(chosen.value)
      const { exportId } = made
      const texts = await studio.client.exports.texts({ projectId, exportId })
      expect(texts.card).toContain('berry')
      expect(texts.javascript).not.toBeNull()

      const zip = await get(mediaUrl.exportZip(projectId, exportId))
      expect(zip.headers.get('content-type')).toBe('application/zip')
      const names = await zipEntries(zip)
      expect(names.some((name) => name.endsWith('/README.md'))).toBe(true)
      expect(names.every((name) => name.startsWith('Shapes Training 1 ('))).toBe(true)

      const folder = join(work, `taken ${format}`)
      await mkdir(folder)
      const target = (): string => studio.sources.register([folder], 'write')
      const first = await studio.client.exports.saveTo({ projectId, exportId, target: target() })
      const second = await studio.client.exports.saveTo({ projectId, exportId, target: target() })
      expect((await readdir(folder)).sort()).toEqual([first.name, second.name].sort())
      expect(existsSync(join(folder, first.name, 'README.md'))).toBe(true)
    },
  )

  it('lets a newer export of a format take the place of the older', async () => {
    const [before] = (await studio.client.exports.list({ projectId, runId })).filter(
      ({ format }) => format === 'onnx',
    )
    await studio.jobs.wait((await studio.client.exports.start({ projectId, runId, format: 'onnx' })).jobId)
    const now = (await studio.client.exports.list({ projectId, runId })).filter(
      ({ format }) => format === 'onnx',
    )
    expect(now).toHaveLength(1)
    expect(now[0]!.exportId).not.toBe(before!.exportId)
    expect((await readdir(studio.registry.get(projectId).paths.exports)).sort()).toHaveLength(2)
  })
})

async function diagnostics(): Promise<Map<string, string>> {
  const response = await get(mediaUrl.diagnostics())
  expect(response.status).toBe(200)
  const zip = await yauzl.fromBufferPromise(Buffer.from(await response.arrayBuffer()))
  const texts = new Map<string, string>()
  for await (const entry of zip.eachEntry()) {
    const parts: Buffer[] = []
    for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part as Buffer)
    texts.set(entry.fileName, Buffer.concat(parts).toString())
  }
  return texts
}

describe('diagnostics', () => {
  it('hold versions, engines and logs, and no names', async () => {
    const logs = join(work, 'home', 'logs')
    await mkdir(logs, { recursive: true })
    await writeFile(
      join(logs, 'studio.log'),
      `error: could not read ${given}/Aunt Mary.jpg\n    at read (${import.meta.filename}:12:3)\nlabel berry of Shapes\n`,
    )
    const texts = await diagnostics()
    expect([...texts.keys()].sort()).toEqual(
      expect.arrayContaining([
        'README.txt',
        'backbones.json',
        'logs/studio.log',
        'projects.json',
        'system.json',
      ]),
    )
    const all = [...texts.values()].join('\n')
    for (const secret of ['Mary', 'berry', 'lemon', work, 'with a comma']) expect(all).not.toContain(secret)
    expect(texts.get('logs/studio.log')).toContain('using-models.test.ts')
    expect(JSON.parse(texts.get('system.json')!)).toMatchObject({
      kestrel: '0.0.0-test',
      engines: expect.arrayContaining([expect.objectContaining({ id: 'onnx', available: true })]),
    })
    const words = await studio.client.system.info()
    expect(words.engine).toMatchObject({ ready: true, words: expect.stringContaining('ONNX Runtime') })
  })

  it('hold nothing that a person has named: backbones, projects, labels, trainings, networks', async () => {
    const secret = 'Zanzibar'
    const file = join(work, `${secret}backbone.onnx`)
    await writeFile(file, tinyNetwork(7))
    const { id } = await studio.training.backbones.add([file])
    expect(id).toContain(secret)
    // What lies in the store and cannot be understood is still called after the file.
    const broken = join(work, 'home', 'backbones', `own-${secret}broken`)
    await mkdir(broken, { recursive: true })
    await writeFile(join(broken, 'info.json'), '{}')
    const pictures = join(work, 'secrets')
    for (const [index, label] of [`${secret}red`, `${secret}blue`].entries())
      for (const { path } of await drawPictures(join(work, `drawn ${label}`), {
        ...{ classes: 1, count: 6, seed: 50 + index },
      })) {
        await mkdir(join(pictures, label), { recursive: true })
        await copyFile(path, join(pictures, label, path.split('/').at(-1)!))
      }
    const secretProject = await studio.projectOf(pictures, `${secret}project`)
    const teacher = await studio.train(secretProject, { recipe: 'head', backboneId: id, folds: 0 })
    expect(teacher.job.state).toBe('done')
    await studio.client.runs.rename({
      ...{ projectId: secretProject, runId: teacher.runId, name: `${secret}teacher` },
    })
    const taught = await studio.train(secretProject, {
      ...{ recipe: 'scratch', backboneId: null, folds: 0, teacherRunId: teacher.runId },
      changes: {
        ...{ epochs: 1, classWeights: { [`${secret}red`]: 2 } },
        network: {
          ...{ version: 1, name: `${secret}network`, input: { width: 32, height: 32, channels: 3 } },
          ...{ preprocessing: 'none', initialiser: 'he-normal' },
          layers: [
            { type: 'global-pool', kind: 'average' },
            { type: 'fc', units: 2, bias: true },
          ],
        },
      },
    })
    expect(taught.job.error).toBe(null)
    await appendFile(
      join(work, 'home', 'logs', 'studio.log'),
      `backbone ${id} is prepared anew for ${secret}project, ${secret}teacher and ${secret}blue\n`,
    )
    const texts = await diagnostics()
    for (const [name, text] of texts) expect(text, name).not.toContain(secret)
    const projects = z.array(
      z.object({ runs: z.array(z.object({ config: z.object({ backboneId: z.string().nullable() }) })) }),
    )
    const called = projects
      .parse(JSON.parse(texts.get('projects.json')!))
      .flatMap(({ runs }) => runs.map(({ config }) => config.backboneId))
    // One and the same in all of them, or nobody could tell which it was.
    const [, as] = /backbone <(own-\d+)> is prepared anew for <project>, <training>/.exec(
      texts.get('logs/studio.log')!,
    )!
    expect(called).toContain(as)
    expect(texts.get('backbones.json')).toContain(`"id": "${as}"`)
  })

  it('lists the passport for reading', async () => {
    const { paths } = studio.registry.get(projectId)
    expect(JSON.parse(await readFile(join(paths.runs, runId, 'passport.json'), 'utf8'))).toMatchObject({
      version: 1,
    })
  })
})
