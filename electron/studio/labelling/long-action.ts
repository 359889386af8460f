import { z } from 'zod'
import type { ProjectRepository } from '../storage/project-repository.ts'
import { applyOne, changesSchema, setBack } from './changes.ts'
import type { Change, ChangeTarget } from './changes.ts'
import { readRanges } from './id-ranges.ts'

/**
 * An action on very many pictures. Rewriting the indexes of 100,000 rows takes seconds, in which a database that is
 * asked in one piece answers nobody: so the rows are changed in slices, each a transaction of its own. What the action
 * is and what takes it back is written down before the first slice, and the history learns of it after the last: it
 * stays one step for the person, and a studio that dies in between finishes it when the project is opened again.
 *
 * Labels that come (back) are made before the slices and labels that go are removed after them, in whatever order the
 * action names them: rows only ever point to labels that exist.
 */
export interface SliceSizes {
  /** More pictures than this make an action long. */
  long: number
  /** Pictures changed in one piece. */
  slice: number
}
export const sliceSizes: SliceSizes = { long: 5_000, slice: 2_000 }

const unfinishedSchema = z.object({
  /** `do`: a new action; else the entry of the history that is undone or redone. */
  as: z.enum(['do', 'undo', 'redo']),
  entry: z.int().nullable(),
  name: z.string(),
  pictures: z.int(),
  changes: changesSchema,
  /** What takes each change back; null for those that are done at the end. */
  back: z.array(changesSchema.nullable()),
  /** The person stopped it: what was changed is being put back. */
  givenUp: z.boolean(),
})
export type Unfinished = z.infer<typeof unfinishedSchema>

export interface LongActionTarget extends ChangeTarget {
  facts: ProjectRepository
}

const key = 'unfinished_action'

/** The action that a dead studio left behind, or that is under way. */
export function unfinishedAction({ facts }: LongActionTarget): Unfinished | null {
  const text = facts.value(key) ?? ''
  return text === '' ? null : unfinishedSchema.parse(JSON.parse(text))
}

/** How many rows the changes touch. */
export const rowsOf = (changes: readonly Change[]): number =>
  changes.reduce((sum, change) => sum + (change.do === 'set' ? readRanges(change.ids).length : 0), 0)

const comes = (change: Change): boolean => change.do === 'add-label' || change.do === 'change-label'

/** Writes the action down and does what must be there before the first slice. To be called inside a transaction. */
export function beginAction(
  target: LongActionTarget,
  action: Pick<Unfinished, 'as' | 'entry' | 'name' | 'pictures' | 'changes'>,
): Unfinished {
  const back = action.changes.map((change) => {
    if (change.do === 'set') return setBack(target, change)
    return comes(change) ? applyOne(target, change) : null
  })
  const unfinished = { ...action, back, givenUp: false }
  target.facts.setValue(key, JSON.stringify(unfinished))
  return unfinished
}

/** Everything is to be put back. To be called inside a transaction. */
export function giveUpAction(target: LongActionTarget, unfinished: Unfinished): Unfinished {
  const givenUp = { ...unfinished, givenUp: true }
  target.facts.setValue(key, JSON.stringify(givenUp))
  return givenUp
}

/** The rows that are still to be changed, a slice at a time. Doing a slice again changes nothing. */
export function* slicesOf(
  { changes, back, givenUp }: Unfinished,
  size: number,
): Generator<{ field: Extract<Change, { do: 'set' }>['field']; value: number | null; ids: number[] }> {
  const rows = givenUp
    ? changes.flatMap((change, at) => (change.do === 'set' ? (back[at] ?? []) : []))
    : changes
  for (const change of rows) {
    if (change.do !== 'set') continue
    const ids = readRanges(change.ids)
    for (let from = 0; from < ids.length; from += size)
      yield { field: change.field, value: change.value, ids: ids.slice(from, from + size) }
  }
}

/**
 * Does what comes after the last slice. To be called inside a transaction.
 * @returns the changes that take the whole action back, in the order in which they have to be done; null after giving up
 */
export function endAction(target: LongActionTarget, { changes, back, givenUp }: Unfinished): Change[] | null {
  target.facts.setValue(key, '')
  if (givenUp) {
    const made = changes.map((change, at) => (comes(change) ? (back[at] ?? []) : []))
    for (const change of made.toReversed().flat()) applyOne(target, change)
    return null
  }
  return changes
    .map((change, at) => back[at] ?? applyOne(target, change))
    .toReversed()
    .flat()
}
