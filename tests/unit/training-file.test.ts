import { describe, expect, it } from 'vitest'
import { trainConfigSchema } from '#shared/contract/training.ts'
import { presetAugmentation } from '#shared/domain/augmentation/index.ts'
import { combined, gradientChangesSchema } from '#shared/domain/training/changes.ts'
import type { GradientChanges } from '#shared/domain/training/changes.ts'
import { scheduleKinds } from '#shared/domain/training/config.ts'
import { fineTunePlan, planGradients, scratchPlan } from '#shared/domain/training/presets.ts'
import { readTrainingFile } from '#shared/domain/training/training-file.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { nearestName } from '#shared/util/nearest-name.ts'

const read = (value: unknown, recipe: 'scratch' | 'fine-tune' = 'scratch'): GradientChanges =>
  readTrainingFile(typeof value === 'string' ? value : JSON.stringify(value), recipe)
const refusal = (action: () => unknown): string => {
  try {
    action()
  } catch (error) {
    if (error instanceof KestrelError && error.code === 'bad-request') return error.message
    throw error
  }
  return 'accepted'
}
const scratch = { recipe: 'scratch', pictures: 1000, classes: 3 } as const
const tune = { recipe: 'fine-tune', pictures: 1000, classes: 3 } as const

describe('the file of a training', () => {
  it('changes what it names, in any depth, and nothing else', () => {
    const changes = read({
      optimiser: { beta1: 0.8 },
      schedule: { kind: 'one-cycle', up: 0.4 },
      loss: { labelSmoothing: 0.1 },
      classWeights: [1, 3, 1],
      regularisation: { mixup: 0.2, cutmix: 1, l2: 1e-4, earlyStopping: { patience: 4 } },
      epochs: 9,
    })
    const { fitting } = planGradients(scratch, changes)
    const preset = scratchPlan(1000, 3).fitting
    expect(fitting).toEqual({
      ...preset,
      optimiser: { ...preset.optimiser, kind: 'adamw', beta1: 0.8 },
      schedule: { kind: 'one-cycle', up: 0.4, startDivisor: 25, endDivisor: 1e4 },
      loss: { kind: 'cross-entropy', labelSmoothing: 0.1 },
      classWeights: [1, 3, 1],
      regularisation: {
        ...preset.regularisation,
        ...{ mixup: 0.2, cutmix: 1, l2: 1e-4 },
        earlyStopping: { monitor: 'loss', patience: 4, minDelta: 0 },
      },
      epochs: 9,
    })
  })

  it('changes nothing when it is empty, and comes back the same from what is stored of it', () => {
    expect(planGradients(scratch, read({}))).toEqual(scratchPlan(1000, 3))
    const all = read(
      {
        optimiser: { kind: 'nesterov', momentum: 0.8 },
        learningRate: 0.01,
        groupRates: { base: 0.1 },
        schedule: { kind: 'plateau', patience: 2 },
        loss: { kind: 'hinge' },
        classWeights: { daisy: 2 },
        regularisation: { clipNorm: null, averageDecay: null, l1: 1e-5, weightDecay: 0 },
        batchSize: 8,
        epochs: 3,
        augmentation: { flipHorizontal: { probability: 0.5 } },
        topBlocks: 2,
        unfreezeAtOnce: true,
      },
      'fine-tune',
    )
    expect(gradientChangesSchema.parse(JSON.parse(JSON.stringify(all)))).toEqual(all)
    const { fitting, augmentation, topBlocks, unfreezeAtOnce } = planGradients(
      { ...tune, labels: ['aster', 'daisy', 'rose'] },
      all,
    )
    expect(fitting).toMatchObject({
      optimiser: { kind: 'nesterov', momentum: 0.8, convention: 'pytorch' },
      groupRates: { base: 0.1 },
      schedule: { kind: 'plateau', patience: 2, factor: 0.1 },
      loss: { kind: 'hinge', margin: 1, squared: false },
      classWeights: [1, 2, 1],
      regularisation: { clipNorm: null, averageDecay: null, l1: 1e-5, weightDecay: 0 },
    })
    expect(augmentation).toEqual({
      version: 1,
      flipHorizontal: { probability: 0.5 },
      border: 'repeat',
      fill: [128, 128, 128],
    })
    expect(topBlocks).toBe(2)
    expect(unfreezeAtOnce).toBe(true)
    expect(planGradients(tune, {})).not.toHaveProperty('unfreezeAtOnce')
  })

  it('takes presets of augmentations and templates of networks by name', () => {
    const changes = read({ augmentation: 'strong', network: 'lenet-5' })
    const plan = planGradients(scratch, changes)
    expect(plan.augmentation).toEqual(presetAugmentation('strong'))
    expect(plan.network).not.toEqual(scratchPlan(1000, 3).network)
  })

  it.each(scheduleKinds)('knows the schedule %s', (kind) => {
    expect(planGradients(scratch, read({ schedule: { kind } })).fitting.schedule.kind).toBe(kind)
  })

  it.each([
    [{ optimizer: { kind: 'adam' } }, 'There is no setting "optimizer"; did you mean "optimiser"?'],
    [
      { regularisation: { mixpu: 1 } },
      '"regularisation": there is no setting "mixpu"; did you mean "mixup"?',
    ],
    [
      { regularisation: { dropout: 1 } },
      '"regularisation": there is no setting "dropout"; known are l1, l2, weightDecay, clipNorm, averageDecay, mixup, cutmix, earlyStopping.',
    ],
    [
      { regularisation: { earlyStopping: { patients: 3 } } },
      '"regularisation.earlyStopping": there is no setting "patients"; did you mean "patience"?',
    ],
    [
      { optimiser: { kind: 'sgd', momentum: 0.9 } },
      '"optimiser": there is no setting "momentum"; known is kind.',
    ],
    [
      { augmentation: { flipHorizontle: {} } },
      '"augmentation": there is no setting "flipHorizontle"; did you mean "flipHorizontal"?',
    ],
    [{ augmentation: 'weak' }, '"augmentation": must be one of "none", "light", "standard", "strong".'],
    [
      { augmentation: { rotate: { probability: 2, degrees: [0, 400] } } },
      '"augmentation.rotate.probability": must be a number from 0 to 1. "augmentation.rotate.degrees.1": must be a number from -180 to 180.',
    ],
    [
      { augmentation: { rotate: { probability: 1, degrees: 10 } } },
      '"augmentation.rotate.degrees": must be two numbers from -180 to 180, as [from, to].',
    ],
    [
      { regularisation: { mixup: 11 } },
      '"regularisation.mixup": The strength of mixup (α) must be a number from 0 to 10, not 11.',
    ],
    [{ learningRate: '1e-3' }, '"learningRate": The learning rate must be a number from 0.0000001 to 100.'],
    [
      { schedule: { kind: 'sawtooth' } },
      '"schedule.kind": The schedule must be one of: constant, step, exponential, cosine, one-cycle, plateau.',
    ],
    [
      { classWeights: { daisy: -1 } },
      '"classWeights.daisy": The weight of a class must be a number from 0 to 1000000, not -1.',
    ],
    [{ classWeights: 'rare' }, '"classWeights": The class weights must be "none", "balanced", a list'],
    [{ classWeights: [0, 0] }, 'All class weights are 0'],
    [{ topBlocks: 0 }, 'must be a whole number from 1 to 1000'],
    [{ topBlocks: 2 }, 'there are no top blocks'],
    [{ unfreezeAtOnce: true }, 'nothing is frozen that could be unfrozen'],
    [{ groupRates: { base: 0.1 } }, 'From scratch the whole network learns at one rate'],
    [{ groupRates: { bass: 0.1 } }, '"groupRates": there is no setting "bass"; did you mean "base"?'],
    [{ loss: { kind: 'hinge' }, regularisation: { mixup: 0.2 } }, 'needs the loss "cross-entropy"'],
    [{ regularisation: 3 }, '"regularisation": must be a group of settings in { }.'],
    [{ schedule: { kind: 'exponential', staircase: 1 } }, '"schedule.staircase": must be true or false.'],
    [[1], 'Must be a group of settings in { }.'],
    ['{"epochs": 3,}', 'The file of the training is not JSON.'],
  ])('%j is refused: the place, and what may stand there', (value, words) => {
    expect(refusal(() => read(value))).toContain(words)
  })

  it('of a fine-tuning must let something learn', () => {
    expect(refusal(() => read({ groupRates: { base: 0, head: 0 } }, 'fine-tune'))).toContain(
      'nothing would learn',
    )
    expect(refusal(() => read({ network: 'lenet-5' }, 'fine-tune'))).toContain(
      'belongs to training from scratch',
    )
  })
})

