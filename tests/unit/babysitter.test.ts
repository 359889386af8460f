import { describe, expect, test } from 'vitest'
import { checkTraining } from '#shared/domain/training/babysitter.ts'
import { guessingLoss, hasExploded } from '#shared/domain/training/explosion.ts'
import type { EpochFigures, TrainingCheck, WatchedTraining } from '#shared/domain/training/babysitter.ts'

const epochs = (
  figures: [trainLoss: number, trainAccuracy: number, valLoss: number, valAccuracy: number][],
): EpochFigures[] =>
  figures.map(([trainLoss, trainAccuracy, valLoss, valAccuracy], index) => ({
    step: index + 1,
    trainLoss,
    trainAccuracy,
    valLoss,
    valAccuracy,
  }))

const base: WatchedTraining = {
  curve: epochs([
    [2.1, 0.3, 2.0, 0.35],
    [1.2, 0.6, 1.1, 0.6],
    [0.6, 0.8, 0.7, 0.78],
    [0.3, 0.92, 0.45, 0.88],
    [0.2, 0.95, 0.4, 0.9],
  ]),
  guessing: Math.log(10),
  broke: null,
  majority: 0.1,
  train: 1000,
  val: 200,
}
const verdict = (training: Partial<WatchedTraining>, id: TrainingCheck['id']): TrainingCheck =>
  checkTraining({ ...base, ...training }).find((check) => check.id === id)!

