import type { Selection } from '#shared/contract/dataset.ts'
import { checkLabelName } from '#shared/domain/labels.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { OpenProject, ProjectRegistry } from '../projects/open-project.ts'
import type { ProjectDatabase } from '../storage/database.ts'
import { createHistoryRepository } from '../storage/history-repository.ts'
import { createLabellingRepository } from '../storage/labelling-repository.ts'
import type { LabelRow } from '../storage/labels-repository.ts'
import { createLabelsRepository } from '../storage/labels-repository.ts'
import { createTestLooksRepository } from '../storage/test-looks-repository.ts'
import { createViewsRepository } from '../storage/views-repository.ts'
import type { ViewsRepository } from '../storage/views-repository.ts'
import { applyChanges, changesSchema } from './changes.ts'
import type { Change, ChangeTarget } from './changes.ts'
import { writeRanges } from './id-ranges.ts'

/** Keys of the page's texts for undo and redo: "Undo: label 12 pictures". */
export type ActionName =
  | 'assign'
  | 'exclude'
  | 'restore'
  | 'confirm'
  | 'label-create'
  | 'label-rename'
  | 'label-recolour'
  | 'label-merge'
  | 'label-remove'
  | 'label-reorder'

export interface Changed {
  /** Pictures (for actions on labels: pictures that carry them) that are different now. */
  changed: number
  revision: number
}

export interface LabellingService {
  assign(projectId: string, selection: Selection, labelId: number | null): Changed
  exclude(projectId: string, selection: Selection): Changed
  restore(projectId: string, selection: Selection): Changed
  confirm(projectId: string, selection: Selection): Changed
  createLabel(projectId: string, name: string): Changed & { labelId: number }
  renameLabel(projectId: string, labelId: number, name: string): Changed
  recolourLabel(projectId: string, labelId: number, colour: number): Changed
  mergeLabels(projectId: string, from: number, into: number): Changed
  removeLabel(projectId: string, labelId: number): Changed
  reorderLabels(projectId: string, labelIds: readonly number[]): Changed
  /** @throws KestrelError nothing-to-undo */
  undo(projectId: string): Changed & { name: string }
  /** @throws KestrelError nothing-to-redo */
  redo(projectId: string): Changed & { name: string }
}

/** The repositories of one project that labelling works on. */
const createTools = (
  db: ProjectDatabase,
): ChangeTarget & { db: ProjectDatabase; history: History; views: ViewsRepository } => ({
  db,
  labels: createLabelsRepository(db),
  pictures: createLabellingRepository(db),
  looks: createTestLooksRepository(db),
  history: createHistoryRepository(db),
  views: createViewsRepository(db),
})
type History = ReturnType<typeof createHistoryRepository>
type Tools = ReturnType<typeof createTools>

