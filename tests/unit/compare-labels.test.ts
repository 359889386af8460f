import { describe, expect, it } from 'vitest'
import type { Metrics } from '#shared/contract/training.ts'
import { differenceOf, labelPairs } from '../../renderer/features/evaluate/compare.ts'

const metrics = (figures: [recall: number, f1: number, support: number][]): Metrics => ({
  accuracy: 0.5,
  accuracy_ci95: [0.4, 0.6],
  macro_f1: 0.5,
  log_loss: 1,
  top5: 1,
  per_class: figures.map(([recall, f1, support], index) => ({
    label: String(index),
    precision: 1,
    recall,
    f1,
    support,
  })),
  confusion: [],
})
const label = (labelId: number | null, name: string) => ({ labelId, name, colour: 0 })

describe('labels of two runs', () => {
  it('stand side by side, whatever their order, most changed first; a renamed label is the same', () => {
    const a = {
      run: { classes: [label(1, 'rose'), label(2, 'tulip'), label(null, 'gone')] },
      metrics: metrics([
        [0.5, 0.6, 10],
        [0.9, 0.9, 10],
        [1, 1, 3],
      ]),
    }
    const b = {
      run: { classes: [label(2, 'tulip'), label(1, 'wild rose'), label(3, 'new')] },
      metrics: metrics([
        [0.9, 0.8, 10],
        [0.8, 0.9, 10],
        [0, 0, 0],
      ]),
    }
    const pairs = labelPairs(a, b)
    expect(pairs.map(({ name, recall, f1 }) => [name, recall, f1])).toEqual([
      ['wild rose', [0.5, 0.8], [0.6, 0.9]],
      ['tulip', [0.9, 0.9], [0.9, 0.8]],
      ['gone', [1, null], [1, null]],
      // No picture of it in this part: nothing is known, not "0 %".
      ['new', [null, null], [null, null]],
    ])
    expect(pairs.map(({ f1 }) => differenceOf(f1)?.toFixed(1) ?? null)).toEqual(['0.3', '-0.1', null, null])
  })

  it('are there before their figures are', () => {
    const run = { classes: [label(1, 'rose')] }
    expect(labelPairs({ run, metrics: null }, { run, metrics: null })).toMatchObject([
      { name: 'rose', recall: [null, null] },
    ])
  })
})
