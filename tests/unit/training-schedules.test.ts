import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFileSync } from 'node:fs'
import { earlyStoppingSchema, scheduleConfigSchema } from '#shared/domain/training/config.ts'
import type { ScheduleConfig } from '#shared/domain/training/config.ts'
import {
  earlyStoppingAfter,
  earlyStoppingNext,
  earlyStoppingStart,
  earlyStoppingStateSchema,
  shouldStopEarly,
} from '#shared/domain/training/early-stopping.ts'
import {
  plateauAfter,
  plateauNext,
  plateauStart,
  plateauStateSchema,
} from '#shared/domain/training/plateau.ts'
import type { PlateauConfig } from '#shared/domain/training/plateau.ts'
import { rateFactor } from '#shared/domain/training/schedules.ts'

const runs = { numRuns: 200, seed: 3 }
const share = (min: number, max: number) => fc.double({ min, max, noNaN: true })
const lossCurve = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: share(0, 5) },
    { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Infinity) },
  ),
  { maxLength: 40 },
)
const schedule = (value: object): ScheduleConfig => scheduleConfigSchema.parse(value)
const anySchedule = fc
  .oneof(
    fc.record({ kind: fc.constant('constant') }),
    fc.record({ kind: fc.constant('step'), every: fc.integer({ min: 1, max: 20 }), factor: share(0.001, 1) }),
    fc.record({ kind: fc.constant('exponential'), factor: share(0.001, 1), staircase: fc.boolean() }),
    fc.record({
      kind: fc.constant('cosine'),
      warmup: share(0, 0.9),
      warmupFrom: share(0, 1),
      floor: share(0, 1),
    }),
    fc.record({
      kind: fc.constant('one-cycle'),
      up: share(0.01, 0.99),
      startDivisor: share(1, 1000),
      endDivisor: share(1, 1e6),
    }),
    fc.record({ kind: fc.constant('plateau'), patience: fc.integer({ min: 0, max: 5 }), floor: share(0, 1) }),
  )
  .map(schedule)
const length = { stepsPerEpoch: fc.integer({ min: 1, max: 50 }), epochs: fc.integer({ min: 1, max: 40 }) }

/** The factors of all steps of a training, one more included. */
const course = (config: ScheduleConfig, stepsPerEpoch: number, epochs: number): number[] =>
  Array.from({ length: stepsPerEpoch * epochs + 1 }, (_, step) =>
    rateFactor(config, { step, stepsPerEpoch, epochs, losses: [] }),
  )

