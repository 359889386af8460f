import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import type { ChosenSource } from '#shared/contract/desktop.ts'
import { useNotices } from '../../app/notices.ts'
import { useSources, useStudio } from '../../client/index.ts'
import { useImport } from '../import/store.ts'

/** The ways into a project. Each ends on its Pictures page; what goes wrong is said. */
export function useBegin() {
  const { t } = useI18n()
  const studio = useStudio()
  const router = useRouter()
  const sources = useSources()
  const notices = useNotices()
  const imports = useImport()

  const enter = (projectId: string) => router.push({ name: 'pictures', params: { projectId } })

  /** A `.kestrel` folder is opened; of anything else it is asked how to take it into a new project. */
  const fromSource = (source: ChosenSource): Promise<boolean> =>
    notices.attempt(async () => {
      if (source.names.length === 1 && source.names[0]?.endsWith('.kestrel')) {
        const opened = await studio.projects.open({ source: source.token })
        await enter(opened.projectId)
        // What a browser sends is a copy: nobody must look for changes in the folder that was dropped.
        if (!sources.canReachDisk)
          notices.push({
            level: 'info',
            title: t('projects.copied'),
            words: t('projects.copiedWords', { folder: opened.location }),
          })
        return
      }
      imports.begin(null, source)
    })

  const chooseFolder = (): Promise<boolean> =>
    notices.attempt(async () => {
      const source = await sources.choose('pictures-folder')
      if (source) await fromSource(source)
    })

  const create = (name: string, parent: ChosenSource | null): Promise<boolean> =>
    notices.attempt(async () => {
      const created = await studio.projects.create({ name, parent: parent?.token })
      await enter(created.projectId)
    })

  const openFolder = (): Promise<boolean> =>
    notices.attempt(async () => {
      const source = await sources.choose('project')
      if (!source) return
      const opened = await studio.projects.open({ source: source.token })
      await enter(opened.projectId)
    })

  const sample = (): Promise<boolean> =>
    notices.attempt(async () => {
      const made = await studio.projects.sample()
      await enter(made.projectId)
    })

  return { enter, fromSource, chooseFolder, create, openFolder, sample }
}
