import { watch } from 'vue'
import { useI18n } from 'vue-i18n'
import { useSources } from '../client/index.ts'
import { useFormat } from '../composables/useFormat.ts'
import { useNotices } from './notices.ts'

/** Says which files of a drop could not be sent; an import lists them as well. Once, in the app. */
export function useSendingNotices(): void {
  const { t } = useI18n()
  const { count } = useFormat()
  const sources = useSources()
  const notices = useNotices()

  watch(
    () => sources.leftOut,
    (files) => {
      const [first] = files
      if (!first) return
      notices.push({
        level: 'warning',
        title: t('app.notSent', { n: count(files.length) }, files.length),
        words: `${t('app.notSentFirst', { file: first.path, reason: first.message })} ${t('app.notSentRest')}`,
      })
    },
  )
}
