import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { classOrders, mostConfusedPairs, orderClasses, reorder, rowShares } from '#shared/domain/confusion.ts'
import { compareAnswers } from '#shared/domain/flips.ts'

const matrices = fc
  .integer({ min: 1, max: 8 })
  .chain((n) =>
    fc.array(fc.array(fc.nat(20), { minLength: n, maxLength: n }), { minLength: n, maxLength: n }),
  )

describe('confusion matrix views', () => {
  const matrix = [
    [17, 1, 0],
    [5, 12, 1],
    [0, 0, 0],
  ]

  it('row shares add up to 1, or to 0 for an empty row', () => {
    expect(rowShares(matrix)[1]).toEqual([5 / 18, 12 / 18, 1 / 18])
    expect(rowShares(matrix)[2]).toEqual([0, 0, 0])
  })

  it('lists the most confused pairs', () => {
    expect(mostConfusedPairs(matrix, 2)).toEqual([
      { trueClass: 1, predicted: 0, count: 5, share: 5 / 18 },
      { trueClass: 0, predicted: 1, count: 1, share: 1 / 18 },
    ])
    expect(mostConfusedPairs([[3]])).toEqual([])
  })

  it('puts classes with most mistakes first', () => {
    const four = [
      [9, 0, 0, 1],
      [0, 9, 1, 0],
      [0, 0, 10, 0],
      [6, 0, 0, 4],
    ]
    expect(orderClasses(four, 'given')).toEqual([0, 1, 2, 3])
    expect(orderClasses(four, 'confused')).toEqual([0, 3, 1, 2])
    expect(orderClasses(four, 'alike')).toEqual([0, 3, 1, 2])
  })

  it('puts classes that are taken for each other side by side', () => {
    const pairs = [
      [5, 0, 5, 0],
      [0, 5, 0, 4],
      [5, 0, 5, 0],
      [0, 4, 0, 5],
    ]
    expect(orderClasses(pairs, 'alike')).toEqual([0, 2, 1, 3])
  })

  it('every order holds every class once, and reordering keeps the counts', () => {
    fc.assert(
      fc.property(matrices, fc.constantFrom(...classOrders), (any, kind) => {
        const order = orderClasses(any, kind)
        expect([...order].sort((a, b) => a - b)).toEqual(any.map((_, c) => c))
        const moved = reorder(any, order)
        expect(moved.flat().reduce((a, b) => a + b)).toBe(any.flat().reduce((a, b) => a + b))
        order.forEach((c, i) => expect(moved[i]![i]).toBe(any[c]![c]))
      }),
    )
  })
})

describe('compareAnswers', () => {
  const answers = (...predicted: string[]) => predicted.map((each, i) => ({ pictureId: i, predicted: each }))

  it('sorts flips into fixed, broken and changed', () => {
    const flips = compareAnswers({
      before: answers('rose', 'tulip', 'daisy', 'rose', 'rose'),
      after: answers('tulip', 'rose', 'rose', 'rose'),
      truth: () => 'tulip',
    })
    expect(flips).toEqual({
      compared: 4,
      fixed: 1,
      broken: 1,
      changed: 1,
      flips: [
        { pictureId: 1, before: 'tulip', after: 'rose', kind: 'broken' },
        { pictureId: 0, before: 'rose', after: 'tulip', kind: 'fixed' },
        { pictureId: 2, before: 'daisy', after: 'rose', kind: 'changed' },
      ],
    })
  })

  it('compares only pictures both have seen; without a label nothing is fixed or broken', () => {
    const flips = compareAnswers({
      before: [{ pictureId: 7, predicted: 'a' }],
      after: [
        { pictureId: 7, predicted: 'b' },
        { pictureId: 8, predicted: 'b' },
      ],
      truth: () => null,
    })
    expect(flips).toMatchObject({ compared: 1, fixed: 0, broken: 0, changed: 1 })
  })

  it('swapping the runs swaps fixed and broken', () => {
    const names = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 10, maxLength: 10 })
    fc.assert(
      fc.property(names, names, names, (one, two, labels) => {
        const truth = (id: number): string => labels[id]!
        const there = compareAnswers({ before: answers(...one), after: answers(...two), truth })
        const back = compareAnswers({ before: answers(...two), after: answers(...one), truth })
        expect([back.fixed, back.broken, back.changed]).toEqual([there.broken, there.fixed, there.changed])
      }),
    )
  })
})
