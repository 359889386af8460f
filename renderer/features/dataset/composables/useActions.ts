import { useI18n } from 'vue-i18n'
import type { Ref } from 'vue'
import type { PictureRow, Selection } from '#shared/contract/dataset.ts'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { useFormat } from '../../../composables/index.ts'
import type { PictureRows } from './usePictureRows.ts'
import type { PictureSelection } from './useSelection.ts'
import type { View } from './useView.ts'

/** What a person does with pictures. Shown at once, kept by the studio, undone with Z. */
export function useActions(
  projectId: Ref<string>,
  rows: PictureRows,
  selection: PictureSelection,
  view: View,
) {
  const { t, te } = useI18n()
  const studio = useStudio()
  const notices = useNotices()
  const { count } = useFormat()

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
    call: (selection: Selection) => Promise<{ changed: number }>,
  ): Promise<number | null> {
    if (!target) return null
    const hit = concerns(target)
    const single = 'ids' in target && target.ids.length === 1 && target.ids[0] === selection.current.value?.id
    rows.patch((row) => (hit(row) ? { ...row, ...change } : row))
    if (single) selection.advance()
    else if (leavesView || !('ids' in target)) selection.clear()
    let changed: number | null = null
    const well = await notices.attempt(async () => {
      changed = (await call(target)).changed
    })
    // What was shown too early is put right by asking again.
    if (!well) rows.refresh()
    return changed
  }

  const labelFiltered = (labelId: number | null): boolean =>
    view.filter.label !== undefined && view.filter.label !== (labelId ?? 'none')

  const assign = (labelId: number | null, target = selection.forCall()): Promise<number | null> =>
    act(target, { labelId }, labelFiltered(labelId), (chosen) =>
      studio.labelling.assign({ projectId: projectId.value, selection: chosen, labelId }),
    )

  /** Actions have keys; what they are called is the page's. */
  const nameOf = (key: string): string =>
    t(te(`dataset.action.${key}`) ? `dataset.action.${key}` : 'dataset.action.other')

  const undo = (): Promise<boolean> =>
    notices.attempt(async () => {
      const { name } = await studio.labelling.undo({ projectId: projectId.value })
      // What undo leaves of it is not always nothing.
      const words = `dataset.undoneWords.${name}`
      notices.push({
        level: 'info',
        title: t('dataset.undone', { name: nameOf(name) }),
        words: te(words) ? t(words) : undefined,
      })
    })
  const redo = (): Promise<boolean> =>
    notices.attempt(async () => {
      const { name } = await studio.labelling.redo({ projectId: projectId.value })
      notices.push({ level: 'info', title: t('dataset.redone', { name: nameOf(name) }) })
    })

  async function exclude(target = selection.forCall()): Promise<void> {
    const changed = await act(target, { excluded: true }, view.filter.show !== 'all', (chosen) =>
      studio.labelling.exclude({ projectId: projectId.value, selection: chosen }),
    )
    if (!changed) return
    notices.push({
      level: 'info',
      title: t('dataset.excludedNotice', { n: count(changed) }, changed),
      words: t('dataset.excludedWords', changed),
      action: { label: t('dataset.undo'), run: () => void undo() },
    })
  }

  const restore = (target = selection.forCall()): Promise<number | null> =>
    act(target, { excluded: false }, view.filter.show === 'excluded', (chosen) =>
      studio.labelling.restore({ projectId: projectId.value, selection: chosen }),
    )

  /** X: excludes, or brings back what is excluded. */
  const excludeOrRestore = (): Promise<unknown> =>
    view.filter.show === 'excluded' || selection.current.value?.excluded ? restore() : exclude()

  const confirm = (pictureId: number): Promise<boolean> =>
    notices.attempt(async () => {
      await studio.labelling.confirm({ projectId: projectId.value, selection: { ids: [pictureId] } })
    })

  return { assign, exclude, restore, excludeOrRestore, confirm, undo, redo }
}
export type PictureActions = ReturnType<typeof useActions>
