import { describe, expect, test } from 'vitest'
import { checkTraining } from '#shared/domain/training/babysitter.ts'
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
  classes: 10,
  diverged: false,
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
    const found = verdict({ diverged: true }, 'finite')
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

  test('one epoch is too little to say anything but that it is finite', () => {
    const checks = checkTraining({ ...base, curve: base.curve.slice(0, 1) })
    expect(checks.filter(({ verdict }) => verdict === 'skipped').map(({ id }) => id)).toEqual([
      'learning',
      'overfitting',
      'underfitting',
    ])
  })

  test('no epoch at all is no reason to fail', () => {
    expect(() => checkTraining({ ...base, curve: [], diverged: true })).not.toThrow()
  })
})