/** Every action of a person on labels and pictures: one transaction, one entry of the history, undoable. */
export function createLabellingService({ registry }: { registry: ProjectRegistry }): LabellingService {
  /** Does what `plan` says; an action that changes nothing leaves no entry. */
  function act(
    projectId: string,
    name: ActionName,
    plan: (tools: Tools) => { changes: Change[]; pictures: number },
  ): Changed {
    const project = registry.get(projectId)
    const tools = project.use(createTools)
    const result = tools.db.transaction(() => {
      const { changes, pictures } = plan(tools)
      if (changes.length === 0) return { changed: 0, revision: project.revision() }
      const backward = applyChanges(tools, changes)
      tools.history.push({
        name,
        pictures,
        forward: JSON.stringify(changes),
        backward: JSON.stringify(backward),
      })
      return { changed: pictures, revision: project.nextRevision() }
    })
    announce(project, name)
    return result
  }

  function step(projectId: string, direction: 'undo' | 'redo'): Changed & { name: string } {
    const project = registry.get(projectId)
    const tools = project.use(createTools)
    const result = tools.db.transaction(() => {
      const entry = direction === 'undo' ? tools.history.lastDone() : tools.history.firstUndone()
      if (!entry) throw nothingTo(direction)
      const changes = changesSchema.parse(JSON.parse(direction === 'undo' ? entry.backward : entry.forward))
      const opposite = JSON.stringify(applyChanges(tools, changes))
      if (direction === 'undo') tools.history.markUndone(entry.id, opposite)
      else tools.history.markDone(entry.id, opposite)
      return { name: entry.name, changed: entry.pictures, revision: project.nextRevision() }
    })
    announce(project, result.name)
    return result
  }

  /** Sets one field of the chosen pictures that do not have that value yet. */
  const setAll = (
    projectId: string,
    name: ActionName,
    selection: Selection,
    field: 'excluded' | 'confirmed',
    value: 0 | 1,
  ): Changed =>
    act(projectId, name, (tools) => {
      const ids = tools.pictures.differing(field, resolve(tools, selection), value).map((row) => row.id)
      const looks = field === 'excluded' ? lookedAt(tools, ids) : []
      return { pictures: ids.length, changes: [...setting(field, value, ids), ...looks] }
    })

  return {
    assign: (projectId, selection, labelId) =>
      act(projectId, 'assign', (tools) => {
        if (labelId !== null) existingLabel(tools, labelId)
        const chosen = resolve(tools, selection)
        const ids = tools.pictures.differing('label_id', chosen, labelId).map((row) => row.id)
        return { pictures: ids.length, changes: relabel(tools, ids, labelId) }
      }),
    exclude: (projectId, selection) => setAll(projectId, 'exclude', selection, 'excluded', 1),
    restore: (projectId, selection) => setAll(projectId, 'restore', selection, 'excluded', 0),
    confirm: (projectId, selection) => setAll(projectId, 'confirm', selection, 'confirmed', 1),

    createLabel(projectId, name) {
      let labelId = 0
      const result = act(projectId, 'label-create', ({ labels }) => {
        const label = {
          name: checkLabelName(name, namesOf(labels.all())),
          colour: labels.freeColour(),
          position: labels.nextPosition(),
        }
        // The id has to be known before the change is written down: take the next one.
        labelId = labels.nextId()
        return { pictures: 0, changes: [{ do: 'add-label', label: { id: labelId, ...label } }] }
      })
      return { ...result, labelId }
    },
    renameLabel: (projectId, labelId, name) =>
      act(projectId, 'label-rename', (tools) => {
        const label = existingLabel(tools, labelId)
        const others = tools.labels.all().filter((other) => other.id !== labelId)
        const next = checkLabelName(name, namesOf(others))
        return changeOf(tools, label, { name: next })
      }),
    recolourLabel: (projectId, labelId, colour) =>
      act(projectId, 'label-recolour', (tools) => changeOf(tools, existingLabel(tools, labelId), { colour })),
    mergeLabels: (projectId, from, into) =>
      act(projectId, 'label-merge', (tools) => {
        existingLabel(tools, from)
        existingLabel(tools, into)
        if (from === into)
          throw new KestrelError('bad-request', 'A label cannot be merged with itself.', {
            kept: 'Nothing was changed.',
          })
        const ids = tools.pictures.withLabel(from)
        return {
          pictures: ids.length,
          changes: [...relabel(tools, ids, into), { do: 'remove-label', id: from }],
        }
      }),
    removeLabel: (projectId, labelId) =>
      act(projectId, 'label-remove', (tools) => {
        existingLabel(tools, labelId)
        const ids = tools.pictures.withLabel(labelId)
        return {
          pictures: ids.length,
          changes: [...relabel(tools, ids, null), { do: 'remove-label', id: labelId }],
        }
      }),
    reorderLabels: (projectId, labelIds) =>
      act(projectId, 'label-reorder', (tools) => {
        const rows = tools.labels.all()
        const asked = new Map(labelIds.map((id, index) => [id, index]))
        // Labels that were not named (made by an import in this moment) follow behind, in their order.
        const ordered = rows.toSorted(
          (a, b) => (asked.get(a.id) ?? Infinity) - (asked.get(b.id) ?? Infinity) || a.position - b.position,
        )
        const changes = ordered.flatMap((label, position): Change[] =>
          label.position === position ? [] : [{ do: 'change-label', label: { ...label, position } }],
        )
        return { pictures: 0, changes }
      }),
    undo: (projectId) => step(projectId, 'undo'),
    redo: (projectId) => step(projectId, 'redo'),
  }
}

function announce(project: OpenProject, name: string): void {
  const onlyLabels =
    name === 'label-create' ||
    name === 'label-recolour' ||
    name === 'label-reorder' ||
    name === 'label-rename'
  if (onlyLabels) project.announce('labels')
  else project.announce('pictures', 'labels')
}

const namesOf = (labels: readonly LabelRow[]): string[] => labels.map((label) => label.name)

function existingLabel({ labels }: Tools, id: number): LabelRow {
  const label = labels.find(id)
  if (!label)
    throw new KestrelError('not-found', 'This label is not there any more.', {
      kept: 'Nothing was changed.',
      remedy: 'Choose another one.',
    })
  return label
}

function changeOf(
  { pictures }: Tools,
  label: LabelRow,
  next: Partial<LabelRow>,
): { changes: Change[]; pictures: number } {
  const changed = { ...label, ...next }
  const same = changed.name === label.name && changed.colour === label.colour
  return {
    pictures: pictures.withLabel(label.id).length,
    changes: same ? [] : [{ do: 'change-label', label: changed }],
  }
}

function resolve({ pictures, views }: Tools, selection: Selection): number[] {
  if ('ids' in selection) return pictures.existing(selection.ids)
  const except = new Set(selection.except)
  const ids = [...views.ids(selection.filter, 'added')]
  return except.size === 0 ? ids : ids.filter((id) => !except.has(id))
}

const setting = (
  field: 'label_id' | 'excluded' | 'confirmed',
  value: number | null,
  ids: readonly number[],
): Change[] => (ids.length === 0 ? [] : [{ do: 'set', field, value, ids: writeRanges(ids) }])

/** A new label is a new opinion: "it is right" was said of the old one. */
function relabel(tools: Tools, ids: readonly number[], labelId: number | null): Change[] {
  const confirmed = tools.pictures.differing('confirmed', ids, 0).map((row) => row.id)
  return [
    ...setting('label_id', labelId, ids),
    ...setting('confirmed', 0, confirmed),
    ...lookedAt(tools, ids),
  ]
}

function lookedAt({ pictures }: Tools, ids: readonly number[]): Change[] {
  const test = pictures.inTest(ids)
  return test.length === 0 ? [] : [{ do: 'look', by: 1, ids: writeRanges(test) }]
}

function nothingTo(direction: 'undo' | 'redo'): KestrelError {
  return direction === 'undo'
    ? new KestrelError('nothing-to-undo', 'There is nothing to undo.')
    : new KestrelError('nothing-to-redo', 'There is nothing to redo.')
}