describe('schedules', () => {
  it('stay between 0 and the full rate, and reach the full rate', () => {
    fc.assert(
      fc.property(anySchedule, length.stepsPerEpoch, length.epochs, (config, stepsPerEpoch, epochs) => {
        const factors = course(config, stepsPerEpoch, epochs)
        expect(factors.every((factor) => factor >= 0 && factor <= 1 + 1e-12)).toBe(true)
        // The top of one cycle may lie between two steps.
        if (config.kind !== 'one-cycle') expect(Math.max(...factors)).toBeCloseTo(1, 12)
        else if (stepsPerEpoch * epochs >= 50) expect(Math.max(...factors)).toBeGreaterThan(0.9)
      }),
      runs,
    )
  })

  it('fall for good once they have reached the top', () => {
    fc.assert(
      fc.property(anySchedule, length.stepsPerEpoch, length.epochs, (config, stepsPerEpoch, epochs) => {
        const factors = course(config, stepsPerEpoch, epochs)
        const top = factors.indexOf(Math.max(...factors))
        factors.forEach((factor, step) => {
          if (step === 0) return
          if (step <= top) expect(factor).toBeGreaterThanOrEqual(factors[step - 1]! - 1e-12)
          else expect(factor).toBeLessThanOrEqual(factors[step - 1]! + 1e-12)
        })
      }),
      runs,
    )
  })

  it('do not jump, where they are meant to glide', () => {
    const glide = anySchedule.filter(
      (config) => config.kind === 'cosine' || config.kind === 'one-cycle' || config.kind === 'constant',
    )
    fc.assert(
      fc.property(glide, (config) => {
        const factors = course(config, 100, 40)
        const steepest = Math.max(
          ...factors.map((factor, i) => (i === 0 ? 0 : Math.abs(factor - factors[i - 1]!))),
        )
        // The shortest way up is 1 % of 4,000 steps, on half a cosine; a warm-up may be shorter than a step.
        const shortest =
          config.kind === 'one-cycle' ? 39 : config.kind === 'cosine' ? Math.max(1, 4000 * config.warmup) : 1
        expect(steepest).toBeLessThanOrEqual(Math.PI / 2 / Math.min(shortest, 390) + 1e-9)
      }),
      runs,
    )
  })

  it('begin and end where they say', () => {
    const cosine = course(schedule({ kind: 'cosine', warmup: 0.1, warmupFrom: 0.2, floor: 0.05 }), 10, 10)
    expect(cosine[0]).toBeCloseTo(0.2, 12)
    expect(cosine[10]).toBe(1)
    expect(cosine[55]).toBeCloseTo(0.525, 12)
    expect(cosine[100]).toBeCloseTo(0.05, 12)
    expect(course(schedule({ kind: 'cosine', warmup: 0 }), 10, 10)[0]).toBe(1)
    const cycle = course(schedule({ kind: 'one-cycle', up: 0.3, startDivisor: 25, endDivisor: 100 }), 10, 10)
    expect(cycle[0]).toBeCloseTo(1 / 25, 12)
    expect(cycle[29]).toBe(1)
    expect(cycle[99]).toBeCloseTo(1 / 2500, 12)
    const step = course(schedule({ kind: 'step', every: 2, factor: 0.5 }), 3, 6)
    expect(step.slice(0, 13)).toEqual([1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25])
    const fall = course(schedule({ kind: 'exponential', factor: 0.25 }), 2, 2)
    expect(fall).toEqual([1, 0.5, 0.25, 0.125, 0.0625])
    const stairs = course(schedule({ kind: 'exponential', factor: 0.25, staircase: true }), 2, 2)
    expect(stairs).toEqual([1, 1, 0.25, 0.25, 0.0625])
  })

  it('work for trainings of one step, and refuse places that are none', () => {
    fc.assert(
      fc.property(anySchedule, (config) => {
        const factor = rateFactor(config, { step: 0, stepsPerEpoch: 1, epochs: 1, losses: [] })
        expect(factor).toBeGreaterThanOrEqual(0)
        expect(factor).toBeLessThanOrEqual(1)
      }),
      runs,
    )
    const wrong = [
      { step: -1, stepsPerEpoch: 1, epochs: 1 },
      { step: Number.NaN, stepsPerEpoch: 1, epochs: 1 },
      { step: 0, stepsPerEpoch: 0, epochs: 1 },
    ]
    for (const place of wrong)
      expect(() => rateFactor({ kind: 'constant' }, { ...place, losses: [] })).toThrow(RangeError)
  })

  it('fall on a plateau of the losses so far', () => {
    const config = schedule({ kind: 'plateau', factor: 0.5, patience: 1 })
    const factorAfter = (losses: number[]): number =>
      rateFactor(config, { step: losses.length * 5, stepsPerEpoch: 5, epochs: 50, losses })
    expect(factorAfter([])).toBe(1)
    expect(factorAfter([2, 1, 1])).toBe(1)
    expect(factorAfter([2, 1, 1, 1])).toBe(0.5)
    expect(factorAfter([2, 1, 1, 1, 1, 1])).toBe(0.25)
  })
})

interface Curve {
  losses: number[]
  settings: Omit<PlateauConfig, 'measure'>
  relative: number[]
  absolute: number[]
  keras: number[]
}
const { curves } = JSON.parse(
  readFileSync(new URL('../fixtures/golden/losses.json', import.meta.url), 'utf8'),
) as { curves: Curve[] }

