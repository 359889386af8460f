import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { StudioEvent } from '#shared/contract/system.ts'
import type { Selection } from '#shared/contract/dataset.ts'
import { isOver } from '#shared/jobs/job.ts'
import { createEventBus } from '#studio/events/event-bus.ts'
import { createJobRunner } from '#studio/jobs/job-runner.ts'
import { createLabellingService } from '#studio/labelling/labelling-service.ts'
import { sliceSizes } from '#studio/labelling/long-action.ts'
import { readRanges, writeRanges } from '#studio/labelling/id-ranges.ts'
import { createOpenProject, createProjectRegistry } from '#studio/projects/open-project.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { createLabelsRepository } from '#studio/storage/labels-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { createTestLooksRepository } from '#studio/storage/test-looks-repository.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { pictureRow } from '../../helpers/picture-rows.ts'

const PICTURES = 30

/** Every action with more than two pictures is long, and done four at a time. */
const tinySizes = { long: 2, slice: 4 }

/** Thirty pictures, labels 1 to 3 on most of them, every fifth in the test. */
function setUp(folder = temporaryFolder(), sizes = sliceSizes) {
  const db = openProjectDatabase(folder)
  const registry = createProjectRegistry()
  const events: StudioEvent[] = []
  const bus = createEventBus((error) => {
    throw error
  })
  bus.subscribe((event) => events.push(event))
  const project = createOpenProject({ projectId: 'p', folder, db, bus })
  registry.add(project)
  const jobs = createJobRunner({
    bus,
    reportError: (error) => {
      throw error
    },
  })
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
  const service = createLabellingService({ registry, jobs, sizes })
  return { project, events, jobs, labels, pictures, state, service }
}

const opened = (folder?: string, sizes = sliceSizes) => {
  const set = setUp(folder, sizes)
  onTestFinished(() => set.project.close())
  return set
}

