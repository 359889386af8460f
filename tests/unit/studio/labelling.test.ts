import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { StudioEvent } from '#shared/contract/system.ts'
import type { Selection } from '#shared/contract/dataset.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createLabellingService } from '#studio/labelling/labelling-service.ts'
import { readRanges, writeRanges } from '#studio/labelling/id-ranges.ts'
import { createOpenProject, createProjectRegistry } from '#studio/projects/open-project.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { createLabelsRepository } from '#studio/storage/labels-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { createTestLooksRepository } from '#studio/storage/test-looks-repository.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { pictureRow } from '../../helpers/picture-rows.ts'

const PICTURES = 30

/** Thirty pictures, labels 1 to 3 on most of them, every fifth in the test. */
function setUp(folder = temporaryFolder()) {
  const db = openProjectDatabase(folder)
  const registry = createProjectRegistry()
  const events: StudioEvent[] = []
  const bus = createEventBus((error) => {
    throw error
  })
  bus.subscribe((event) => events.push(event))
  const project = createOpenProject({ projectId: 'p', folder, db, bus })
  registry.add(project)
  const labels = project.use(createLabelsRepository)
  const pictures = project.use(createPicturesRepository)
  if (labels.all().length === 0) {
    for (const [position, name] of ['daisy', 'rose', 'tulip'].entries())
      labels.insert({ name, colour: position, position })
    for (let index = 0; index < PICTURES; index++)
      pictures.insert(pictureRow(index, { labelId: index % 4 === 3 ? null : (index % 4) + 1 }))
    pictures.setSplits(
      Array.from({ length: PICTURES }, (_, index) => ({
        id: index + 1,
        split: index % 5 === 0 ? ('test' as const) : ('train' as const),
      })),
    )
  }
  const state = () => ({
    labels: labels.all(),
    pictures: pictures
      .list(Array.from({ length: PICTURES }, (_, index) => index + 1))
      .map(({ id, labelId, excluded, confirmed }) => [id, labelId, excluded, confirmed]),
    looks: project.use(createTestLooksRepository).all(),
  })
  return { project, events, labels, pictures, state, service: createLabellingService({ registry }) }
}

const opened = (folder?: string) => {
  const set = setUp(folder)
  onTestFinished(() => set.project.close())
  return set
}

