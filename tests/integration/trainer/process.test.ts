import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { FromTrainer, PreparedBackbone, TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { stratifiedSplit } from '#shared/domain/splits.ts'
import { planGradients } from '#shared/domain/training/presets.ts'
import { drawPictures, type DrawnPicture } from '../../helpers/drawn-pictures.ts'
import { temporaryFolder, withContents } from '../../helpers/folders.ts'
import { tinyFeatureLength, tinyNetwork } from '../../helpers/tiny-backbone.ts'
import { TrainerProcess } from '../../helpers/trainer-process.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'

const classes = ['rust', 'sky', 'straw']

let shared: string
let pictures: DrawnPicture[]
let backbone: PreparedBackbone
let trainer: TrainerProcess

beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), 'kestrel-process-'))
  pictures = await drawPictures(join(shared, 'pictures'), { count: 40 })
  await writeFile(join(shared, 'tiny.onnx'), tinyNetwork())
  trainer = await TrainerProcess.start()
  const prepared = await trainer.request({
    kind: 'prepare-backbone',
    file: join(shared, 'tiny.onnx'),
    target: join(shared, 'prepared.onnx'),
  }).answer
  backbone = {
    id: 'tiny',
    sha256: prepared.sha256,
    onnxPath: join(shared, 'prepared.onnx'),
    featureLength: prepared.featureLength,
    preprocessing: {
      version: 1,
      size: prepared.input,
      fit: 'stretch',
      filter: 'pillow-bilinear',
      background: [255, 255, 255],
      channelOrder: 'RGB',
      mean: [127.5, 127.5, 127.5],
      divisor: [127.5, 127.5, 127.5],
      jpegScaledDecode: false,
    },
  }
})
afterAll(async () => {
  await trainer.close()
  rmSync(shared, withContents)
})

/** The small network of "From scratch", with as many epochs as a test has patience for. */
const fromScratch = (epochs?: number): Partial<TrainRequest> => ({
  recipe: 'scratch',
  backbone: null,
  gradients: planGradients(
    { recipe: 'scratch', pictures: pictures.length, classes: classes.length },
    epochs === undefined ? {} : { epochs },
  ),
})

async function trainRequest(changes: Partial<TrainRequest> = {}): Promise<TrainRequest> {
  const folder = temporaryFolder()
  const runDir = join(folder, 'run')
  await mkdir(runDir)
  const split = stratifiedSplit({
    labels: pictures.map(({ label }) => label),
    keys: pictures.map(({ sha256 }) => sha256),
    seed: 1,
    fractions: { train: 70, val: 15, test: 15 },
  })
  return {
    kind: 'train',
    recipe: 'head',
    backbone,
    classes,
    images: pictures.map((picture, index) => ({ ...picture, split: split[index]! })),
    seed: 1,
    folds: 0,
    cacheDir: join(folder, 'cache'),
    runDir,
    warmStartFrom: null,
    gradients: null,
    engine: 'onnx',
    checkpointDir: null,
    ...changes,
  }
}

function accuracy(request: TrainRequest, block: TrainResult['test']): number {
  const labels = new Map(request.images.map(({ id, label }) => [id, label]))
  const k = request.classes.length
  const right = [...block.ids].filter((id, row) => {
    const of = block.probabilities.subarray(row * k, (row + 1) * k)
    return of.indexOf(Math.max(...of)) === labels.get(id)
  })
  return right.length / block.ids.length
}

const progressOf = (messages: readonly FromTrainer[]) =>
  messages.filter((message) => message.type === 'progress')

/** A trainer of the test's own, for tests that break it. */
async function ownTrainer(): Promise<TrainerProcess> {
  const own = await TrainerProcess.start()
  onTestFinished(() => own.close())
  return own
}

