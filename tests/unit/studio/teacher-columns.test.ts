import { describe, expect, it } from 'vitest'
import { teacherColumns } from '#studio/training/teacher.ts'

const classes = (...pairs: [labelId: number, name: string][]) =>
  pairs.map(([labelId, name]) => ({ labelId, name }))

describe('what a teacher says of labels', () => {
  const taught = classes([1, 'leaf'], [2, 'shell'], [3, 'fern'])

  it('follows the label, not its name', () => {
    expect(teacherColumns(taught, classes([2, 'leaf'], [1, 'shell'], [3, 'ferns']))).toEqual([1, 0, 2])
  })
  it('goes by the name of a label that was deleted and made again', () => {
    expect(teacherColumns(taught, classes([1, 'leaf'], [9, 'shell']))).toEqual([0, 1])
  })
  it('is nothing for a label that came later, even under the old name of another', () => {
    expect(teacherColumns(taught, classes([1, 'leaves'], [7, 'leaf'], [2, 'shell']))).toEqual([0, null, 1])
  })
})
