import { PiniaColada } from '@pinia/colada'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import '@fontsource-variable/inter/wght.css'
import '../styles/tokens.css'
import '../styles/base.css'
import '../styles/overlays.css'
import { createStudioClient, studioClientKey } from '../client/index.ts'
import App from './App.vue'
import { router } from './router.ts'
import { texts } from './texts/index.ts'

createApp(App)
  .provide(studioClientKey, createStudioClient(window.location.origin))
  .use(createPinia())
  // Events say what is stale; asking again on every focus would only make the page flicker.
  .use(PiniaColada, { queryOptions: { refetchOnWindowFocus: false, staleTime: 30_000, gcTime: 120_000 } })
  .use(texts)
  .use(router)
  .mount('#app')
