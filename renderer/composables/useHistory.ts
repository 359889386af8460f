import { useI18n } from 'vue-i18n'
import { useNotices } from '../app/notices.ts'
import type { Notice } from '../app/notices.ts'
import { useStudio } from '../client/index.ts'
import { useProject } from './useProject.ts'

/** What a call that changed something answers with. */
export interface Step {
  revision: number
  step: number | null
}

/** Takes back and does again what was done to pictures and labels, and says what it was. */
export function useHistory() {
  const { t, te } = useI18n()
  const studio = useStudio()
  const notices = useNotices()
  const { projectId, counts } = useProject()

  /** Actions have keys; what they are called is the page's. */
  const nameOf = (key: string): string =>
    t(te(`common.action.${key}`) ? `common.action.${key}` : 'common.action.other')

  /** @param only takes back that step and no other */
  const undo = (of: string, only?: number): Promise<boolean> =>
    notices.attempt(async () => {
      const { name } = await studio.labelling.undo({ projectId: of, step: only })
      // What undo leaves of it is not always nothing.
      const words = `common.undoneWords.${name}`
      notices.push({
        level: 'info',
        title: t('common.undone', { name: nameOf(name) }),
        words: te(words) ? t(words) : undefined,
      })
    })
  const redo = (): Promise<boolean> =>
    notices.attempt(async () => {
      const { name } = await studio.labelling.redo({ projectId: projectId.value })
      notices.push({ level: 'info', title: t('common.redone', { name: nameOf(name) }) })
    })

  /**
   * The button of a notice that takes back what the notice tells of. It goes when that is no longer the latest step; the
   * studio refuses what is clicked before the page has heard of a later one.
   * @param after done when it was taken back
   */
  function undoOf({ revision, step }: Step, after?: () => unknown): Notice['action'] {
    if (step === null) return undefined
    // The notice may be answered from the settings, or from another project.
    const of = projectId.value
    const isLatest = (): boolean =>
      (counts.value?.revision ?? 0) < revision || counts.value?.undo?.step === step
    return {
      label: t('common.undo'),
      run: () => void undo(of, step).then((well) => well && after?.()),
      while: () => projectId.value !== of || isLatest(),
    }
  }

  return { undo: () => undo(projectId.value), redo, undoOf }
}
export type History = ReturnType<typeof useHistory>
