import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  add,
  all,
  has,
  nothing,
  sizeOf,
  some,
  toCall,
  toggle,
} from '../../renderer/features/dataset/selection.ts'
import { RowPages } from '../../renderer/features/dataset/composables/row-pages.ts'
import type { PictureRow } from '#shared/contract/dataset.ts'

const row = (id: number): PictureRow => ({
  id,
  name: `${id}.jpg`,
  labelId: null,
  split: null,
  excluded: false,
  findings: [],
  modelSays: null,
})
const ids = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 })

describe('a selection', () => {
  test('toggling twice changes nothing, whatever is selected', () => {
    fc.assert(
      fc.property(ids, fc.boolean(), fc.integer({ min: 0, max: 50 }), (chosen, everything, id) => {
        const start = everything ? chosen.reduce(toggle, all({ show: 'active' })) : some(chosen)
        const once = toggle(start, id)
        expect(has(once, id)).toBe(!has(start, id))
        const twice = toggle(once, id)
        for (let other = 0; other <= 50; other++) expect(has(twice, other)).toBe(has(start, other))
      }),
    )
  })

  test('what is added is selected, and nothing is lost', () => {
    fc.assert(
      fc.property(ids, ids, fc.boolean(), (before, more, everything) => {
        const start = everything ? before.reduce(toggle, all({ show: 'active' })) : some(before)
        const after = add(start, more)
        for (const id of more) expect(has(after, id)).toBe(true)
        for (let id = 0; id <= 50; id++) if (has(start, id)) expect(has(after, id)).toBe(true)
      }),
    )
  })

  test('all of a view needs no list of its pictures', () => {
    const chosen = toggle(all({ show: 'active', label: 3 }), 7)
    expect(sizeOf(chosen, 100_000)).toBe(99_999)
    expect(toCall(chosen, 100_000)).toEqual({ filter: { show: 'active', label: 3 }, except: [7] })
  })

  test('nothing selected is no call', () => {
    expect(toCall(nothing, 10)).toBeNull()
    expect(toCall(toggle(all({ show: 'active' }), 1), 1)).toBeNull()
  })
})

describe('pages of rows', () => {
  const filled = (mostPages: number): RowPages => {
    const pages = new RowPages(10, mostPages)
    for (let page = 0; page < mostPages; page++)
      pages.put(
        page,
        Array.from({ length: 10 }, (_, i) => row(page * 10 + i)),
        pages.currentGeneration,
      )
    return pages
  }

  test('answers by position and never holds more than it may', () => {
    const pages = filled(3)
    expect(pages.at(25)?.id).toBe(25)
    pages.put(9, [row(90)], pages.currentGeneration)
    expect(pages.at(90)?.id).toBe(90)
    expect(pages.at(0)).toBeUndefined()
    expect(pages.at(10)?.id).toBe(10)
  })

  test('what is looked at stays, what is not goes first', () => {
    const pages = filled(3)
    expect(pages.nextToFetch(0, 10)).toBeNull()
    pages.put(5, [row(50)], pages.currentGeneration)
    expect(pages.at(0)?.id).toBe(0)
    expect(pages.at(10)).toBeUndefined()
  })

  test('stale rows stay visible and are fetched again', () => {
    const pages = filled(2)
    pages.markStale()
    expect(pages.at(3)?.id).toBe(3)
    expect(pages.nextToFetch(0, 20)).toBe(0)
    pages.put(0, [row(100)], pages.currentGeneration)
    expect(pages.nextToFetch(0, 20)).toBe(1)
    // Asked for before the newest change: as stale as what it replaces.
    const before = pages.currentGeneration
    pages.markStale()
    pages.put(1, [row(101)], before)
    expect(pages.nextToFetch(10, 20)).toBe(1)
  })

  test('finds a picture again after positions have moved', () => {
    const pages = filled(3)
    expect(pages.find(12, 12)).toBe(12)
    expect(pages.find(25, 3)).toBe(25)
    expect(pages.find(999, 3)).toBe(-1)
  })

  test('a change is shown before the studio confirms it', () => {
    const pages = filled(1)
    pages.patch((each) => (each.id === 4 ? { ...each, labelId: 2 } : each))
    expect(pages.at(4)?.labelId).toBe(2)
    expect(pages.at(5)?.labelId).toBeNull()
  })
})