describe('class weights, once the labels are known', () => {
  const labels = ['aster', 'daisy', 'rose']
  it.each([
    [{ dasiy: 2 }, 'A class weight is given for "dasiy", which is no label: did you mean "daisy"?'],
    [[1, 2], 'There are 2 class weights for 3 labels (aster, daisy, rose).'],
    [{ aster: 0, daisy: 0, rose: 0 }, 'All class weights are 0: no picture would count.'],
  ])('%j are refused', (classWeights, words) => {
    expect(refusal(() => planGradients({ ...scratch, labels }, { classWeights }))).toBe(words)
  })
})

describe('options beside the file', () => {
  it('win over it', () => {
    const file = read({ optimiser: { beta1: 0.8 }, learningRate: 0.1, epochs: 3, augmentation: 'none' })
    expect(combined(file, { learningRate: 0.5, augmentation: 'strong' })).toEqual({
      ...file,
      learningRate: 0.5,
      augmentation: 'strong',
    })
    expect(combined(file, { optimiser: { kind: 'sgd' } }).optimiser).toEqual({ kind: 'sgd' })
    expect(combined(file, { optimiser: { kind: 'adamw', beta1: 0.9 } }).optimiser).toEqual({
      kind: 'adamw',
      beta1: 0.8,
    })
    expect(combined({}, { optimiser: { kind: 'sgd' } }).optimiser).toEqual({ kind: 'sgd' })
  })
})