describe('the training process', () => {
  it('says what it can run on', async () => {
    const hello = await trainer.request({ kind: 'hello' }).answer
    expect(hello.engines.find(({ id }) => id === 'onnx')).toMatchObject({ available: true })
    expect(hello.cores).toBeGreaterThan(0)
  })

  it('computes features once; the second time they come from the cache', async () => {
    const request = {
      kind: 'features',
      backbone,
      images: pictures.map(({ id, sha256, path }) => ({ id, sha256, path })),
      cacheDir: join(temporaryFolder(), 'cache'),
      returnFeatures: true,
    } as const
    const first = trainer.request({ ...request, images: [...request.images] })
    const computed = await first.answer
    expect(computed).toMatchObject({ cached: 0, computed: pictures.length, failed: [] })
    expect(computed.features).toHaveLength(pictures.length * tinyFeatureLength)
    const progress = progressOf(first.messages)
    expect(progress[0]).toMatchObject({ stage: 'features', done: 0, total: pictures.length })
    expect(progress.at(-1)).toMatchObject({ done: pictures.length, total: pictures.length })
    const again = await trainer.request({ ...request, images: [...request.images] }).answer
    expect(again).toMatchObject({ cached: pictures.length, computed: 0 })
    expect(again.features).toEqual(computed.features)
  })

  it('goes on past pictures that cannot be read, and names them', async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'broken.jpg'), 'not a picture at all')
    const images = [
      { id: 1, sha256: pictures[0]!.sha256, path: pictures[0]!.path },
      { id: 2, sha256: 'a'.repeat(64), path: join(folder, 'broken.jpg') },
      { id: 3, sha256: 'b'.repeat(64), path: join(folder, 'gone.jpg') },
    ]
    const result = await trainer.request({
      kind: 'features',
      backbone,
      images,
      cacheDir: join(folder, 'cache'),
      returnFeatures: true,
    }).answer
    expect(result.failed.map(({ id, error }) => [id, error.code])).toEqual([
      [2, 'not-a-picture'],
      [3, 'file-missing'],
    ])
    const rows = result.features!
    expect(rows.subarray(0, tinyFeatureLength).every(Number.isFinite)).toBe(true)
    expect(rows.subarray(tinyFeatureLength).every(Number.isNaN)).toBe(true)
  })

  it('trains a head, with live figures, and writes a model that predicts the same from the files', async () => {
    const request = await trainRequest({ folds: 5 })
    const { answer, messages } = trainer.request(request)
    const result = await answer
    expect(result.stopped).toBeNull()
    expect(accuracy(request, result.test)).toBeGreaterThan(0.9)
    expect(accuracy(request, result.val)).toBeGreaterThan(0.9)
    expect(result.outOfFold!.ids).toHaveLength(request.images.filter(({ split }) => split !== 'test').length)
    expect(accuracy(request, result.outOfFold!)).toBeGreaterThan(0.9)
    expect(result.regularisation.tried.map(({ strength }) => strength)).toContain(
      result.regularisation.chosen,
    )
    expect(
      new Set(progressOf(messages).map((message) => message.type === 'progress' && message.stage)),
    ).toEqual(new Set(['features', 'fitting', 'evaluating', 'writing']))
    const metrics = messages.flatMap((message) => (message.type === 'metric' ? [message.metric] : []))
    expect(metrics[0]!.valLoss).toBeGreaterThan(0)

    const files = await readdir(request.runDir)
    expect(files.sort()).toEqual(
      ['head.bin', 'head.json', 'labels.json', 'model.onnx', 'preprocessing.json', 'training.json'].sort(),
    )
    const some = request.images.filter(({ split }) => split === 'test')
    const predicting = trainer.request({ kind: 'predict', modelDir: request.runDir, images: some })
    const predicted = await predicting.answer
    expect(predicted).toMatchObject({ classes, done: some.length, failed: 0 })
    const partials = predicting.messages.flatMap((message) =>
      message.type === 'partial' ? [message.partial] : [],
    )
    expect(partials).toHaveLength(some.length)
    for (const { id, probabilities, milliseconds } of partials) {
      const row = [...result.test.ids].indexOf(id)
      probabilities!.forEach((p, c) => expect(p).toBeCloseTo(result.test.probabilities[row * 3 + c]!, 4))
      expect(milliseconds).toBeGreaterThan(0)
    }
  })

  it('starts the next training from the last one', async () => {
    const request = await trainRequest({ folds: 5 })
    const first = await trainer.request(request).answer
    const again = await trainRequest({ folds: 5, cacheDir: request.cacheDir, warmStartFrom: request.runDir })
    again.images[3]!.label = (again.images[3]!.label + 1) % 3
    const second = await trainer.request(again).answer
    expect(second.features).toEqual({ cached: pictures.length, computed: 0 })
    expect(second.steps).toBeLessThan(first.steps)
    expect(accuracy(again, second.test)).toBeGreaterThan(0.85)
    const folds = (result: TrainResult) =>
      new Map([...result.outOfFold!.ids].map((id, row) => [id, result.outOfFold!.fold[row]]))
    expect(folds(second)).toEqual(folds(first))
    // An earlier run that is gone or foreign only costs time.
    const cold = await trainRequest({
      cacheDir: request.cacheDir,
      warmStartFrom: join(request.cacheDir, 'nowhere'),
    })
    expect((await trainer.request(cold).answer).stopped).toBeNull()
  })

  it('exports a trained model, and predicts with the export as with the run', async () => {
    const request = await trainRequest()
    const result = await trainer.request(request).answer
    const tested = request.images.filter(({ split }) => split === 'test')
    const rowOf = (id: number): Float32Array => {
      const row = result.test.ids.indexOf(id)
      return result.test.probabilities.slice(row * 3, row * 3 + 3)
    }
    const targetDir = join(temporaryFolder(), 'export')
    await mkdir(targetDir)
    const exported = await trainer.request({
      kind: 'export',
      format: 'onnx',
      modelDir: request.runDir,
      targetDir,
      card: {
        name: 'Drawn',
        kestrelVersion: '0.0.0',
        createdAt: '2026-01-01T00:00:00.000Z',
        backbone: 'tiny',
        backboneLicence: null,
        recipe: 'head',
        seed: 1,
        pictures: { train: 84, val: 18, test: 18 },
        testAccuracy: null,
        testAccuracyCi95: null,
        macroF1: null,
        perClass: [],
      },
      threshold: 0.5,
      samples: [],
      proofImages: tested.map(({ path }) => ({ path })),
      proofProbabilities: Float32Array.from(tested.flatMap(({ id }) => [...rowOf(id)])),
    }).answer
    expect(exported.proof).toMatchObject({ images: tested.length, same_answer: tested.length, passed: true })
    const predicting = trainer.request({ kind: 'predict', modelDir: targetDir, images: tested })
    expect(await predicting.answer).toMatchObject({ classes, done: tested.length, failed: 0 })
    for (const message of predicting.messages) {
      if (message.type !== 'partial') continue
      const expected = rowOf(message.partial.id)
      message.partial.probabilities!.forEach((p, c) => expect(Math.abs(p - expected[c]!)).toBeLessThan(0.02))
    }
  })

  it('answers for pictures that cannot be read, one by one', async () => {
    const request = await trainRequest()
    await trainer.request(request).answer
    const folder = temporaryFolder()
    await writeFile(join(folder, 'empty.png'), '')
    const images = [
      { id: 1, path: join(folder, 'empty.png') },
      { id: 2, path: pictures[0]!.path },
      { id: 3, path: join(folder, 'gone.png') },
    ]
    const ready = trainer.request({ kind: 'predict', modelDir: request.runDir, images: [] })
    expect(await ready.answer).toMatchObject({ classes, done: 0, failed: 0 })
    const predicting = trainer.request({ kind: 'predict', modelDir: request.runDir, images })
    expect(await predicting.answer).toMatchObject({ done: 1, failed: 2 })
    const errors = predicting.messages.flatMap((message) =>
      message.type === 'partial' ? [[message.partial.id, message.partial.error?.code]] : [],
    )
    expect(new Map(errors as [number, string][])).toEqual(
      new Map([
        [1, 'file-empty'],
        [2, undefined],
        [3, 'file-missing'],
      ]),
    )
  })

  it('says in words that a backbone file is damaged, and goes on living', async () => {
    const folder = temporaryFolder()
    await writeFile(join(folder, 'damaged.onnx'), (await readFile(backbone.onnxPath)).subarray(0, 300))
    const damaged = { ...backbone, sha256: 'damaged', onnxPath: join(folder, 'damaged.onnx') }
    await expect(trainer.request(await trainRequest({ backbone: damaged })).answer).rejects.toMatchObject({
      code: 'model-unreadable',
    })
    expect((await trainer.request({ kind: 'hello' }).answer).kind).toBe('hello')
  })

  it('gives the same model for the same seed', async () => {
    const one = await trainRequest()
    const other = await trainRequest({ cacheDir: one.cacheDir })
    const first = await trainer.request(one).answer
    const second = await trainer.request(other).answer
    expect(second.test.probabilities).toEqual(first.test.probabilities)
    const model = async (request: TrainRequest) =>
      createHash('sha256')
        .update(await readFile(join(request.runDir, 'model.onnx')))
        .digest('hex')
    expect(await model(other)).toBe(await model(one))
  })

  it('trains on the pixels when there is no backbone', async () => {
    const request = await trainRequest(fromScratch())
    const { answer, messages } = trainer.request(request)
    const result = await answer
    expect(accuracy(request, result.test)).toBeGreaterThan(0.85)
    expect(messages.some((message) => message.type === 'metric' && message.metric.valAccuracy !== null)).toBe(
      true,
    )
    const picture = request.images[0]!
    const predicting = trainer.request({ kind: 'predict', modelDir: request.runDir, images: [picture] })
    expect(await predicting.answer).toMatchObject({ done: 1, failed: 0 })
  })

  it('refuses what cannot be trained, in words', async () => {
    const request = await trainRequest()
    for (const image of request.images) image.label = 0
    await expect(trainer.request(request).answer).rejects.toMatchObject({ code: 'too-few-classes' })
    await expect(trainer.request(await trainRequest({ backbone: null })).answer).rejects.toMatchObject({
      code: 'no-backbone',
    })
    await expect(
      trainer.request({ kind: 'predict', modelDir: temporaryFolder(), images: [] }).answer,
    ).rejects.toMatchObject({ code: 'model-unreadable' })
  })

  it('answers small questions while a training runs', async () => {
    const own = await ownTrainer()
    const training = own.request(await trainRequest(fromScratch()))
    let ended = false
    const watching = training.answer.catch(() => undefined).then(() => (ended = true))
    await own.request({ kind: 'hello' }).answer
    expect(ended).toBe(false)
    await own.stop(training.id, false)
    await expect(training.answer).rejects.toMatchObject({ code: 'stopped' })
    await watching
  })
})

