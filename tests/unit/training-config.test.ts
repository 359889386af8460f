import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contradictions,
  fittingConfigSchema,
  groupRate,
  optimiserKinds,
  parseFittingConfig,
  scheduleKinds,
} from '#shared/domain/training/config.ts'
import { inWords } from '#shared/domain/training/limits.ts'
import { lossConfigSchema, lossWords } from '#shared/domain/training/losses.ts'
import { frameworkOptimiser, optimiserLimits, optimiserWords } from '#shared/domain/training/optimisers.ts'
import { averageDecayAt } from '#shared/domain/training/regularisation.ts'
import { scheduleWords } from '#shared/domain/training/schedules.ts'
import { KestrelError } from '#shared/errors/index.ts'

const refusal = (value: unknown): string => {
  try {
    parseFittingConfig(value)
  } catch (error) {
    if (error instanceof KestrelError && error.code === 'bad-request') return error.message
    throw error
  }
  return 'accepted'
}

describe('the settings of a training', () => {
  it('are complete when nothing is said', () => {
    expect(parseFittingConfig({})).toEqual({
      optimiser: { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, convention: 'pytorch' },
      learningRate: 1e-3,
      groupRates: {},
      schedule: { kind: 'cosine', warmup: 0.1, warmupFrom: 0.01, floor: 0 },
      loss: { kind: 'cross-entropy', labelSmoothing: 0 },
      classWeights: 'none',
      regularisation: {
        l1: 0,
        l2: 0,
        weightDecay: 0,
        clipNorm: null,
        averageDecay: null,
        mixup: 0,
        cutmix: 0,
        earlyStopping: null,
      },
      batchSize: 32,
      epochs: 30,
    })
  })

  it.each(optimiserKinds)(
    'take the usual rate and decay of %s, and stay the same when read again',
    (kind) => {
      const config = parseFittingConfig({ optimiser: { kind } })
      expect(config.learningRate).toBe(['rmsprop', 'adam', 'adamw'].includes(kind) ? 1e-3 : 1e-2)
      expect(config.regularisation.weightDecay).toBe(kind === 'adamw' ? 0.01 : 0)
      expect(parseFittingConfig(JSON.parse(JSON.stringify(config)))).toEqual(config)
      expect(fittingConfigSchema.parse(config)).toEqual(config)
      const own = { learningRate: 0.5, regularisation: { weightDecay: 0.3 }, optimiser: { kind } }
      expect(parseFittingConfig(own)).toMatchObject({
        learningRate: 0.5,
        regularisation: { weightDecay: 0.3, l2: 0 },
      })
    },
  )

  it.each([
    [{ learningRate: 0 }, 'The learning rate must be a number from 0.0000001 to 100, not 0.'],
    [{ learningRate: 'fast' }, 'The learning rate must be a number from 0.0000001 to 100.'],
    [{ epochs: 2.5 }, 'The number of epochs must be a whole number from 1 to 10000, not 2.5.'],
    [{ batchSize: 0 }, 'The batch size must be a whole number from 1 to 1024, not 0.'],
    [
      { optimiser: { kind: 'adamm' } },
      'The optimiser must be one of: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw.',
    ],
    [
      { optimiser: { kind: 'adam', beta2: 1 } },
      'The decay of the squared gradient (β₂) must be a number from 0 to 0.999999, not 1.',
    ],
    [{ optimiser: { kind: 'sgd', momentum: 0.9 } }, 'optimiser: Unrecognized key: "momentum".'],
    [
      { schedule: { kind: 'cosine', warmup: 1 } },
      'The part of the training that warms up must be a number from 0 to 0.9, not 1.',
    ],
    [
      { classWeights: 'balance' },
      'The class weights must be "none", "balanced" or a list with a number from 0 to 1000000 for each class.',
    ],
    [
      { groupRates: { head: -1 } },
      'The learning rate factor of a group must be a number from 0 to 100, not -1.',
    ],
    [
      { epochs: 0, batchSize: -1 },
      'The batch size must be a whole number from 1 to 1024, not -1. The number of epochs must be a whole number from 1 to 10000, not 0.',
    ],
    [
      { loss: { kind: 'hinge' }, regularisation: { mixup: 0.2 } },
      'Mixing pictures (mixup, cutmix) needs the loss "cross-entropy": a hinge knows one right label.',
    ],
    [{ epoch: 3 }, 'The settings of the training: Unrecognized key: "epoch".'],
  ])('refuse %j in words', (value, words) => {
    expect(refusal(value)).toBe(words)
  })

  it('go together or say why not', () => {
    expect(contradictions(parseFittingConfig({ regularisation: { mixup: 0.2, cutmix: 1 } }))).toEqual([])
    expect(contradictions(parseFittingConfig({ loss: { kind: 'hinge' } }))).toEqual([])
  })

  it('know the factor of a group, and take 1 for the others', () => {
    const config = parseFittingConfig({ groupRates: { base: 0.1 } })
    expect(groupRate(config, 'base')).toBe(0.1)
    expect(groupRate(config, 'head')).toBe(1)
    expect(groupRate(config, 'toString')).toBe(1)
  })

  it('have words for every choice', () => {
    expect(Object.keys(optimiserWords)).toEqual([...optimiserKinds])
    expect(Object.keys(scheduleWords)).toEqual([...scheduleKinds])
    expect(Object.keys(lossWords)).toEqual(lossConfigSchema.options.map(({ shape }) => shape.kind.value))
  })

  it('take any number within the limits and no other', () => {
    const { beta1 } = optimiserLimits
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const taken = refusal({ optimiser: { kind: 'adam', beta1: value } }) === 'accepted'
        expect(taken).toBe(value >= beta1.min && value <= beta1.max)
      }),
      { numRuns: 300, seed: 5 },
    )
  })
})

describe('defaults of the frameworks', () => {
  it('are those in their documentation', () => {
    expect(frameworkOptimiser('keras', 'adam')).toMatchObject({ epsilon: 1e-7, convention: 'keras' })
    expect(frameworkOptimiser('pytorch', 'adam')).toMatchObject({ epsilon: 1e-8, convention: 'pytorch' })
    expect(frameworkOptimiser('keras', 'rmsprop')).toMatchObject({ rho: 0.9 })
    expect(frameworkOptimiser('pytorch', 'rmsprop')).toMatchObject({ rho: 0.99 })
    expect(frameworkOptimiser('keras', 'adagrad')).toMatchObject({ initial: 0.1 })
    expect(frameworkOptimiser('keras', 'sgd')).toEqual({ kind: 'sgd' })
  })
})

describe('numbers in sentences', () => {
  it('are written out', () => {
    expect([1e-7, 0.1, 1e6, 0, -2.5, 1e-12, 1e-300].map(inWords)).toEqual([
      '0.0000001',
      '0.1',
      '1000000',
      '0',
      '-2.5',
      '0.000000000001',
      '1e-300',
    ])
  })
})

describe('the average of the weights', () => {
  it('begins short and never looks back further than its decay says', () => {
    expect(averageDecayAt(0.999, 1)).toBeCloseTo(0.1, 12)
    const decays = Array.from({ length: 20_000 }, (_, step) => averageDecayAt(0.999, step + 1))
    expect(decays.every((decay, i) => i === 0 || decay >= decays[i - 1]!)).toBe(true)
    expect(Math.max(...decays)).toBe(0.999)
  })
})
