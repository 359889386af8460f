import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useFormat } from '../composables/useFormat.ts'
import { useImport } from '../features/import/store.ts'
import { useEvents } from './events.ts'
import { useJobPlaces } from './job-places.ts'
import { useNotices } from './notices.ts'

const figure = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** Says how long work ended, with the way to what it gave. Once, in the app. */
export function useJobNotices(): void {
  const { t } = useI18n()
  const events = useEvents()
  const notices = useNotices()
  const imports = useImport()
  const router = useRouter()
  const { count } = useFormat()
  const places = useJobPlaces()

  const here = (projectId: string | null): boolean =>
    projectId !== null && router.currentRoute.value.params.projectId === projectId

  events.onJobEnd((job) => {
    if (job.state === 'failed') {
      // Said already, in the place where it was begun.
      const place = router.currentRoute.value.name
      const ofTrain = job.kind === 'train' || job.kind === 'compare'
      if (ofTrain && here(job.projectId) && place === 'train') return
      if (job.kind === 'download' && (place === 'train' || place === 'settings')) return
      notices.push({
        level: 'error',
        title: job.error?.message ?? t('app.jobFailed', { job: t(`common.job.${job.kind}`) }),
        words: [job.error?.kept, job.error?.remedy].filter(Boolean).join(' ') || undefined,
      })
    }
    if (job.state !== 'done') return
    const projectId = job.projectId
    if (job.kind === 'import' && projectId !== null) {
      const skipped = figure(job.facts.skipped)
      const duplicates = figure(job.facts.duplicates)
      notices.push({
        level: skipped > 0 ? 'warning' : 'good',
        title: t('import.ended', { n: count(figure(job.facts.imported)) }, figure(job.facts.imported)),
        words:
          [
            duplicates > 0 ? t('import.endedTwins', { n: count(duplicates) }, duplicates) : '',
            skipped > 0 ? t('import.endedSkipped', { n: count(skipped) }, skipped) : '',
          ]
            .filter(Boolean)
            .join(' ') || undefined,
        action:
          skipped > 0
            ? { label: t('import.seeProblems'), run: () => imports.showProblems(projectId) }
            : undefined,
      })
    } else if (job.kind === 'train' && projectId !== null && router.currentRoute.value.name !== 'train') {
      notices.push({
        level: 'good',
        title: t('app.jobDone.train'),
        action: {
          label: t('app.step.results'),
          run: () => void router.push({ name: 'results', params: { projectId } }),
        },
      })
    } else if (job.kind === 'predict-folder' && !places.isShown(job)) {
      const show = places.wayTo(job)
      const [pictures, unsure, failed] = [
        figure(job.facts.pictures),
        figure(job.facts.unsure),
        figure(job.facts.failed),
      ]
      notices.push({
        level: 'good',
        title: job.title ? t('use.folder.done', { title: job.title }) : t('use.folder.doneMany'),
        words: [
          t('use.folder.total', { n: count(pictures) }, pictures),
          unsure > 0 ? t('use.folder.totalUnsure', { n: count(unsure) }, unsure) : '',
          failed > 0 ? t('use.folder.failed', { n: count(failed) }, failed) : '',
        ]
          .filter(Boolean)
          .join(' · '),
        action: show ? { label: t('use.folder.show'), run: show } : undefined,
      })
    } else if (job.kind === 'sort-folder') {
      const [copied, missing] = [figure(job.facts.copied), figure(job.facts.missing)]
      notices.push({
        level: missing > 0 ? 'warning' : 'good',
        title: t('use.folder.sortDone', { n: count(copied) }, copied),
        words: missing > 0 ? t('use.folder.sortMissing', { n: count(missing) }, missing) : undefined,
      })
    } else if (job.kind === 'compare' && projectId !== null && router.currentRoute.value.name !== 'train') {
      notices.push({
        level: 'good',
        title: t('app.jobDone.compare', { name: job.title }),
        action: {
          label: t('app.step.train'),
          run: () => void router.push({ name: 'train', params: { projectId } }),
        },
      })
    }
  })
}
