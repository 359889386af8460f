import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { labelRules } from '#shared/contract/projects.ts'
import { findLayout, placePicture, planFolders, splitOfFolder } from '#shared/domain/folder-labels.ts'

const labelsOf = (paths: string[], rule: (typeof labelRules)[number]) =>
  paths.map((path) => placePicture(path, rule, findLayout(paths)).label)
const splitsOf = (paths: string[]) =>
  paths.map((path) => placePicture(path, 'parent', findLayout(paths)).split)

describe('labels from folders', () => {
  it('the folder that holds the picture names its label; loose pictures have none', () => {
    const plan = planFolders(['daisy/1.jpg', 'daisy/2.jpg', 'roses/1.jpg', 'loose.jpg'], 'garden')
    expect(plan).toMatchObject({
      pictures: 4,
      depth: 1,
      splitFolders: null,
      recommended: 'parent',
      treeTruncated: false,
    })
    expect(plan.rules).toEqual([
      {
        rule: 'parent',
        labels: [
          { name: 'daisy', pictures: 2 },
          { name: 'roses', pictures: 1 },
        ],
        unlabelled: 1,
      },
      { rule: 'none', labels: [], unlabelled: 4 },
    ])
    expect(plan.tree).toEqual([
      { path: '', name: 'garden', depth: 0, pictures: 1 },
      { path: 'daisy', name: 'daisy', depth: 1, pictures: 2 },
      { path: 'roses', name: 'roses', depth: 1, pictures: 1 },
    ])
  })

  it('nested levels give a choice of first, last and path', () => {
    const paths = ['birds/owl/1.jpg', 'birds/kestrel/1.jpg', 'fish/pike/1.jpg']
    expect(labelsOf(paths, 'first')).toEqual(['birds', 'birds', 'fish'])
    expect(labelsOf(paths, 'last')).toEqual(['owl', 'kestrel', 'pike'])
    expect(labelsOf(paths, 'path')).toEqual(['birds / owl', 'birds / kestrel', 'fish / pike'])
    expect(labelsOf(paths, 'none')).toEqual([null, null, null])
    expect(planFolders(paths).rules.map(({ rule }) => rule)).toEqual(['parent', 'first', 'path', 'none'])
  })

  it('recommends the first level when the folders that hold the pictures are one per thing', () => {
    const paths = ['sick', 'well'].flatMap((state) =>
      Array.from({ length: 10 }, (_, i) => `${state}/patient ${i + (state === 'sick' ? 100 : 0)}/scan.jpg`),
    )
    expect(planFolders(paths).recommended).toBe('first')
  })

  it('leaves out a folder around everything', () => {
    expect(labelsOf(['data/a/1.jpg', 'data/b/1.jpg'], 'path')).toEqual(['a', 'b'])
    expect(labelsOf(['data/a/1.jpg', 'data/1.jpg'], 'path')).toEqual(['a', null])
    expect(labelsOf(['data/a/1.jpg', 'data/a/b/1.jpg'], 'parent')).toEqual(['a', 'b'])
    expect(labelsOf(['cats/1.jpg', 'cats/2.jpg'], 'first')).toEqual(['cats', 'cats'])
  })

  it('takes folders that differ in capitals for one label, and sorts 2 before 10', () => {
    const plan = planFolders(['10/a.jpg', '2/a.jpg', 'Cat/1.jpg', 'cat/2.jpg'])
    expect(plan.rules[0]!.labels).toEqual([
      { name: '2', pictures: 1 },
      { name: '10', pictures: 1 },
      { name: 'Cat', pictures: 2 },
    ])
  })

  it('a label may be called like a member of every object', () => {
    expect(labelsOf(['constructor/1.jpg', '__proto__/1.jpg'], 'parent')).toEqual(['constructor', '__proto__'])
    expect(splitOfFolder('constructor')).toBeNull()
  })
})

describe('train, val and test folders', () => {
  it('are found as the first level, in any capitals and spelling', () => {
    const paths = ['Train/cat/1.jpg', 'Validation/cat/2.jpg', 'TEST/dog/3.jpg']
    expect(findLayout(paths)).toEqual({ wrapper: 0, splitLevel: 'first' })
    expect(splitsOf(paths)).toEqual(['train', 'val', 'test'])
    expect(labelsOf(paths, 'parent')).toEqual(['cat', 'cat', 'dog'])
    expect(planFolders(paths).splitFolders).toEqual({ train: 1, val: 1, test: 1 })
  })

  it('are found as the last level and inside a wrapper', () => {
    expect(splitsOf(['cat/train/1.jpg', 'cat/test/2.jpg', 'dog/train/3.jpg'])).toEqual([
      'train',
      'test',
      'train',
    ])
    expect(labelsOf(['cat/train/1.jpg', 'cat/test/2.jpg', 'dog/train/3.jpg'], 'parent')).toEqual([
      'cat',
      'cat',
      'dog',
    ])
    expect(findLayout(['set/train/a/1.jpg', 'set/valid/a/2.jpg'])).toEqual({
      wrapper: 1,
      splitLevel: 'first',
    })
  })

  it('pictures directly in split folders have a split but no label', () => {
    const paths = ['train/1.jpg', 'test/2.jpg']
    expect(splitsOf(paths)).toEqual(['train', 'test'])
    expect(labelsOf(paths, 'parent')).toEqual([null, null])
    expect(planFolders(paths).recommended).toBe('none')
  })

  it('are labels when they cannot be a split', () => {
    expect(labelsOf(['train/1.jpg', 'bus/2.jpg', 'car/3.jpg'], 'parent')).toEqual(['train', 'bus', 'car'])
    expect(splitsOf(['train/cat/1.jpg', 'train/dog/2.jpg'])).toEqual([null, null])
  })

  it('tolerate loose pictures beside them', () => {
    expect(splitsOf(['train/a/1.jpg', 'test/a/2.jpg', 'note.jpg'])).toEqual(['train', 'test', null])
  })

  it.each([
    ['train', 'train'],
    ['Training_Set', 'train'],
    ['val', 'val'],
    ['VALID', 'val'],
    ['dev', 'val'],
    ['test-images', 'test'],
    ['trainers', null],
    ['contest', null],
  ])('%s means %s', (name, side) => expect(splitOfFolder(name)).toBe(side))
})

it('every picture is counted once under every rule, and the tree holds them all', () => {
  const folder = fc.constantFrom('a', 'b', 'C', 'train', 'test', 'val', ' ')
  const paths = fc.array(
    fc.array(folder, { maxLength: 4 }).map((folders) => [...folders, 'x.jpg'].join('/')),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(paths, (all) => {
      const plan = planFolders(all)
      for (const { labels, unlabelled } of plan.rules)
        expect(labels.reduce((sum, { pictures }) => sum + pictures, unlabelled)).toBe(all.length)
      expect(plan.tree.reduce((sum, { pictures }) => sum + pictures, 0)).toBe(all.length)
      expect(plan.rules[0]!.rule).toBe(plan.recommended)
    }),
  )
})
