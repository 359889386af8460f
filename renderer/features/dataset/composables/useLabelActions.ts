import { useI18n } from 'vue-i18n'
import type { Ref } from 'vue'
import type { Label } from '#shared/contract/dataset.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'

/** What a person does with labels. Every one of these can be undone. */
export function useLabelActions(projectId: Ref<string>, undo: () => unknown) {
  const { t } = useI18n()
  const studio = useStudio()
  const notices = useNotices()
  const undoAction = { label: t('dataset.undo'), run: () => void undo() }

  /** @returns the new label's id, or null when it did not work */
  async function create(name: string): Promise<number | null> {
    let labelId: number | null = null
    await notices.attempt(async () => {
      labelId = (await studio.labels.create({ projectId: projectId.value, name })).labelId
    })
    return labelId
  }

  const rename = (label: Label, name: string): Promise<boolean> =>
    notices.attempt(() => studio.labels.rename({ projectId: projectId.value, labelId: label.id, name }))

  const recolour = (label: Label, colour: number): Promise<boolean> =>
    notices.attempt(() => studio.labels.recolour({ projectId: projectId.value, labelId: label.id, colour }))

  async function merge(from: Label, into: Label): Promise<void> {
    const well = await notices.attempt(() =>
      studio.labels.merge({ projectId: projectId.value, from: from.id, into: into.id }),
    )
    if (!well) return
    notices.push({
      level: 'info',
      title: t('dataset.merged', { from: from.name, into: into.name }),
      action: undoAction,
    })
  }

  async function remove(label: Label): Promise<void> {
    const well = await notices.attempt(() =>
      studio.labels.remove({ projectId: projectId.value, labelId: label.id }),
    )
    if (!well) return
    notices.push({
      level: 'info',
      title: t('dataset.deletedLabel', { name: label.name }),
      words: label.pictures > 0 ? t('dataset.deletedLabelWords') : undefined,
      action: undoAction,
    })
  }

  /** @param by -1 up, 1 down */
  function move(labels: readonly Label[], label: Label, by: -1 | 1): Promise<boolean> {
    const ids = labels.map(({ id }) => id)
    const at = ids.indexOf(label.id)
    const other = ids[at + by]
    if (other === undefined) return Promise.resolve(false)
    ids[at] = other
    ids[at + by] = label.id
    return notices.attempt(() => studio.labels.reorder({ projectId: projectId.value, labelIds: ids }))
  }

  return { create, rename, recolour, merge, remove, move }
}
export type LabelActions = ReturnType<typeof useLabelActions>
