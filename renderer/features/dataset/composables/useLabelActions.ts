import { useI18n } from 'vue-i18n'
import type { Ref } from 'vue'
import type { Label } from '#shared/contract/dataset.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { useHistory } from '../../../composables/index.ts'
import type { Step } from '../../../composables/index.ts'

/** What a person does with labels. Every one of these can be undone. */
export function useLabelActions(projectId: Ref<string>) {
  const { t } = useI18n()
  const studio = useStudio()
  const notices = useNotices()
  const { undoOf } = useHistory()

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

  /** @returns null when it did not work; that was said */
  async function attempt(call: () => Promise<Step>): Promise<Step | null> {
    let step: Step | null = null
    await notices.attempt(async () => {
      step = await call()
    })
    return step
  }

  async function merge(from: Label, into: Label): Promise<void> {
    const merged = await attempt(() =>
      studio.labels.merge({ projectId: projectId.value, from: from.id, into: into.id }),
    )
    if (!merged) return
    notices.push({
      level: 'info',
      title: t('dataset.merged', { from: from.name, into: into.name }),
      action: undoOf(merged),
    })
  }

  async function remove(label: Label): Promise<void> {
    const removed = await attempt(() =>
      studio.labels.remove({ projectId: projectId.value, labelId: label.id }),
    )
    if (!removed) return
    notices.push({
      level: 'info',
      title: t('dataset.deletedLabel', { name: label.name }),
      words: label.pictures > 0 ? t('dataset.deletedLabelWords') : undefined,
      action: undoOf(removed),
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
