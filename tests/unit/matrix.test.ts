import { describe, expect, it } from 'vitest'
import { cellsOf, lineOf, tintOf, walk } from '../../renderer/features/evaluate/matrix.ts'

const matrix = [
  [8, 2, 0],
  [0, 5, 0],
  [1, 0, 3],
]

describe('the cells of a confusion matrix', () => {
  it('hold only places with pictures, with their share of the row, in the order asked for', () => {
    expect(cellsOf(matrix, [2, 0, 1])).toEqual([
      { row: 0, column: 0, count: 3, share: 0.75 },
      { row: 0, column: 1, count: 1, share: 0.25 },
      { row: 1, column: 1, count: 8, share: 0.8 },
      { row: 1, column: 2, count: 2, share: 0.2 },
      { row: 2, column: 2, count: 5, share: 1 },
    ])
  })
  it('add up to rows and columns', () => {
    const cells = cellsOf(matrix, [2, 0, 1])
    expect(lineOf(cells, { row: 1, column: null })).toEqual({ count: 10, right: 8 })
    expect(lineOf(cells, { row: null, column: 2 })).toEqual({ count: 7, right: 5 })
  })
  it('are tinted so that figures stay readable: never between 0.6 and 0.85', () => {
    for (let share = 0; share <= 1; share += 0.01) {
      for (const column of [0, 1]) {
        const tint = tintOf({ row: 0, column, count: 1, share })
        expect(tint).toBeLessThanOrEqual(1)
        expect(tint <= 0.6 || tint >= 0.85).toBe(true)
      }
    }
  })
})

describe('walking the matrix by keys', () => {
  const cells = cellsOf(matrix, [0, 1, 2])
  const at = (row: number, column: number) => ({ row, column })

  it('stays inside', () => {
    expect(walk(at(0, 0), 'ArrowUp', 3, cells)).toEqual(at(0, 0))
    expect(walk(at(0, 0), 'ArrowRight', 3, cells)).toEqual(at(0, 1))
    expect(walk(at(1, 1), 'PageDown', 3, cells)).toEqual(at(2, 1))
    expect(walk(at(1, 0), 'End', 3, cells)).toEqual(at(1, 2))
  })
  it('goes from mistake to mistake and stays at the last', () => {
    expect(walk(at(0, 0), 'n', 3, cells)).toEqual(at(0, 1))
    expect(walk(at(0, 1), 'n', 3, cells)).toEqual(at(2, 0))
    expect(walk(at(2, 0), 'n', 3, cells)).toEqual(at(2, 0))
    expect(walk(at(2, 2), 'p', 3, cells)).toEqual(at(2, 0))
  })
  it('leaves other keys alone', () => {
    expect(walk(at(0, 0), 'q', 3, cells)).toBeNull()
  })
})
