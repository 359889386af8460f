import { useI18n } from 'vue-i18n'
import type { Ref } from 'vue'
import type { PictureRow, Selection } from '#shared/contract/dataset.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { useFormat, useHistory } from '../../../composables/index.ts'
import type { Step } from '../../../composables/index.ts'
import type { PictureRows } from './usePictureRows.ts'
import type { PictureSelection } from './useSelection.ts'
import type { View } from './useView.ts'

interface Done extends Step {
  changed: number
}

/** What a person does with pictures. Shown at once, kept by the studio; every one of these can be undone. */
export function useActions(
  projectId: Ref<string>,
  rows: PictureRows,
  selection: PictureSelection,
  view: View,
) {
  const { t } = useI18n()
  const studio = useStudio()
  const notices = useNotices()
  const { count } = useFormat()
  const { undo, redo, undoOf } = useHistory()

  const concerns = (target: Selection): ((row: PictureRow) => boolean) => {
    if ('ids' in target) {
      const ids = new Set(target.ids)
      return (row) => ids.has(row.id)
    }
    const except = new Set(target.except)
    return (row) => !except.has(row.id)
  }

  /** One picture at a time goes on by itself to the next; several stay selected as long as they stay in the view. */
  async function act(
    target: Selection | null,
    change: Partial<PictureRow>,
    leavesView: boolean,
    call: (selection: Selection) => Promise<Done>,
  ): Promise<Done | null> {
    if (!target) return null
    const hit = concerns(target)
    const single = 'ids' in target && target.ids.length === 1 && target.ids[0] === selection.current.value?.id
    rows.patch((row) => (hit(row) ? { ...row, ...change } : row))
    if (single) selection.advance()
    else if (leavesView || !('ids' in target)) selection.clear()
    let done: Done | null = null
    const well = await notices.attempt(async () => {
      done = await call(target)
    })
    // What was shown too early is put right by asking again.
    if (!well) rows.refresh()
    return done
  }

  const labelFiltered = (labelId: number | null): boolean =>
    view.filter.label !== undefined && view.filter.label !== (labelId ?? 'none')

  const assign = (labelId: number | null, target = selection.forCall()): Promise<Done | null> =>
    act(target, { labelId }, labelFiltered(labelId), (chosen) =>
      studio.labelling.assign({ projectId: projectId.value, selection: chosen, labelId }),
    )

  async function exclude(target = selection.forCall()): Promise<void> {
    const done = await act(target, { excluded: true }, view.filter.show !== 'all', (chosen) =>
      studio.labelling.exclude({ projectId: projectId.value, selection: chosen }),
    )
    if (!done?.changed) return
    const { changed } = done
    notices.push({
      level: 'info',
      title: t('dataset.excludedNotice', { n: count(changed) }, changed),
      words: t('dataset.excludedWords', changed),
      action: undoOf(done),
    })
  }

  const restore = (target = selection.forCall()): Promise<Done | null> =>
    act(target, { excluded: false }, view.filter.show === 'excluded', (chosen) =>
      studio.labelling.restore({ projectId: projectId.value, selection: chosen }),
    )

  /** Delete: excludes, or brings back what is excluded. */
  const excludeOrRestore = (): Promise<unknown> =>
    view.filter.show === 'excluded' || selection.current.value?.excluded ? restore() : exclude()

  const confirm = (pictureId: number): Promise<boolean> =>
    notices.attempt(async () => {
      await studio.labelling.confirm({ projectId: projectId.value, selection: { ids: [pictureId] } })
    })

  return { assign, exclude, restore, excludeOrRestore, confirm, undo, redo }
}
export type PictureActions = ReturnType<typeof useActions>