describe('the preset of a fine-tuning', () => {
  it('keeps what a file does not name', () => {
    const { fitting } = planGradients(tune, read({ regularisation: { l2: 1e-3 } }, 'fine-tune'))
    expect(fitting.regularisation).toEqual({ ...fineTunePlan(1000).fitting.regularisation, l2: 1e-3 })
  })
})

describe('what is stored with a run', () => {
  const old = {
    ...{ recipe: 'scratch', backboneId: null, seed: 1, folds: 0, engine: 'onnx' },
    split: { train: 0.7, val: 0.15, test: 0.15 },
  }

  it('reads what was stored when there were only single options, and before there were later choices', () => {
    const changes = {
      optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, convention: 'pytorch' },
      ...{ learningRate: 0.01, epochs: 3, batchSize: 8, classWeights: 'balanced' },
      ...{ augmentation: 'strong', network: 'lenet-5' },
    }
    expect(trainConfigSchema.parse({ ...old, changes })).toEqual({
      ...{ ...old, changes },
      ...{ objective: 'softmax', together: 'shots', teacherRunId: null },
    })
    expect(trainConfigSchema.parse(old).changes).toEqual({})
  })

  it('refuses names that are not known also where no file was read', () => {
    expect(trainConfigSchema.safeParse({ ...old, changes: { lr: 1 } }).success).toBe(false)
    const changes = { regularisation: { mixpu: 1 } }
    expect(trainConfigSchema.safeParse({ ...old, changes }).success).toBe(false)
  })
})

describe('the nearest name', () => {
  it.each([
    ['optimizer', 'optimiser'],
    ['mixpu', 'mixup'],
    ['LEARNING_RATE', 'learningRate'],
    ['dropout', null],
    ['', null],
  ])('to %j is %j', (given, nearest) => {
    expect(nearestName(given, ['optimiser', 'mixup', 'learningRate', 'kind'])).toBe(nearest)
  })
})
