import { describe, expect, it } from 'vitest'
import { computeMetrics } from '#shared/domain/metrics.ts'
import { describeResult, foldFigures, runResultSchema } from '../../electron/cli/result.ts'
import type { RunResult } from '../../electron/cli/result.ts'

const metrics = computeMetrics({
  classes: ['a', 'b'],
  labels: [0, 0, 1, 1],
  probabilities: [0.9, 0.1, 0.4, 0.6, 0.2, 0.8, 0.3, 0.7],
})
const result: RunResult = {
  kestrel: '0.1.0',
  run: '0001-00000000',
  seed: 1,
  engine: 'onnx',
  backbone: null,
  recipe: 'scratch',
  classes: ['a', 'b'],
  images: {
    read: 12,
    duplicates: 1,
    skipped: Array.from({ length: 7 }, (_, i) => ({
      file: `${i}.jpg`,
      code: 'file-empty',
      message: 'Empty.',
    })),
    conflicts: [],
  },
  split: { train: 5, val: 2, test: 4 },
  timings: { import_s: 1, features_s: 0, train_s: 1, evaluate_s: 0, export_s: 0, total_s: 2.25 },
  metrics: { val: null, test: metrics },
  curves: [{ step: 1, trainLoss: 0.5, trainAccuracy: 0.75, valLoss: null, valAccuracy: null }],
  checks: [{ id: 'finite', verdict: 'good', message: 'All numbers stayed finite.' }],
  exports: [],
}

describe('the result', () => {
  it('fits its own schema and survives JSON', () => {
    expect(runResultSchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result)
  })

  it('is told in a few lines', () => {
    const lines = describeResult(
      { ...result, stopped: { reason: 'diverged', message: 'The loss grew.' } },
      '/p',
    ).split('\n')
    expect(lines[0]).toBe('12 pictures of 2 labels: 5 to learn from, 2 to tune on, 4 to test.')
    expect(lines).toContain('1 of them is an exact copy and was used once.')
    expect(lines).toContain('7 files could not be read:')
    expect(lines.filter((line) => line.startsWith('  '))).toHaveLength(6)
    expect(lines).toContain('Test: 75.0 % right (95 % interval 30.1 % to 95.4 %), macro F1 0.733.')
    expect(lines).toContain('The training ended early: The loss grew.')
    expect(lines.at(-1)).toBe('2.3 s in all. The project is /p.')
  })
})

it('says which of two networks became the model, what was noticed, and which copies contradict each other', () => {
  const lines = describeResult(
    {
      ...result,
      images: {
        ...result.images,
        conflicts: [{ file: 'b/1.jpg', code: 'duplicate-other-label', message: 'Already here as “a”.' }],
      },
      kept: { tuned: false, headAccuracy: 0.9, tunedAccuracy: 0.875 },
      checks: [
        { id: 'finite', verdict: 'good', message: 'All good.' },
        { id: 'overfitting', verdict: 'attention', message: 'It learns by heart.' },
      ],
    },
    '/p',
  )
  expect(lines).toContain('  b/1.jpg: Already here as “a”.')
  expect(lines).toContain(
    'The frozen network stays the model: 90.0 % of the validation pictures right, adapted 87.5 %.',
  )
  expect(lines).toContain('It learns by heart.')
  expect(lines).not.toContain('All good.')
})

describe('figures of folds', () => {
  it('are those of each and of all together', () => {
    const folds = foldFigures(3, [0, 0, 1, 1, 2], [true, false, true, true, false], metrics)
    expect(folds).toMatchObject({ k: 3, asked: 3, accuracy: [0.5, 1, 0], mean: 0.5, sd: 0.5 })
    expect(folds.pooled).toBe(metrics)
  })

  it('count the folds that there are, and none that holds no picture', () => {
    const folds = foldFigures(10, [4, 1, 4, 1], [true, true, true, true], metrics)
    expect(folds).toMatchObject({ k: 2, asked: 10, accuracy: [1, 1], mean: 1, sd: 0 })
    const lines = describeResult({ ...result, folds }, '/p')
    expect(lines).toContain('2 folds of 10 asked for: 75.0 % of their pictures right')
  })

  it('say which were left out', () => {
    const message = '1 of 3 folds could not be trained and was left out: too few pictures.'
    const lines = describeResult({ ...result, foldsLeftOut: { count: 1, of: 3, message } }, '/p').split('\n')
    expect(lines).toContain(message)
  })
})

it.each([
  [{ tuned: true, headAccuracy: null, tunedAccuracy: null }, 'No validation pictures compared it'],
  [{ tuned: false, headAccuracy: null, tunedAccuracy: null }, 'clearly fewer of its training pictures'],
  [
    { tuned: false, headAccuracy: 0.9, tunedAccuracy: null },
    'model: 90.0 % of the validation pictures right.',
  ],
])('makes no figure up where nobody judged: %o', (kept, words) => {
  const lines = describeResult({ ...result, kept }, '/p')
  expect(lines).toContain(words)
  expect(lines).not.toMatch(/ 0\.0 %|NaN/)
})