describe('watching a training', () => {
  test('a good one has nothing but good marks', () => {
    expect(checkTraining(base).map(({ id, verdict }) => [id, verdict])).toEqual([
      ['finite', 'good'],
      ['explosion', 'good'],
      ['learning', 'good'],
      ['overfitting', 'good'],
      ['underfitting', 'good'],
    ])
  })

  test('numbers that are not finite name the learning rate', () => {
    const found = verdict({ broke: 'diverged' }, 'finite')
    expect(found.verdict).toBe('wrong')
    expect(found.message).toContain('smaller learning rate')
  })

  test('a loss far above guessing has exploded; one that doubles deserves a word', () => {
    const jumpTo = (loss: number): EpochFigures[] => [
      ...base.curve.slice(0, 2),
      { ...base.curve[2]!, trainLoss: loss },
      ...base.curve.slice(3),
    ]
    expect(verdict({ curve: jumpTo(40) }, 'explosion')).toMatchObject({ verdict: 'wrong' })
    expect(verdict({ curve: jumpTo(2.5) }, 'explosion')).toMatchObject({ verdict: 'attention' })
  })

  test('an explosion is not called a number that is not finite, and names its epoch', () => {
    const exploded = epochs([
      [2.1, 0.3, 2.0, 0.35],
      [900, 0.1, 1200, 0.1],
    ])
    expect(verdict({ curve: exploded, broke: 'exploded' }, 'finite').verdict).toBe('good')
    expect(verdict({ curve: exploded, broke: 'exploded' }, 'explosion')).toMatchObject({
      verdict: 'wrong',
      message: expect.stringMatching(/1\.20e\+3 in epoch 2.*stopped/),
    })
    expect(verdict({ curve: [], broke: 'exploded' }, 'explosion').verdict).toBe('wrong')
    expect(verdict({ curve: [], broke: 'diverged' }, 'explosion').verdict).toBe('skipped')
  })

  test('an explosion in the first epoch is one, whatever comes after it', () => {
    const [wild, wilder] = [3.6e6, 2.65e7]
    const stays = epochs([
      [wild, 0.3, wild, 0.3],
      [wilder, 0.3, wilder, 0.3],
    ])
    expect(verdict({ curve: stays }, 'explosion').verdict).toBe('wrong')
    expect(verdict({ curve: stays.slice(0, 1) }, 'explosion').verdict).toBe('wrong')
    const recovers = [{ ...base.curve[0]!, trainLoss: 300 }, ...base.curve.slice(1)]
    expect(verdict({ curve: recovers }, 'explosion').verdict).toBe('attention')
    // First weights that are too large are no jump: the loss falls from the beginning on.
    const falling = epochs([3600, 3300, 3000].map((loss) => [loss, 0.2, loss, 0.2]))
    expect(verdict({ curve: falling }, 'explosion')).toMatchObject({
      verdict: 'wrong',
      message: expect.stringContaining('first weights'),
    })
    expect(
      verdict({ curve: epochs([50, 40, 30].map((loss) => [loss, 0.2, loss, 0.2])) }, 'explosion'),
    ).toMatchObject({
      verdict: 'attention',
      message: expect.stringContaining('came down again'),
    })
    // The last step of the last epoch: only validation has seen what it did.
    const atTheEnd = [...base.curve.slice(0, 4), { ...base.curve[4]!, valLoss: 17_199 }]
    expect(verdict({ curve: atTheEnd }, 'explosion').verdict).toBe('wrong')
  })

  test('a fresh network may begin at a few times guessing', () => {
    const fresh = [{ ...base.curve[0]!, trainLoss: 9, valLoss: 20 }, ...base.curve.slice(1)]
    expect(verdict({ curve: fresh }, 'explosion').verdict).toBe('good')
  })

  test('the measure of an explosion is the loss of guessing, by the loss that is used', () => {
    expect(guessingLoss({ kind: 'cross-entropy', labelSmoothing: 0.5 }, 3)).toBeCloseTo(Math.log(3))
    expect(guessingLoss({ kind: 'hinge', margin: 10, squared: false }, 5)).toBe(40)
    expect(guessingLoss({ kind: 'hinge', margin: 10, squared: true }, 5)).toBe(400)
    expect(hasExploded(21, 1)).toBe(true)
    expect(hasExploded(19, 1)).toBe(false)
    // First weights that were drawn too large.
    expect(hasExploded(5000, 1, 1000)).toBe(false)
  })

  test('guessing is not learning, and neither is always saying the most frequent label', () => {
    const flat = epochs(Array.from({ length: 6 }, () => [2.3, 0.1, 2.3, 0.1]))
    expect(verdict({ curve: flat }, 'learning').verdict).toBe('wrong')
    const lazy = epochs(Array.from({ length: 6 }, () => [1.2, 0.705, 1.2, 0.7]))
    expect(verdict({ curve: lazy, majority: 0.7 }, 'learning').verdict).toBe('wrong')
  })

  test('learning by heart is told apart from a small gap', () => {
    const byHeart = epochs([
      [1.5, 0.5, 1.4, 0.5],
      [0.6, 0.8, 0.9, 0.7],
      [0.2, 0.95, 0.95, 0.72],
      [0.05, 0.99, 1.4, 0.71],
    ])
    const found = verdict({ curve: byHeart }, 'overfitting')
    expect(found.verdict).toBe('attention')
    expect(found.message).toContain('after epoch 2')
    // The same gap among a handful of pictures may be chance.
    expect(verdict({ curve: byHeart, val: 5 }, 'overfitting').verdict).toBe('good')
  })

  test('still improving and stuck are two kinds of underfitting', () => {
    const rising = epochs([
      [2.2, 0.2, 2.2, 0.2],
      [1.9, 0.3, 1.9, 0.3],
      [1.6, 0.42, 1.6, 0.4],
    ])
    expect(verdict({ curve: rising }, 'underfitting').message).toContain('More epochs')
    const stuck = epochs(Array.from({ length: 5 }, () => [1.4, 0.5, 1.4, 0.5]))
    expect(verdict({ curve: stuck }, 'underfitting').message).toContain('larger network')
  })

  test('what does not learn is not told that more epochs would help', () => {
    // An explosion that comes down again: the loss falls, and hardly more is right than by guessing.
    const falling = epochs([
      [19, 0.1, 15, 0.1],
      [9, 0.11, 7, 0.11],
      [4, 0.112, 4, 0.11],
    ])
    expect(verdict({ curve: falling }, 'learning').verdict).toBe('wrong')
    expect(verdict({ curve: falling }, 'underfitting')).toMatchObject({
      verdict: 'attention',
      message: expect.not.stringContaining('More epochs'),
    })
  })

  test('one epoch is too little to say anything but that it is finite', () => {
    const checks = checkTraining({ ...base, curve: base.curve.slice(0, 1) })
    expect(checks.filter(({ verdict }) => verdict === 'skipped').map(({ id }) => id)).toEqual([
      'learning',
      'overfitting',
      'underfitting',
    ])
  })

  test('no epoch at all is no reason to fail', () => {
    expect(() => checkTraining({ ...base, curve: [], broke: 'diverged' })).not.toThrow()
  })
})