describe('stopping and breaking', () => {
  it('stops while features are computed, and keeps those that are done', async () => {
    const own = await ownTrainer()
    const request = await trainRequest()
    const training = own.request(request, (message) => {
      if (message.type === 'progress' && message.stage === 'features' && message.done > 0)
        void own.stop(training.id, true)
    })
    await expect(training.answer).rejects.toMatchObject({ code: 'stopped' })
    const again = await own.request({ ...request }).answer
    expect(again.features.cached).toBeGreaterThan(0)
    expect(again.features.cached + again.features.computed).toBe(pictures.length)
  })

  it('stops in the fit and keeps the best so far', async () => {
    const own = await ownTrainer()
    const request = await trainRequest(fromScratch())
    const training = own.request(request, (message) => {
      if (message.type === 'metric' && message.metric.step >= 2) void own.stop(training.id, true)
    })
    const result = await training.answer
    expect(result.stopped).toMatchObject({ reason: 'asked' })
    expect(result.test.ids.length).toBeGreaterThan(0)
    expect(await readdir(request.runDir)).toContain('model.onnx')
  })

  it('leaves a usable cache when it is killed', async () => {
    const own = await ownTrainer()
    const many = await drawPictures(join(temporaryFolder(), 'many'), { count: 150, seed: 2 })
    const request = {
      kind: 'features' as const,
      backbone,
      images: many.map(({ id, sha256, path }) => ({ id, sha256, path })),
      cacheDir: join(temporaryFolder(), 'cache'),
      returnFeatures: true,
    }
    const running = own.request(request, (message) => {
      if (message.type === 'progress' && message.done > 200) own.child.kill('SIGKILL')
    })
    await expect(running.answer).rejects.toThrow(/has ended/)
    const result = await trainer.request(request).answer
    expect(result.cached + result.computed).toBe(many.length)
    expect(result.failed).toEqual([])
    expect(result.features!.every(Number.isFinite)).toBe(true)
  })

  it('ends every open request with an error when something breaks inside, then ends itself', async () => {
    // Breaks as a bug would: an error nobody catches, while requests are open.
    const bug = "process.once('SIGUSR2', () => { throw new Error('a bug') })"
    const own = await TrainerProcess.start(['--import', `data:text/javascript,${encodeURIComponent(bug)}`])
    onTestFinished(() => own.close())
    const training = own.request(await trainRequest(fromScratch()), (message) => {
      if (message.type === 'progress' && message.stage === 'fitting') own.child.kill('SIGUSR2')
    })
    const waiting = own.request(await trainRequest())
    const both = await Promise.allSettled([training.answer, waiting.answer])
    for (const outcome of both) expect(outcome).toMatchObject({ reason: { code: 'training-crashed' } })
    expect((await own.exited).code).toBe(1)
    expect(own.stderr).toContain('a bug')
  })

  it('ends when the studio goes away', async () => {
    const own = await ownTrainer()
    void own.request(await trainRequest(fromScratch())).answer.catch(() => undefined)
    await own.disconnect()
    expect((await own.exited).code).toBe(0)
  })

  it('does not fall over messages it cannot understand', async () => {
    await trainer.send({ type: 'dance' })
    await trainer.send('hello')
    const broken = trainer.request({ kind: 'predict', modelDir: 5, images: [] } as never)
    await expect(broken.answer).rejects.toMatchObject({ code: 'bad-request' })
    expect((await trainer.request({ kind: 'hello' }).answer).kind).toBe('hello')
  })
})