const codeOf = (work: () => unknown): unknown => {
  try {
    work()
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
  return null
}

describe('actions', () => {
  test('assigning counts only what changes, says so, and can be taken back', () => {
    const { service, state, project, events } = opened()
    const before = state()
    const done = service.assign('p', { ids: [1, 2, 3, 4, 999] }, 2)
    expect(done).toEqual({ changed: 3, revision: 1 })
    expect(events.at(-1)).toMatchObject({ type: 'changed', revision: 1, what: ['pictures', 'labels'] })
    expect(service.assign('p', { ids: [2] }, 2)).toEqual({ changed: 0, revision: 1 })
    expect(service.undo('p')).toEqual({ name: 'assign', changed: 3, revision: 2 })
    expect(state()).toEqual(before)
    expect(project.revision()).toBe(2)
    expect(codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
    service.redo('p')
    expect(codeOf(() => service.redo('p'))).toBe('nothing-to-redo')
  })

  test('a view as selection, except some', () => {
    const { service, pictures } = opened()
    const selection: Selection = { filter: { show: 'active', label: 1 }, except: [1] }
    expect(service.exclude('p', selection).changed).toBe(7)
    expect(pictures.find(1)?.excluded).toBe(false)
    expect(pictures.find(5)?.excluded).toBe(true)
    expect(service.restore('p', { filter: { show: 'excluded' }, except: [] }).changed).toBe(7)
  })

  test('test pictures that are relabelled or excluded are counted, until that is undone', () => {
    const { service, project } = opened()
    const looks = project.use(createTestLooksRepository)
    service.assign('p', { ids: [1, 2, 6] }, 3)
    service.exclude('p', { ids: [1, 11] })
    expect(looks.sums().changed).toBe(3)
    service.undo('p')
    expect(looks.sums().changed).toBe(2)
    service.undo('p')
    expect(looks.sums().changed).toBe(0)
  })

  test('a new label takes back "it is right"', () => {
    const { service, pictures } = opened()
    service.confirm('p', { ids: [1] })
    expect(pictures.find(1)?.confirmed).toBe(true)
    service.assign('p', { ids: [1] }, 3)
    expect(pictures.find(1)?.confirmed).toBe(false)
    service.undo('p')
    expect(pictures.find(1)?.confirmed).toBe(true)
  })

  test('labels: made, renamed, coloured, merged, ordered, removed', () => {
    const { service, labels, pictures } = opened()
    const { labelId } = service.createLabel('p', '  Lily ')
    expect(labels.find(labelId)).toEqual({ id: labelId, name: 'Lily', colour: 3, position: 3 })
    expect(codeOf(() => service.createLabel('p', 'LILY'))).toBe('name-taken')
    expect(codeOf(() => service.renameLabel('p', labelId, 'daisy'))).toBe('name-taken')
    service.renameLabel('p', labelId, 'lily')
    service.recolourLabel('p', labelId, 9)
    service.reorderLabels('p', [labelId, 3, 1, 2])
    expect(labels.all().map((label) => [label.name, label.colour])).toEqual([
      ['lily', 9],
      ['tulip', 2],
      ['daisy', 0],
      ['rose', 1],
    ])
    expect(service.mergeLabels('p', 1, labelId).changed).toBe(8)
    expect(labels.find(1)).toBeUndefined()
    expect(pictures.find(1)?.labelId).toBe(labelId)
    expect(service.removeLabel('p', labelId).changed).toBe(8)
    expect(pictures.find(1)?.labelId).toBeNull()
    service.undo('p')
    service.undo('p')
    expect(pictures.find(1)?.labelId).toBe(1)
    expect(codeOf(() => service.mergeLabels('p', 1, 1))).toBe('bad-request')
    expect(codeOf(() => service.assign('p', { ids: [1] }, 77))).toBe('not-found')
  })

  test('the id of an undone label is not given to another one', () => {
    const { service } = opened()
    const first = service.createLabel('p', 'lily')
    service.undo('p')
    expect(service.createLabel('p', 'orchid').labelId).not.toBe(first.labelId)
  })

  test('undo works around what an import did in between', () => {
    const { service, labels, pictures, state } = opened()
    const { labelId } = service.createLabel('p', 'lily')
    const id = pictures.insert(pictureRow(500, { labelId }))
    service.undo('p')
    expect(pictures.find(id)?.labelId).toBeNull()
    service.redo('p')
    expect(pictures.find(id)?.labelId).toBe(labelId)

    service.removeLabel('p', 2)
    labels.insert({ name: 'Rose', colour: 5, position: 9 })
    const after = state()
    service.undo('p')
    expect(labels.find(2)?.name).toBe('rose (2)')
    service.redo('p')
    expect(state()).toEqual(after)
  })

  test('the last hundred are kept, also when the project is closed and opened again', () => {
    const folder = temporaryFolder()
    const first = setUp(folder)
    for (let index = 0; index < 105; index++) first.service.assign('p', { ids: [1] }, (index % 2) + 2)
    const after = first.state()
    first.project.close()
    const { service, state } = opened(folder)
    for (let index = 0; index < 100; index++) service.undo('p')
    expect(codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
    for (let index = 0; index < 100; index++) service.redo('p')
    expect(state()).toEqual(after)
  })
})

const ids = fc.uniqueArray(fc.integer({ min: 1, max: PICTURES + 2 }), { maxLength: 12 })
const selection: fc.Arbitrary<Selection> = fc.oneof(
  ids.map((chosen) => ({ ids: chosen })),
  fc.record({
    except: ids,
    filter: fc.record(
      {
        show: fc.constantFrom('active' as const, 'excluded' as const, 'all' as const),
        label: fc.oneof(fc.integer({ min: 1, max: 6 }), fc.constant('none' as const)),
        split: fc.constantFrom('train' as const, 'test' as const),
      },
      { requiredKeys: ['show'] },
    ),
  }),
)
const label = fc.integer({ min: 1, max: 7 })
const action = fc.oneof(
  fc.record({ do: fc.constant('assign' as const), selection, to: fc.option(label) }),
  fc.record({ do: fc.constantFrom('exclude' as const, 'restore' as const, 'confirm' as const), selection }),
  fc.record({ do: fc.constant('create' as const), name: fc.constantFrom('a', 'b', 'Ä', 'rose') }),
  fc.record({ do: fc.constant('rename' as const), label, name: fc.constantFrom('x', 'X', 'daisy') }),
  fc.record({ do: fc.constant('recolour' as const), label, colour: fc.nat(5) }),
  fc.record({ do: fc.constant('merge' as const), label, into: label }),
  fc.record({ do: fc.constant('remove' as const), label }),
  fc.record({ do: fc.constant('reorder' as const), order: fc.shuffledSubarray([1, 2, 3, 4, 5]) }),
)

test('any sequence of actions: undoing all gives the beginning, redoing all the end', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
      const folder = temporaryFolder()
      const { service, state, project } = setUp(folder)
      try {
        const states = [state()]
        for (const each of actions) {
          const code = codeOf(() => {
            if (each.do === 'assign') return service.assign('p', each.selection, each.to)
            if (each.do === 'create') return service.createLabel('p', each.name)
            if (each.do === 'rename') return service.renameLabel('p', each.label, each.name)
            if (each.do === 'recolour') return service.recolourLabel('p', each.label, each.colour)
            if (each.do === 'merge') return service.mergeLabels('p', each.label, each.into)
            if (each.do === 'remove') return service.removeLabel('p', each.label)
            if (each.do === 'reorder') return service.reorderLabels('p', each.order)
            return service[each.do]('p', each.selection)
          })
          expect([null, 'not-found', 'name-taken', 'bad-request']).toContain(code)
          const now = state()
          if (JSON.stringify(now) !== JSON.stringify(states.at(-1))) states.push(now)
        }
        for (const wanted of states.slice(0, -1).toReversed()) {
          service.undo('p')
          expect(state()).toEqual(wanted)
        }
        expect(codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
        for (const wanted of states.slice(1)) {
          service.redo('p')
          expect(state()).toEqual(wanted)
        }
        expect(codeOf(() => service.redo('p'))).toBe('nothing-to-redo')
      } finally {
        project.close()
      }
    }),
    { numRuns: 40 },
  )
})

test('ranges of ids come back as they were written', () => {
  const ascending = fc.uniqueArray(fc.nat(300)).map((all) => all.toSorted((a, b) => a - b))
  fc.assert(
    fc.property(ascending, (all) => {
      expect(readRanges(writeRanges(all))).toEqual(all)
    }),
  )
  expect(writeRanges([1, 2, 3, 7, 9, 10])).toBe('1-3,7,9-10')
  expect(() => readRanges('1-3;DROP')).toThrow(RangeError)
})
