import { describe, expect, it } from 'vitest'
import type { SharedShots } from '#shared/contract/training.ts'
import { checkPlan, checkShots } from '#studio/training/checks.ts'
import { outcomeOf } from '#studio/training/outcome.ts'
import type { TrainResult } from '#shared/contract/trainer.ts'

type Sides = [train: number, val: number, test: number]

const noShots: SharedShots = { groups: 0, pictures: 0, across: { groups: 0, val: 0, test: 0 } }

function plan(classes: Record<string, Sides>, sharedShots = noShots) {
  const entries = Object.entries(classes)
  const perClass = entries.map(([, [train, val, test]]) => ({ train, val, test }))
  const sum = (side: 'train' | 'val' | 'test'): number =>
    perClass.reduce((total, each) => total + each[side], 0)
  return {
    classes: entries.map(([name], index) => ({ labelId: index + 1, name, colour: index })),
    perClass,
    sharedShots,
    counts: { train: sum('train'), val: sum('val'), test: sum('test') },
  }
}
const check = (classes: Record<string, Sides>, { unlabelled = 0, hasBackbone = true } = {}) =>
  checkPlan({ plan: plan(classes), unlabelled, hasBackbone })
const codes = (classes: Record<string, Sides>, rest = {}): string[] =>
  check(classes, rest).warnings.map(({ code }) => code)

describe('what stands in the way of a training', () => {
  it('names the next step', () => {
    expect(check({}).blockers).toMatchObject([
      { code: 'too-few-pictures', words: expect.stringContaining('Drop') },
    ])
    expect(check({}, { unlabelled: 7 }).blockers[0]!.words).toContain('None of the 7 pictures has a label')
    expect(check({ rose: [9, 2, 2] }).blockers).toMatchObject([
      { code: 'too-few-classes', words: expect.stringContaining('“rose”') },
    ])
    expect(check({ rose: [1, 0, 0], tulip: [0, 1, 1] }).blockers).toMatchObject([
      { code: 'too-few-pictures' },
    ])
    expect(check({ rose: [50, 10, 30], tulip: [50, 10, 30] })).toEqual({ blockers: [], warnings: [] })
  })

  it('says what is worth knowing, and no more', () => {
    const good: Sides = [70, 15, 30]
    expect(codes({ a: good, b: good }, { hasBackbone: false })).toEqual(['no-backbone'])
    expect(codes({ a: good, b: good }, { unlabelled: 1 })).toEqual(['unlabelled'])
    expect(codes({ a: good, b: [9, 2, 2] })).toEqual(['few-pictures', 'imbalance', 'small-test'])
    expect(codes({ a: good, b: good, c: [0, 0, 30] })).toEqual(['no-training-pictures'])
    expect(codes({ a: good, b: good, c: [30, 3, 0] })).toEqual(['untested-class'])
    expect(codes({ a: [70, 30, 0], b: [70, 30, 0] })).toEqual(['no-test'])
    const many = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`c${i}`, [9, 2, 8] as Sides]))
    expect(check(many).warnings[0]!.words).toContain('“c0”, “c1”, “c2” and 3 more')
  })
})

describe('shots that there are several pictures of', () => {
  const shots = (across: SharedShots['across']): SharedShots => ({ groups: 2, pictures: 5, across })
  const classes: Record<string, Sides> = { a: [70, 15, 30], b: [70, 15, 30] }
  const warned = (across: SharedShots['across']) =>
    checkPlan({ plan: plan(classes, shots(across)), unlabelled: 0, hasBackbone: true }).warnings

  it('need no word before a training when each is on one side', () => {
    expect(warned({ groups: 0, val: 0, test: 0 })).toEqual([])
    expect(checkShots({ sharedShots: noShots })).toEqual([])
    expect(checkShots({ sharedShots: shots({ groups: 0, val: 0, test: 0 }) })).toMatchObject([
      { id: 'leakage', verdict: 'good', message: expect.stringContaining('5 pictures show 2 shots') },
    ])
  })

  it('are told where given sides tear them apart, with what to do', () => {
    expect(warned({ groups: 2, val: 1, test: 2 })).toMatchObject([
      {
        code: 'leakage',
        words: expect.stringMatching(/^2 pictures of the test and 1 picture of the validation are nearly/),
      },
    ])
    const [one, several] = [
      { groups: 1, val: 0, test: 1 },
      { groups: 2, val: 1, test: 2 },
    ].map((across) => warned(across)[0]!.words)
    expect(one).toMatch(
      /^1 picture of the test is .*\. Its side was given .*, or it was divided as a single file\./,
    )
    expect(several).toMatch(/\. Their sides were given .*, or they were divided as single files\./)
  })
})

describe('the outcome of a training', () => {
  const block = (ids: number[], probabilities: number[]) => ({
    ids: Int32Array.from(ids),
    probabilities: Float32Array.from(probabilities),
  })
  const result: TrainResult = {
    kind: 'train',
    featureLength: 1,
    regularisation: { chosen: null, tried: [] },
    steps: 1,
    val: block([], []),
    test: block([5, 7], [0.75, 0.25, 0.5, 0.5]),
    outOfFold: { ...block([1], [0.25, 0.75]), fold: Int32Array.of(3) },
    failed: [],
    timings: { features_s: 0, train_s: 0, evaluate_s: 0 },
    stopped: null,
    features: { cached: 0, computed: 3 },
    checks: [],
    kept: null,
  }

  it('is one row per picture, and figures from these rows', () => {
    const parts = outcomeOf(
      result,
      ['a', 'b'],
      new Map([
        [5, 0],
        [7, 1],
        [1, 1],
      ]),
    )
    expect(parts.map(({ part }) => part)).toEqual(['val', 'test', 'outOfFold'])
    expect(parts[0]!.metrics).toBeNull()
    expect(parts[1]!.predictions).toMatchObject([
      { pictureId: 5, trueClass: 0, predicted: 0, confidence: 0.75, fold: null },
      { pictureId: 7, trueClass: 1, predicted: 0, confidence: 0.5, fold: null },
    ])
    expect(parts[1]!.metrics!.accuracy).toBe(0.5)
    expect(parts[2]!.predictions).toMatchObject([{ pictureId: 1, predicted: 1, fold: 3 }])
  })

  it('refuses an answer about a picture that took no part', () => {
    expect(() => outcomeOf(result, ['a', 'b'], new Map([[5, 0]]))).toThrow('picture 7')
  })
})
