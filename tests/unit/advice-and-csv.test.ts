import { describe, expect, it } from 'vitest'
import { adviseMorePictures } from '#shared/domain/advice.ts'
import { toCsv } from '#shared/util/csv.ts'

describe('advice', () => {
  const classes = ['rose', 'tulip', 'daisy']
  it('names the class that is missed most, cautiously counted', () => {
    const confusion = [
      [70, 30, 0],
      [2, 1, 0],
      [0, 1, 99],
    ]
    expect(adviseMorePictures({ classes, confusion, training: [60, 10, 60] })).toEqual({
      classIndex: 0,
      pictures: 60,
      words: '“rose” is recognised in about 7 of 10 pictures. About 60 more pictures of it should help most.',
    })
  })
  it('asks for at least ten, and at most two hundred', () => {
    const confusion = [
      [1, 9],
      [0, 10],
    ]
    expect(adviseMorePictures({ classes, confusion, training: [3, 3] })?.pictures).toBe(10)
    expect(adviseMorePictures({ classes, confusion, training: [900, 900] })?.pictures).toBe(200)
    expect(
      adviseMorePictures({
        classes,
        confusion: [
          [0, 9],
          [0, 9],
        ],
        training: [3, 40],
      })?.words,
    ).toContain('hardly any')
  })
  it('does not build on a single mistake', () => {
    const confusion = [
      [8, 1],
      [0, 9],
    ]
    expect(adviseMorePictures({ classes, confusion, training: [40, 40] })).toBeNull()
  })
  it('is silent when all goes well or nothing is known', () => {
    expect(
      adviseMorePictures({
        classes,
        confusion: [
          [50, 1],
          [0, 50],
        ],
        training: [50, 50],
      }),
    ).toBeNull()
    expect(
      adviseMorePictures({
        classes,
        confusion: [
          [0, 0],
          [0, 0],
        ],
        training: [0, 0],
      }),
    ).toBeNull()
  })
})

describe('CSV', () => {
  it('quotes as RFC 4180 says', () => {
    expect(
      toCsv([
        ['a', 'b,c', 'd "e"'],
        ['line\nbreak', 1.5, null],
      ]),
    ).toBe('\uFEFFa,"b,c","d ""e"""\r\n"line\nbreak",1.5,\r\n')
  })
  it('lets no spreadsheet run a file name', () => {
    for (const text of ['=1+1', '+1', '-1', '@x', '\tx']) expect(toCsv([[text]])).toContain(`'${text}`)
    expect(toCsv([[-1]])).toBe('\uFEFF-1\r\n')
    expect(toCsv([['\rx']])).toBe('\uFEFF"\'\rx"\r\n')
  })
})
