import { computed } from 'vue'
import type { Ref } from 'vue'
import { useI18n } from 'vue-i18n'
import { useNotices } from '../../../app/notices.ts'
import { useStudio } from '../../../client/index.ts'
import { labelColour, useHistory, useHotkeys, useProject } from '../../../composables/index.ts'
import type { Step } from '../../../composables/index.ts'

type Done = Step & { changed: number }

/** What can be done to pictures of the gallery, by button, menu and key, and how it is taken back. */
export function useGalleryActions({
  targets,
  able,
  done,
  reread,
}: {
  /** Ids of the pictures that are acted on. */
  targets: Readonly<Ref<number[]>>
  /** Whether the keys act now. */
  able: () => boolean
  /** After a change that went well, before what is shown is read again. */
  done: () => void
  reread: () => Promise<unknown>
}) {
  const { t } = useI18n()
  const studio = useStudio()
  const notices = useNotices()
  const { projectId, labels } = useProject()
  const history = useHistory()

  function act(command: () => Promise<Done>, said: (changed: number) => string): Promise<unknown> {
    return notices.attempt(async () => {
      const result = await command()
      done()
      await reread()
      notices.push({ level: 'good', title: said(result.changed), action: history.undoOf(result, reread) })
    })
  }
  const chosen = () => ({ projectId: projectId.value, selection: { ids: targets.value } })

  const relabel = (labelId: number): Promise<unknown> =>
    act(
      () => studio.labelling.assign({ ...chosen(), labelId }),
      (changed) => t('evaluate.gallery.changed', changed),
    )
  const confirm = (): Promise<unknown> =>
    act(
      () => studio.labelling.confirm(chosen()),
      () => t('evaluate.gallery.noted'),
    )
  const exclude = (): Promise<unknown> =>
    act(
      () => studio.labelling.exclude(chosen()),
      (changed) => t('evaluate.gallery.excluded', changed),
    )
  async function undo(): Promise<void> {
    if (await history.undo()) await reread()
  }
  async function redo(): Promise<void> {
    if (await history.redo()) await reread()
  }

  useHotkeys(t('evaluate.title'), [
    {
      keys: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
      show: ['1', '…', '9'],
      words: t('evaluate.gallery.relabel'),
      when: able,
      run: (event) => {
        const label = labels.value[Number(event.key) - 1]
        return label ? relabel(label.id) : false
      },
    },
    { keys: ['k'], words: t('evaluate.gallery.itIsRight'), when: able, run: confirm },
    {
      keys: ['delete', 'backspace', 'x'],
      show: ['delete'],
      words: t('evaluate.gallery.exclude'),
      when: able,
      run: exclude,
    },
    { keys: ['mod+z', 'z'], show: ['mod+z'], words: t('common.undo'), run: undo },
    {
      keys: ['mod+shift+z', 'mod+y', 'shift+z'],
      show: ['mod+shift+z'],
      words: t('common.redo'),
      run: redo,
    },
  ])

  /** The labels to choose from. */
  const menu = computed(() =>
    labels.value.map((label, index) => ({
      key: String(label.id),
      label: label.name,
      colour: labelColour(label.colour),
      keys: index < 9 ? String(index + 1) : undefined,
      run: () => relabel(label.id),
    })),
  )

  return { menu, confirm, exclude }
}
