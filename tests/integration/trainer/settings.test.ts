import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TrainMetric } from '#shared/contract/trainer.ts'
import { stratifiedSplit } from '#shared/domain/splits.ts'
import type { GradientChanges } from '#shared/domain/training/changes.ts'
import { planGradients } from '#shared/domain/training/presets.ts'
import { readTrainingFile } from '#shared/domain/training/training-file.ts'
import { drawPictures } from '../../helpers/drawn-pictures.ts'
import type { DrawnPicture } from '../../helpers/drawn-pictures.ts'
import { TrainerProcess } from '../../helpers/trainer-process.ts'
import { withContents } from '../../helpers/folders.ts'

const classes = ['red', 'blue', 'yellow']
let folder: string
let pictures: DrawnPicture[]
let trainer: TrainerProcess
let plain: TrainMetric[]

/** Everything off that a preset turns on, so that each setting is alone. */
const bare = {
  optimiser: { kind: 'adam' },
  schedule: { kind: 'constant' },
  regularisation: { weightDecay: 0, averageDecay: null },
  augmentation: 'none',
  network: 'lenet-5',
  epochs: 2,
}

async function curveOf(settings: object): Promise<TrainMetric[]> {
  const changes: GradientChanges = readTrainingFile(JSON.stringify(settings), 'scratch')
  const split = stratifiedSplit({
    labels: pictures.map(({ label }) => label),
    keys: pictures.map(({ sha256 }) => sha256),
    seed: 1,
    fractions: { train: 60, val: 20, test: 20 },
  })
  const runDir = mkdtempSync(join(folder, 'run-'))
  const curve: TrainMetric[] = []
  const { answer } = trainer.request(
    {
      ...{ kind: 'train', recipe: 'scratch', backbone: null, classes, seed: 1, folds: 0, engine: 'onnx' },
      images: pictures.map((picture, index) => ({ ...picture, split: split[index]! })),
      gradients: planGradients({ recipe: 'scratch', pictures: 40, classes: 3, labels: classes }, changes),
      ...{ cacheDir: join(folder, 'cache'), runDir, warmStartFrom: null, checkpointDir: null },
    },
    (message) => {
      if (message.type === 'metric') curve.push(message.metric)
    },
  )
  await answer
  return curve
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-settings-'))
  pictures = await drawPictures(join(folder, 'pictures'), { count: 16 })
  trainer = await TrainerProcess.start()
  plain = await curveOf(bare)
})
afterAll(async () => {
  await trainer.close()
  rmSync(folder, withContents)
})

/** What is left of a setting when it never reaches the engine is the very same curve. */
describe('each setting of a training alone', { timeout: 120_000 }, () => {
  it('nothing changed gives the same curve again', async () => {
    expect(await curveOf(bare)).toEqual(plain)
  })

  const off = bare.regularisation
  it.each<[string, object]>([
    ['the optimiser', { optimiser: { kind: 'nesterov' } }],
    ['a number of the optimiser', { optimiser: { kind: 'adam', beta1: 0.5 } }],
    ['the learning rate', { learningRate: 1e-4 }],
    ['the schedule', { schedule: { kind: 'one-cycle' } }],
    ['label smoothing', { loss: { labelSmoothing: 0.2 } }],
    ['the hinge', { loss: { kind: 'hinge' } }],
    ['class weights', { classWeights: { blue: 5 } }],
    ['L1', { regularisation: { ...off, l1: 0.01 } }],
    ['L2', { regularisation: { ...off, l2: 0.1 } }],
    ['weight decay', { regularisation: { ...off, weightDecay: 5 } }],
    ['a clipped gradient', { regularisation: { ...off, clipNorm: 0.001 } }],
    ['averaged weights', { regularisation: { ...off, averageDecay: 0.9 } }],
    ['mixup', { regularisation: { ...off, mixup: 1 } }],
    ['cutmix', { regularisation: { ...off, cutmix: 1 } }],
    ['an augmentation', { augmentation: { flipVertical: { probability: 0.5 } } }],
    ['the batch size', { batchSize: 8 }],
  ])('%s changes what is learned', async (_name, change) => {
    const curve = await curveOf({ ...bare, ...change })
    expect(curve).toHaveLength(2)
    const differences = curve.flatMap(({ trainLoss, valLoss }, epoch) => [
      Math.abs(trainLoss - plain[epoch]!.trainLoss),
      Math.abs(valLoss! - plain[epoch]!.valLoss!),
    ])
    expect(Math.max(...differences)).toBeGreaterThan(1e-4)
  })

  it('early stopping ends it', async () => {
    const earlyStopping = { patience: 1, minDelta: 10 }
    const curve = await curveOf({ ...bare, epochs: 6, regularisation: { ...off, earlyStopping } })
    expect(curve).toHaveLength(2)
  })
})
