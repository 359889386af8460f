import { createI18n } from 'vue-i18n'
import { appTexts } from './app.ts'
import { commonTexts } from './common.ts'

type Texts = { [key: string]: string | Texts }

/** Every feature keeps its words in `features/NAME/texts.ts` (default export) and reaches them as `NAME.key`. */
const featureFiles = import.meta.glob<Texts>('../../features/*/texts.ts', { eager: true, import: 'default' })

const features = Object.fromEntries(
  Object.entries(featureFiles).map(([path, texts]) => [path.split('/').at(-2) ?? path, texts]),
)

export const texts = createI18n({
  legacy: false,
  locale: 'en',
  fallbackLocale: 'en',
  messages: { en: { ...features, app: appTexts, common: commonTexts } },
})
