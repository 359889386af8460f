import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { PreparedBackbone, TrainRequest, TrainResult } from '#shared/contract/trainer.ts'
import { networkSpecSchema, templateNetwork } from '#shared/domain/network/index.ts'
import { preprocessingSchema } from '#shared/domain/preprocessing/index.ts'
import { stratifiedSplit } from '#shared/domain/splits.ts'
import { optimiserConfigSchema } from '#shared/domain/training/config.ts'
import { planGradients } from '#shared/domain/training/presets.ts'
import type { GradientChanges } from '#shared/domain/training/presets.ts'
import { drawPictures } from '../../helpers/drawn-pictures.ts'
import type { DrawnPicture } from '../../helpers/drawn-pictures.ts'
import { temporaryFolder, withContents } from '../../helpers/folders.ts'
import { tinyNetwork } from '../../helpers/tiny-backbone.ts'
import { TrainerProcess } from '../../helpers/trainer-process.ts'

const classes = ['red', 'blue', 'yellow']
let folder: string
let pictures: DrawnPicture[]
let backbone: PreparedBackbone

async function trainer(): Promise<TrainerProcess> {
  const own = await TrainerProcess.start()
  onTestFinished(() => own.close())
  return own
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-gradients-'))
  pictures = await drawPictures(join(folder, 'pictures'), { count: 24 })
  const file = join(folder, 'tiny.onnx')
  writeFileSync(file, tinyNetwork())
  const target = join(folder, 'backbone.onnx')
  const own = await TrainerProcess.start()
  const { sha256, featureLength, input } = await own.request({ kind: 'prepare-backbone', file, target })
    .answer
  await own.close()
  const preprocessing = preprocessingSchema.parse({
    ...{ version: 1, size: input, fit: 'stretch', filter: 'pillow-bilinear', background: [255, 255, 255] },
    ...{ channelOrder: 'RGB', mean: [127.5, 127.5, 127.5], divisor: [127.5, 127.5, 127.5] },
    jpegScaledDecode: false,
  })
  backbone = { id: 'tiny', sha256, onnxPath: target, featureLength, preprocessing }
})

afterAll(() => rmSync(folder, withContents))

function request(
  recipe: 'fine-tune' | 'scratch',
  changes: GradientChanges,
  rest: Partial<TrainRequest> = {},
): TrainRequest {
  const own = temporaryFolder()
  const runDir = join(own, 'run')
  mkdirSync(runDir)
  const split = stratifiedSplit({
    labels: pictures.map(({ label }) => label),
    keys: pictures.map(({ sha256 }) => sha256),
    seed: 1,
    fractions: { train: 60, val: 20, test: 20 },
  })
  return {
    kind: 'train',
    recipe,
    backbone: recipe === 'scratch' ? null : backbone,
    classes,
    images: pictures.map((picture, index) => ({ ...picture, split: split[index]! })),
    seed: 1,
    folds: 0,
    cacheDir: join(own, 'cache'),
    runDir,
    warmStartFrom: null,
    gradients: planGradients({ recipe, pictures: 40, classes: 3 }, changes),
    engine: 'onnx',
    checkpointDir: null,
    ...rest,
  }
}

/** What the written model answers for the test pictures, by the trainer that predicts. */
async function answersOf(
  own: TrainerProcess,
  { runDir, images }: TrainRequest,
): Promise<Map<number, Float32Array>> {
  const found = new Map<number, Float32Array>()
  const test = images.filter(({ split }) => split === 'test').map(({ id, path }) => ({ id, path }))
  await own.request({ kind: 'predict', modelDir: runDir, images: test }, (message) => {
    if (message.type === 'partial' && message.partial.probabilities)
      found.set(message.partial.id, message.partial.probabilities)
  }).answer
  return found
}

function expectAnswers(result: TrainResult, answers: ReadonlyMap<number, Float32Array>): void {
  expect(answers.size).toBe(result.test.ids.length)
  result.test.ids.forEach((id, row) =>
    answers
      .get(id)!
      .forEach((value, k) =>
        expect(value).toBeCloseTo(result.test.probabilities[row * classes.length + k]!, 4),
      ),
  )
}

/** Leaks of a batch per step would be several times as much. */
const STEADY_MB = 40