const codeOf = async (work: () => unknown): Promise<unknown> => {
  try {
    await work()
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
  return null
}

describe('actions', () => {
  test('assigning counts only what changes, says so, and can be taken back', async () => {
    const { service, state, project, events } = opened()
    const before = state()
    const done = await service.assign('p', { ids: [1, 2, 3, 4, 999] }, 2)
    expect(done).toEqual({ changed: 3, revision: 1, step: expect.any(Number) })
    expect(events.at(-1)).toMatchObject({ type: 'changed', revision: 1, what: ['pictures', 'labels'] })
    expect(await service.assign('p', { ids: [2] }, 2)).toEqual({ changed: 0, revision: 1, step: null })
    expect(await service.undo('p')).toEqual({ name: 'assign', changed: 3, revision: 2, step: null })
    expect(state()).toEqual(before)
    expect(project.revision()).toBe(2)
    expect(await codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
    await service.redo('p')
    expect(await codeOf(() => service.redo('p'))).toBe('nothing-to-redo')
  })

  test('undo that names a step takes back that one or nothing', async () => {
    const { service, state } = opened()
    const excluded = await service.exclude('p', { ids: [1, 2] })
    const relabelled = await service.assign('p', { ids: [3] }, 2)
    const both = state()
    expect(await codeOf(() => service.undo('p', excluded.step!))).toBe('not-the-latest')
    expect(state()).toEqual(both)
    expect((await service.undo('p', relabelled.step!)).name).toBe('assign')
    expect((await service.undo('p', excluded.step!)).name).toBe('exclude')
    // It is undone already; a new action in its place is another one, whatever the clock says.
    const clock = vi.spyOn(Date, 'now').mockReturnValue(0)
    onTestFinished(() => clock.mockRestore())
    const later = await service.confirm('p', { ids: [4] })
    expect(later.step).toBeGreaterThan(excluded.step!)
    expect(await codeOf(() => service.undo('p', excluded.step!))).toBe('not-the-latest')
    expect((await service.undo('p', later.step!)).name).toBe('confirm')
    // Done again it is the latest, and can be named again.
    expect((await service.redo('p')).step).toBe(later.step)
    expect((await service.undo('p', later.step!)).name).toBe('confirm')
  })

  test('a view as selection, except some', async () => {
    const { service, pictures } = opened()
    const selection: Selection = { filter: { show: 'active', label: 1 }, except: [1] }
    expect((await service.exclude('p', selection)).changed).toBe(7)
    expect(pictures.find(1)?.excluded).toBe(false)
    expect(pictures.find(5)?.excluded).toBe(true)
    expect((await service.restore('p', { filter: { show: 'excluded' }, except: [] })).changed).toBe(7)
  })

  test('test pictures that are relabelled or excluded are counted, until that is undone', async () => {
    const { service, project } = opened()
    const looks = project.use(createTestLooksRepository)
    await service.assign('p', { ids: [1, 2, 6] }, 3)
    await service.exclude('p', { ids: [1, 11] })
    expect(looks.sums().changed).toBe(3)
    await service.undo('p')
    expect(looks.sums().changed).toBe(2)
    await service.undo('p')
    expect(looks.sums().changed).toBe(0)
  })

  test('a new label takes back "it is right"', async () => {
    const { service, pictures } = opened()
    await service.confirm('p', { ids: [1] })
    expect(pictures.find(1)?.confirmed).toBe(true)
    await service.assign('p', { ids: [1] }, 3)
    expect(pictures.find(1)?.confirmed).toBe(false)
    await service.undo('p')
    expect(pictures.find(1)?.confirmed).toBe(true)
  })

  test('labels: made, renamed, coloured, merged, ordered, removed', async () => {
    const { service, labels, pictures } = opened()
    const { labelId } = await service.createLabel('p', '  Lily ')
    expect(labels.find(labelId)).toEqual({ id: labelId, name: 'Lily', colour: 3, position: 3 })
    expect(await codeOf(() => service.createLabel('p', 'LILY'))).toBe('name-taken')
    expect(await codeOf(() => service.renameLabel('p', labelId, 'daisy'))).toBe('name-taken')
    await service.renameLabel('p', labelId, 'lily')
    await service.recolourLabel('p', labelId, 9)
    await service.reorderLabels('p', [labelId, 3, 1, 2])
    expect(labels.all().map((label) => [label.name, label.colour])).toEqual([
      ['lily', 9],
      ['tulip', 2],
      ['daisy', 0],
      ['rose', 1],
    ])
    expect((await service.mergeLabels('p', 1, labelId)).changed).toBe(8)
    expect(labels.find(1)).toBeUndefined()
    expect(pictures.find(1)?.labelId).toBe(labelId)
    expect((await service.removeLabel('p', labelId)).changed).toBe(8)
    expect(pictures.find(1)?.labelId).toBeNull()
    await service.undo('p')
    await service.undo('p')
    expect(pictures.find(1)?.labelId).toBe(1)
    expect(await codeOf(() => service.mergeLabels('p', 1, 1))).toBe('bad-request')
    expect(await codeOf(() => service.assign('p', { ids: [1] }, 77))).toBe('not-found')
  })

  test('the id of an undone label is not given to another one', async () => {
    const { service } = opened()
    const first = await service.createLabel('p', 'lily')
    await service.undo('p')
    expect((await service.createLabel('p', 'orchid')).labelId).not.toBe(first.labelId)
  })

  test('undo works around what an import did in between', async () => {
    const { service, labels, pictures, state } = opened()
    const { labelId } = await service.createLabel('p', 'lily')
    const id = pictures.insert(pictureRow(500, { labelId }))
    await service.undo('p')
    expect(pictures.find(id)?.labelId).toBeNull()
    await service.redo('p')
    expect(pictures.find(id)?.labelId).toBe(labelId)

    await service.removeLabel('p', 2)
    labels.insert({ name: 'Rose', colour: 5, position: 9 })
    const after = state()
    await service.undo('p')
    expect(labels.find(2)?.name).toBe('rose (2)')
    await service.redo('p')
    expect(state()).toEqual(after)
  })

  test('the last hundred are kept, also when the project is closed and opened again', async () => {
    const folder = temporaryFolder()
    const first = setUp(folder)
    for (let index = 0; index < 105; index++) await first.service.assign('p', { ids: [1] }, (index % 2) + 2)
    const after = first.state()
    first.project.close()
    const { service, state } = opened(folder)
    for (let index = 0; index < 100; index++) await service.undo('p')
    expect(await codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
    for (let index = 0; index < 100; index++) await service.redo('p')
    expect(state()).toEqual(after)
  })
})

describe('actions on very many pictures', () => {
  const all: Selection = { filter: { show: 'active' }, except: [] }
  const jobsOf = (events: readonly StudioEvent[]) =>
    events.flatMap((event) => (event.type === 'job' ? [event.job] : []))

  test('are a job with progress, change everything before they resolve, and are one step to undo', async () => {
    const { service, state, events, project } = opened(undefined, tinySizes)
    const before = state()
    expect(await service.assign('p', all, 2)).toMatchObject({ changed: 22, revision: 1 })
    expect(state().pictures.every(([, labelId]) => labelId === 2)).toBe(true)
    const jobs = jobsOf(events)
    expect(jobs.at(-1)).toMatchObject({ kind: 'label', state: 'done', done: 22, total: 22 })
    expect(events.at(-1)).toMatchObject({ type: 'job' })
    expect(events.filter(({ type }) => type === 'changed')).toHaveLength(1)
    expect(await service.undo('p')).toMatchObject({ name: 'assign', changed: 22, revision: 2 })
    expect(state()).toEqual(before)
    expect(project.revision()).toBe(2)
    expect(await codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
  })

  test('let others work in between; what comes after waits', async () => {
    const { service, state, pictures } = opened(undefined, tinySizes)
    const order: string[] = []
    const long = service.assign('p', all, 3).then(() => order.push('long'))
    const done = (): number => state().pictures.filter(([, labelId]) => labelId === 3).length
    const before = done()
    while (done() === before) await new Promise((next) => setImmediate(next))
    expect(done()).toBeLessThan(PICTURES)
    const second = service.assign('p', { ids: [1] }, 1).then(() => order.push('second'))
    const undone = service.undo('p').then(() => order.push('undo'))
    const settled = service.settled('p').then(() => order.push('settled'))
    await Promise.all([long, second, undone, settled])
    expect(order[0]).toBe('long')
    expect(order).toHaveLength(4)
    expect(pictures.find(1)?.labelId).toBe(3)
  })

  test('stopped, everything is as it was before', async () => {
    const { service, state, jobs } = opened(undefined, tinySizes)
    await service.createLabel('p', 'lily')
    await service.undo('p')
    const before = state()
    const merging = service.mergeLabels('p', 1, 2)
    const [job] = jobs.list('p')
    expect(job).toMatchObject({ kind: 'label' })
    expect(isOver(job!)).toBe(false)
    await new Promise((next) => setImmediate(next))
    jobs.cancel(job!.id)
    expect((await merging).changed).toBe(0)
    expect(state()).toEqual(before)
    expect(jobs.get(job!.id).state).toBe('cancelled')
    // It never happened: what could be redone still can.
    expect(await service.redo('p')).toMatchObject({ name: 'label-create' })
  })

  test.each(['merge', 'undo of a merge'])(
    'cut off by the end of the studio (%s), it is finished when the project is opened again',
    async (what) => {
      const folder = temporaryFolder()
      const first = setUp(folder, tinySizes)
      const before = first.state()
      if (what !== 'merge') await first.service.mergeLabels('p', 1, 2)
      const merged = what === 'merge' ? first.service.mergeLabels('p', 1, 2) : first.service.undo('p')
      await new Promise((next) => setImmediate(next))
      await first.jobs.stopAll()
      expect((await merged).changed).toBe(0)
      const midway = first.state()
      first.project.close()

      const { service, state, project } = opened(folder, tinySizes)
      expect(state()).toEqual(midway)
      service.resume(project)
      await service.settled('p')
      if (what === 'merge') {
        expect(state().labels.map(({ id }) => id)).toEqual([2, 3])
        expect(state().pictures.filter(([, labelId]) => labelId === 2)).toHaveLength(16)
        await service.undo('p')
      }
      expect(state()).toEqual(before)
      expect(await codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
      expect(await service.redo('p')).toMatchObject({ name: 'label-merge', changed: 8 })
    },
  )
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

test.each([
  ['in one piece', sliceSizes],
  ['in slices', tinySizes],
])('any sequence of actions, %s: undoing all gives the beginning, redoing all the end', async (_, sizes) => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
      const folder = temporaryFolder()
      const { service, state, project } = setUp(folder, sizes)
      try {
        const states = [state()]
        for (const each of actions) {
          const code = await codeOf(() => {
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
          await service.undo('p')
          expect(state()).toEqual(wanted)
        }
        expect(await codeOf(() => service.undo('p'))).toBe('nothing-to-undo')
        for (const wanted of states.slice(1)) {
          await service.redo('p')
          expect(state()).toEqual(wanted)
        }
        expect(await codeOf(() => service.redo('p'))).toBe('nothing-to-redo')
      } finally {
        project.close()
      }
    }),
    { numRuns: 25 },
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
