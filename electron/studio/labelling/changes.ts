import { z } from 'zod'
import { labelKey } from '#shared/domain/labels.ts'
import type { LabellingRepository } from '../storage/labelling-repository.ts'
import type { LabelsRepository } from '../storage/labels-repository.ts'
import type { TestLooksRepository } from '../storage/test-looks-repository.ts'
import { readRanges, writeRanges } from './id-ranges.ts'

const labelRow = z.object({ id: z.int(), name: z.string(), colour: z.int(), position: z.int() })

/** One step of an action, as it is kept for undo and redo. */
export const changeSchema = z.discriminatedUnion('do', [
  z.object({
    do: z.literal('set'),
    field: z.enum(['label_id', 'excluded', 'confirmed']),
    value: z.int().nullable(),
    ids: z.string(),
  }),
  /** Test pictures that were changed (1), or whose change was taken back (-1). */
  z.object({ do: z.literal('look'), by: z.union([z.literal(1), z.literal(-1)]), ids: z.string() }),
  z.object({ do: z.literal('add-label'), label: labelRow }),
  z.object({ do: z.literal('change-label'), label: labelRow }),
  z.object({ do: z.literal('remove-label'), id: z.int() }),
])
export type Change = z.infer<typeof changeSchema>
export const changesSchema = z.array(changeSchema)

export interface ChangeTarget {
  labels: LabelsRepository
  pictures: LabellingRepository
  looks: TestLooksRepository
}

/**
 * Does the changes in order and finds out what takes them back. The way back is taken from what is there at that
 * moment, not from what was there when the action was first done: an import may have added pictures since.
 * To be called inside a transaction.
 * @returns the changes that restore what was there, in the order in which they have to be done
 */
export function applyChanges(target: ChangeTarget, changes: readonly Change[]): Change[] {
  const back: Change[] = []
  for (const change of changes) back.unshift(...applyOne(target, change))
  return back
}

/** See {@link applyChanges}. */
export function applyOne(target: ChangeTarget, change: Change): Change[] {
  switch (change.do) {
    case 'set':
      return setField(target, change)
    case 'look':
      target.looks.changed(readRanges(change.ids), change.by)
      return [{ do: 'look', by: change.by === 1 ? -1 : 1, ids: change.ids }]
    case 'add-label':
      target.labels.insert({ ...change.label, name: freeName(target.labels, change.label.name) })
      return [{ do: 'remove-label', id: change.label.id }]
    case 'change-label': {
      const before = target.labels.find(change.label.id)
      if (!before) return []
      const { name } = change.label
      const renamed = labelKey(name) !== labelKey(before.name)
      target.labels.update({ ...change.label, name: renamed ? freeName(target.labels, name) : name })
      return [{ do: 'change-label', label: before }]
    }
    case 'remove-label': {
      const before = target.labels.find(change.id)
      if (!before) return []
      const ids = writeRanges(target.pictures.withLabel(change.id))
      const back = setField(target, { do: 'set', field: 'label_id', value: null, ids })
      target.labels.remove(change.id)
      return [{ do: 'add-label', label: before }, ...back]
    }
  }
}

type SetChange = Extract<Change, { do: 'set' }>

/** Sets a field of pictures. @returns as {@link setBack} */
function setField(target: ChangeTarget, change: SetChange): Change[] {
  const back = setBack(target, change)
  target.pictures.set(change.field, readRanges(change.ids), change.value)
  return back
}

/** What would take it back: one change for each value that is there now. Changes nothing. */
export function setBack({ pictures }: ChangeTarget, { field, value, ids }: SetChange): Change[] {
  const before = new Map<number | null, number[]>()
  for (const [id, old] of pictures.differing(field, readRanges(ids), value)) {
    const same = before.get(old)
    if (same) same.push(id)
    else before.set(old, [id])
  }
  return Array.from(before, ([old, changed]): Change => ({
    do: 'set',
    field,
    value: old,
    ids: writeRanges(changed),
  }))
}

/** An import may have made a label of this name in the meantime: then the one that comes back is numbered. */
function freeName(labels: LabelsRepository, name: string): string {
  for (let number = 2, candidate = name; ; number++) {
    if (!labels.findByName(candidate)) return candidate
    candidate = `${name} (${number})`
  }
}