it.skipIf(process.platform !== 'linux').each([
  ['scratch', { epochs: 70, network: 'small-cnn' }],
  ['fine-tune', { epochs: 70, topBlocks: 1 }],
] as const)('%s takes as much memory after 70 epochs as after 20', async (recipe, changes) => {
  const own = await trainer()
  const residentMb = (): number =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${own.child.pid}/status`, 'utf8'))![1]) / 1000
  const seen = new Map<number, number>()
  await own.request(request(recipe, { ...changes, batchSize: 8 }), (message) => {
    if (message.type === 'metric') seen.set(message.metric.step, residentMb())
  }).answer
  // The least of several epochs: what is collected a little later is no leak.
  const least = (first: number, last: number): number =>
    Math.min(...[...seen].filter(([epoch]) => epoch >= first && epoch <= last).map(([, size]) => size))
  expect(seen.size).toBeGreaterThanOrEqual(70)
  expect(least(60, 70) - least(15, 25)).toBeLessThan(STEADY_MB)
})

describe('from scratch', () => {
  it('killed after some epochs, it goes on and ends where the uninterrupted one ends', async () => {
    const settings: GradientChanges = { epochs: 6, network: 'lenet-5' }
    const whole = await (await trainer()).request(request('scratch', settings)).answer
    const checkpointDir = temporaryFolder()
    const interrupted = request('scratch', settings, { checkpointDir })
    const first = await trainer()
    const running = first.request(interrupted, (message) => {
      if (message.type === 'metric' && message.metric.step === 3) first.child.kill('SIGKILL')
    })
    await expect(running.answer).rejects.toThrow(/has ended/)
    expect(readdirSync(checkpointDir)).toContain('scratch.checkpoint')

    const second = await trainer()
    const seen: number[] = []
    const resumed = await second.request(interrupted, (message) => {
      if (message.type === 'metric') seen.push(message.metric.step)
    }).answer
    expect(seen).toEqual([1, 2, 3, 4, 5, 6])
    expect(resumed.test.ids).toEqual(whole.test.ids)
    resumed.test.probabilities.forEach((value, i) =>
      expect(Math.abs(value - whole.test.probabilities[i]!)).toBeLessThan(1e-6),
    )
    expectAnswers(resumed, await answersOf(second, interrupted))
  })

  it('does not go on from the state of another training', async () => {
    const checkpointDir = temporaryFolder()
    const own = await trainer()
    await own.request(request('scratch', { epochs: 2, network: 'lenet-5' }, { checkpointDir })).answer
    const other = request('scratch', { epochs: 3, network: 'lenet-5' }, { checkpointDir })
    const seen: number[] = []
    const result = await own.request(other, (message) => {
      if (message.type === 'metric') seen.push(message.metric.step)
    }).answer
    expect(result.steps).toBe(3)
    expect(seen).toEqual([1, 2, 3])
  })

  it('answers every picture in a fold by a network that has not seen it, and takes finished folds over', async () => {
    const checkpointDir = temporaryFolder()
    const own = await trainer()
    const asked = request('scratch', { epochs: 2, network: 'lenet-5' }, { folds: 3, checkpointDir })
    const { outOfFold } = await own.request(asked).answer
    const learned = asked.images.filter(({ split }) => split !== 'test').map(({ id }) => id)
    expect([...outOfFold!.ids].sort((a, b) => a - b)).toEqual(learned.sort((a, b) => a - b))
    expect(new Set(outOfFold!.fold)).toEqual(new Set([0, 1, 2]))
    const folds = readdirSync(checkpointDir).filter((name) => name.endsWith('.json'))
    expect(folds.sort()).toEqual(['fold-0.json', 'fold-1.json', 'fold-2.json'])
    const kept = JSON.parse(readFileSync(join(checkpointDir, 'fold-1.json'), 'utf8')) as { ids: number[] }
    expect(kept.ids).toEqual([...outOfFold!.ids].filter((_, i) => outOfFold!.fold[i] === 1))
  })

  it('keeps the model where no fold has enough pictures to be trained', async () => {
    const own = await trainer()
    const all = request('scratch', { epochs: 1, network: 'lenet-5' }, { folds: 2 })
    // One picture of each label to learn from: without either of them there is nothing to tell apart.
    const pair = [0, 1].map((label) => all.images.find((image) => image.label === label)!)
    const images = pair.map((image) => ({ ...image, split: 'train' as const }))
    const result = await own.request({ ...all, images }).answer
    expect(result).toMatchObject({ outOfFold: null, stopped: null, foldsLeftOut: { count: 2, of: 2 } })
    expect(readdirSync(all.runDir)).toContain('model.onnx')
  })

  it('stopped in the first epoch of a fold, the model is finished and stays', async () => {
    const own = await trainer()
    const asked = request('scratch', { epochs: 1, network: 'lenet-5' }, { folds: 3 })
    let written = false
    const training = own.request(asked, (message) => {
      if (message.type !== 'progress') return
      if (message.stage === 'writing') written = true
      else if (written && message.stage === 'fitting') void own.stop(training.id, true)
    })
    const result = await training.answer
    expect(result).toMatchObject({ outOfFold: null, stopped: { reason: 'asked' } })
    expectAnswers(result, await answersOf(own, asked))
  })

  it('numbers beyond all bounds end it with words, and with a model where there is a good one', async () => {
    const own = await trainer()
    const wild = request('scratch', {
      ...{ epochs: 4, network: 'lenet-5', learningRate: 100 },
      optimiser: optimiserConfigSchema.parse({ kind: 'momentum' }),
    })
    const outcome = await own.request(wild).answer.then(
      (result) => result,
      (error: unknown) => error,
    )
    if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'training-diverged' })
    else {
      const { stopped, checks } = outcome as TrainResult
      expect(stopped?.reason === 'diverged' || checks.some(({ verdict }) => verdict === 'wrong')).toBe(true)
    }
  })

  it('the passport names the engine that computed the numbers', async () => {
    const network = networkSpecSchema.parse({
      ...{ version: 1, name: 'toy', input: { width: 8, height: 8, channels: 3 } },
      layers: [{ type: 'flatten' }, { type: 'fc', units: 3 }],
    })
    const asked = request('scratch', { epochs: 1, network }, { engine: 'reference' })
    await (await trainer()).request(asked).answer
    const passport = JSON.parse(readFileSync(join(asked.runDir, 'training.json'), 'utf8')) as object
    expect(passport).toMatchObject({ engine: 'reference', device: 'cpu' })
  })

  it('trains every template, and a network for grey pictures', async () => {
    const own = await trainer()
    const grey = templateNetwork('lenet-5', { size: 32, classes: 3, channels: 1 })
    const standardised = { ...grey, preprocessing: 'standardise' as const }
    const templates = ['small-cnn', 'small-vgg', 'small-resnet', 'mobilenet-like'] as const
    for (const network of [...templates, standardised]) {
      const asked = request('scratch', { epochs: 1, network })
      const result = await own.request(asked).answer
      expect(result.checks.find(({ id }) => id === 'finite')?.verdict).toBe('good')
      expectAnswers(result, await answersOf(own, asked))
    }
  })
})

describe('fine-tuning', () => {
  it('says which was better on the validation pictures, and its model answers as it was judged', async () => {
    const own = await trainer()
    const asked = request('fine-tune', { epochs: 12, learningRate: 0.01, topBlocks: 1 })
    const result = await own.request(asked).answer
    expect(result.kept).not.toBeNull()
    expect(result.kept!.tuned).toBe(true)
    expect(result.kept!.tunedAccuracy).toBeGreaterThanOrEqual(result.kept!.headAccuracy!)
    expectAnswers(result, await answersOf(own, asked))
    const passport = JSON.parse(readFileSync(join(asked.runDir, 'training.json'), 'utf8')) as object
    expect(passport).toMatchObject({ refitted: true, blocks: { learned: 1, of: expect.any(Number) } })
  })

  it('lets the blocks learn under a head that knows nothing only where that is asked for', async () => {
    const own = await trainer()
    const firstLoss = async (changes: GradientChanges): Promise<number> => {
      let loss = NaN
      await own.request(
        request('fine-tune', { epochs: 1, topBlocks: 1, learningRate: 1e-4, ...changes }),
        (message) => {
          if (message.type === 'metric' && message.metric.step === 1) loss = message.metric.trainLoss
        },
      ).answer
      return loss
    }
    const [usual, atOnce] = [await firstLoss({}), await firstLoss({ unfreezeAtOnce: true })]
    // Guessing among three classes costs ln 3; the fitted head knows better.
    expect(usual).toBeLessThan(0.6 * Math.log(3))
    expect(atOnce).toBeGreaterThan(0.8 * Math.log(3))
  })

  it('keeps the frozen network where adapting it does not help', async () => {
    const own = await trainer()
    const asked = request('fine-tune', { epochs: 2, learningRate: 10, topBlocks: 1 })
    const frozen = await own.request({ ...request('fine-tune', {}), recipe: 'head', gradients: null }).answer
    const result = await own.request(asked).answer
    expect(result.kept?.tuned).toBe(false)
    expect(result.test.ids).toEqual(frozen.test.ids)
    result.test.probabilities.forEach((value, i) =>
      expect(value).toBeCloseTo(frozen.test.probabilities[i]!, 5),
    )
    expectAnswers(result, await answersOf(own, asked))
  })

  it('without validation pictures has no figures, and finds out what the only update did to the network', async () => {
    const own = await trainer()
    const unjudged = (changes: GradientChanges): TrainRequest => {
      const asked = request('fine-tune', { epochs: 1, topBlocks: 1, ...changes })
      const images = asked.images.map((image) =>
        image.split === 'val' ? { ...image, split: 'train' as const } : image,
      )
      return { ...asked, images }
    }
    const calm = await own.request(unjudged({})).answer
    expect(calm.kept).toEqual({ tuned: true, headAccuracy: null, tunedAccuracy: null })
    const asked = unjudged({
      ...{ learningRate: 100, batchSize: 1024 },
      optimiser: optimiserConfigSchema.parse({ kind: 'sgd' }),
    })
    const wrecked = await own.request(asked).answer
    expect(wrecked.kept).toEqual({ tuned: false, headAccuracy: null, tunedAccuracy: null })
    expectAnswers(wrecked, await answersOf(own, asked))
    // The classifier on the frozen network is right about these pictures.
    const labels = new Map(asked.images.map(({ id, label }) => [id, label]))
    const right = [...wrecked.test.ids].filter((id, row) => {
      const of = wrecked.test.probabilities.subarray(row * 3, row * 3 + 3)
      return of.indexOf(Math.max(...of)) === labels.get(id)
    })
    expect(right.length / wrecked.test.ids.length).toBeGreaterThan(0.6)
  })

  it('whatever fails after the head is fitted leaves the frozen network as the model, and says why', async () => {
    const own = await trainer()
    const asked = request('fine-tune', { epochs: 1, topBlocks: 1 })
    // A folder stands where the state of the training is to be written.
    const checkpointDir = temporaryFolder()
    mkdirSync(join(checkpointDir, 'selection.checkpoint'))
    const result = await own.request({ ...asked, checkpointDir }).answer
    expect(result.stopped).toMatchObject({
      reason: 'error',
      message: expect.stringMatching(/could not be adapted.*frozen network is the model/),
    })
    expect(result.kept).toMatchObject({ tuned: false, tunedAccuracy: null })
    expectAnswers(result, await answersOf(own, asked))
  })

  it('stopped before an epoch is done, the frozen network is the model', async () => {
    const own = await trainer()
    const asked = request('fine-tune', { epochs: 50, topBlocks: 1 })
    const training = own.request(asked, (message) => {
      if (message.type === 'progress' && message.stage === 'reading') void own.stop(training.id, true)
    })
    const result = await training.answer
    expect(result.stopped).toMatchObject({ reason: 'asked', message: expect.stringContaining('frozen') })
    expectAnswers(result, await answersOf(own, asked))
  })

  it('gives the same model for the same seed', async () => {
    const own = await trainer()
    const model = async (): Promise<string> => {
      const asked = request('fine-tune', { epochs: 3, topBlocks: 1, learningRate: 0.01 })
      await own.request(asked).answer
      return createHash('sha256')
        .update(readFileSync(join(asked.runDir, 'model.onnx')))
        .digest('hex')
    }
    expect(await model()).toBe(await model())
  })
})
