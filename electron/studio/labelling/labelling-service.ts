import type { Selection } from '#shared/contract/dataset.ts'
import { checkLabelName } from '#shared/domain/labels.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { LabelOrName, Said } from '../ports.ts'
import type { OpenProject } from '../projects/open-project.ts'
import type { LabelRow } from '../storage/labels-repository.ts'
import { createActions } from './actions.ts'
import type { ActionName, Changed, LabellingPorts, Tools } from './actions.ts'
import type { Change } from './changes.ts'
import { writeRanges } from './id-ranges.ts'

/** What changes very many pictures is a job with progress and resolves at its end; stopped, nothing has changed. */
export interface LabellingService {
  assign(projectId: string, selection: Selection, labelId: number | null): Promise<Changed>
  exclude(projectId: string, selection: Selection): Promise<Changed>
  restore(projectId: string, selection: Selection): Promise<Changed>
  confirm(projectId: string, selection: Selection): Promise<Changed>
  /**
   * What a person says a picture is: its label, made when it is new; a picture that was excluded comes back. One step.
   * @param find the picture, inserted in this moment when it is not there yet: excluded and without a label, which is
   * what undo leaves of it
   * @throws KestrelError not-found when the label is gone; bad-request for a name that cannot be one
   */
  say(
    projectId: string,
    find: () => { pictureId: number; alreadyThere: boolean },
    label: LabelOrName,
  ): Promise<Said>
  createLabel(projectId: string, name: string): Promise<Changed & { labelId: number }>
  renameLabel(projectId: string, labelId: number, name: string): Promise<Changed>
  recolourLabel(projectId: string, labelId: number, colour: number): Promise<Changed>
  mergeLabels(projectId: string, from: number, into: number): Promise<Changed>
  removeLabel(projectId: string, labelId: number): Promise<Changed>
  reorderLabels(projectId: string, labelIds: readonly number[]): Promise<Changed>
  /**
   * @param only takes back that step and no other
   * @throws KestrelError nothing-to-undo, not-the-latest
   */
  undo(projectId: string, only?: number): Promise<Changed & { name: string }>
  /** @throws KestrelError nothing-to-redo */
  redo(projectId: string): Promise<Changed & { name: string }>
  /** Finishes what a studio that died left half-way. */
  resume(project: OpenProject): void
  /** Resolves when no action is half-way through its pictures. */
  settled(projectId: string): Promise<void>
}

/** Every action of a person on labels and pictures. */
export function createLabellingService(ports: LabellingPorts): LabellingService {
  const { act, step, resume, settled } = createActions(ports)

  /** Sets one field of the chosen pictures that do not have that value yet. */
  const setAll = (
    projectId: string,
    name: ActionName,
    selection: Selection,
    field: 'excluded' | 'confirmed',
    value: 0 | 1,
  ): Promise<Changed> =>
    act(projectId, name, (tools) => {
      const ids = tools.pictures.differing(field, resolve(tools, selection), value).map(([id]) => id)
      const looks = field === 'excluded' ? lookedAt(tools, ids) : []
      return { pictures: ids.length, changes: [...setting(field, value, ids), ...looks] }
    })

  return {
    assign: (projectId, selection, labelId) =>
      act(projectId, 'assign', (tools) => {
        if (labelId !== null) existingLabel(tools, labelId)
        const chosen = resolve(tools, selection)
        const ids = tools.pictures.differing('label_id', chosen, labelId).map(([id]) => id)
        return { pictures: ids.length, changes: relabel(tools, ids, labelId) }
      }),
    exclude: (projectId, selection) => setAll(projectId, 'exclude', selection, 'excluded', 1),
    restore: (projectId, selection) => setAll(projectId, 'restore', selection, 'excluded', 0),
    confirm: (projectId, selection) => setAll(projectId, 'confirm', selection, 'confirmed', 1),

    async say(projectId, find, label) {
      let said: Said = { pictureId: 0, alreadyThere: false, relabelled: false, restored: false }
      await act(projectId, 'say', (tools) => {
        const { labelId, made } = labelFor(tools, label)
        const { pictureId, alreadyThere } = find()
        const ids = [pictureId]
        const relabelled = tools.pictures.differing('label_id', ids, labelId).length > 0
        const restored = tools.pictures.differing('excluded', ids, 0).length > 0
        said = {
          pictureId,
          alreadyThere,
          relabelled: alreadyThere && relabelled,
          restored: alreadyThere && restored,
        }
        return {
          name: alreadyThere ? 'say' : 'add',
          pictures: 1,
          changes: [
            ...made,
            ...(relabelled ? relabel(tools, ids, labelId) : []),
            ...(restored ? setting('excluded', 0, ids) : []),
            // A new label counts the change of a test picture already.
            ...(restored && !relabelled ? lookedAt(tools, ids) : []),
          ],
        }
      })
      return said
    },
    async createLabel(projectId, name) {
      let labelId = 0
      const result = await act(projectId, 'label-create', ({ labels }) => {
        const label = newLabel(labels, checkLabelName(name, namesOf(labels.all())))
        labelId = label.id
        return { pictures: 0, changes: [{ do: 'add-label', label }] }
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
    undo: (projectId, only) => step(projectId, 'undo', only),
    redo: (projectId) => step(projectId, 'redo'),
    resume,
    settled,
  }
}

const namesOf = (labels: readonly LabelRow[]): string[] => labels.map((label) => label.name)

/** The id has to be known before the change is written down: it takes the next one. */
const newLabel = (labels: Tools['labels'], name: string): LabelRow => ({
  id: labels.nextId(),
  name,
  colour: labels.freeColour(),
  position: labels.nextPosition(),
})

/** @returns with the change that makes it, when there is no such label yet */
function labelFor(tools: Tools, label: LabelOrName): { labelId: number; made: Change[] } {
  if ('labelId' in label) return { labelId: existingLabel(tools, label.labelId).id, made: [] }
  const known = tools.labels.findByName(label.name)
  if (known) return { labelId: known.id, made: [] }
  const made = newLabel(tools.labels, checkLabelName(label.name))
  return { labelId: made.id, made: [{ do: 'add-label', label: made }] }
}

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
  const confirmed = tools.pictures.differing('confirmed', ids, 0).map(([id]) => id)
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