describe('reduce on plateau', () => {
  const course = (config: PlateauConfig, losses: readonly number[]): number[] =>
    losses.map((_, epoch) => plateauAfter(config, losses.slice(0, epoch + 1)).factor)

  it('falls in the epochs in which PyTorch and Keras do', () => {
    const close = (values: readonly number[]) => values.map((value) => expect.closeTo(value, 6) as number)
    for (const { losses, settings, relative, absolute, keras } of curves) {
      expect(course({ ...settings, measure: 'relative' }, losses)).toEqual(close(relative))
      expect(course({ ...settings, measure: 'absolute' }, losses)).toEqual(close(absolute))
      expect(course({ ...settings, measure: 'absolute' }, losses)).toEqual(close(keras))
    }
    expect(curves.some(({ relative }) => relative.at(-1)! < 0.3)).toBe(true)
  })

  const anyConfig = fc.record({
    factor: share(0.001, 0.999),
    patience: fc.integer({ min: 0, max: 6 }),
    threshold: share(0, 0.5),
    measure: fc.constantFrom('relative' as const, 'absolute' as const),
    cooldown: fc.integer({ min: 0, max: 4 }),
    floor: share(0, 1),
  })

  it('never rises, and stops falling at its floor', () => {
    fc.assert(
      fc.property(anyConfig, lossCurve, (config, losses) => {
        const factors = course(config, losses)
        factors.forEach((factor, epoch) => {
          expect(factor).toBeLessThanOrEqual(factors[epoch - 1] ?? 1)
          expect(factor).toBeGreaterThanOrEqual(config.floor)
        })
      }),
      runs,
    )
  })

  it('goes on from a state that was written down', () => {
    fc.assert(
      fc.property(anyConfig, lossCurve, fc.nat(40), (config, losses, at) => {
        const half = plateauAfter(config, losses.slice(0, at))
        const read = plateauStateSchema.parse(JSON.parse(JSON.stringify(half)))
        expect(losses.slice(at).reduce((state, loss) => plateauNext(config, state, loss), read)).toEqual(
          plateauAfter(config, losses),
        )
      }),
      runs,
    )
    expect(plateauStateSchema.parse(plateauStart)).toEqual(plateauStart)
  })
})

describe('early stopping', () => {
  const config = (value: object = {}) => earlyStoppingSchema.parse(value)

  it('ends after so many epochs without a better loss, and knows the best one', () => {
    const losses = [2, 1, 1.5, 1.2, 0.9, 0.95, 1, 1.1]
    expect(earlyStoppingAfter(config({ patience: 3 }), losses)).toEqual({
      best: 0.9,
      bestEpoch: 5,
      epoch: 8,
      waited: 3,
      stopped: true,
    })
    expect(shouldStopEarly(config({ patience: 3 }), losses.slice(0, -1))).toBe(false)
    expect(shouldStopEarly(config({ patience: 2 }), losses.slice(0, 4))).toBe(true)
    // An improvement smaller than minDelta is none.
    expect(earlyStoppingAfter(config({ patience: 9, minDelta: 0.2 }), losses)).toMatchObject({ bestEpoch: 2 })
  })

  it('can watch the accuracy, where the earliest of equals is the best', () => {
    const state = earlyStoppingAfter(config({ monitor: 'accuracy', patience: 2 }), [0.5, 0.8, 0.8, 0.7])
    expect(state).toMatchObject({ best: 0.8, bestEpoch: 2, stopped: true })
  })

  it('takes numbers that are not finite for no improvement', () => {
    const state = earlyStoppingAfter(config({ patience: 3 }), [Number.NaN, Infinity, -Infinity])
    expect(state).toMatchObject({ best: null, bestEpoch: 0, stopped: true })
  })

  it('keeps the best value there was, stays stopped, and goes on from a state that was written down', () => {
    const anyConfig = fc.record({
      monitor: fc.constant('loss' as const),
      patience: fc.integer({ min: 1, max: 8 }),
      minDelta: fc.constantFrom(0, 0.1),
    })
    fc.assert(
      fc.property(anyConfig, lossCurve, fc.nat(40), (settings, losses, at) => {
        const whole = earlyStoppingAfter(settings, losses)
        const finite = losses.filter(Number.isFinite)
        if (finite.length > 0) {
          expect(whole.best! - Math.min(...finite)).toBeLessThanOrEqual(settings.minDelta + 1e-12)
          expect(losses[whole.bestEpoch - 1]).toBe(whole.best)
        }
        const before = earlyStoppingAfter(settings, losses.slice(0, at))
        if (before.stopped) expect(whole.stopped).toBe(true)
        const read = earlyStoppingStateSchema.parse(JSON.parse(JSON.stringify(before)))
        const rest = losses.slice(at).reduce((state, loss) => earlyStoppingNext(settings, state, loss), read)
        expect(rest).toEqual(whole)
      }),
      runs,
    )
    expect(earlyStoppingStateSchema.parse(earlyStoppingStart)).toEqual(earlyStoppingStart)
  })
})
