import type { PictureFilter, Selection } from '#shared/contract/dataset.ts'

/** What is selected: some pictures, or all of a view except some. 100,000 selected pictures need no list. */
export type Chosen =
  | { kind: 'some'; ids: ReadonlySet<number> }
  | { kind: 'all'; filter: PictureFilter; except: ReadonlySet<number> }

export const nothing: Chosen = { kind: 'some', ids: new Set() }

export const some = (ids: Iterable<number>): Chosen => ({ kind: 'some', ids: new Set(ids) })
export const all = (filter: PictureFilter): Chosen => ({ kind: 'all', filter, except: new Set() })

export const has = (chosen: Chosen, id: number): boolean =>
  chosen.kind === 'some' ? chosen.ids.has(id) : !chosen.except.has(id)

/** @param total pictures in the view the selection was made in */
export const sizeOf = (chosen: Chosen, total: number): number =>
  chosen.kind === 'some' ? chosen.ids.size : Math.max(0, total - chosen.except.size)

function without<T>(set: ReadonlySet<T>, item: T): Set<T> {
  const next = new Set(set)
  next.delete(item)
  return next
}

export function toggle(chosen: Chosen, id: number): Chosen {
  if (chosen.kind === 'some') {
    return { kind: 'some', ids: chosen.ids.has(id) ? without(chosen.ids, id) : new Set([...chosen.ids, id]) }
  }
  const except = chosen.except.has(id) ? without(chosen.except, id) : new Set([...chosen.except, id])
  return { ...chosen, except }
}

export function add(chosen: Chosen, ids: Iterable<number>): Chosen {
  if (chosen.kind === 'some') return { kind: 'some', ids: new Set([...chosen.ids, ...ids]) }
  const except = new Set(chosen.except)
  for (const id of ids) except.delete(id)
  return { ...chosen, except }
}

/** For calls. Null when nothing is selected. @param total pictures in the view */
export function toCall(chosen: Chosen, total: number): Selection | null {
  if (sizeOf(chosen, total) === 0) return null
  return chosen.kind === 'some'
    ? { ids: [...chosen.ids] }
    : { filter: chosen.filter, except: [...chosen.except] }
}
