import { usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, ref, watchEffect } from 'vue'
import type { Theme } from '#shared/contract/desktop.ts'
import { useStudio } from '../client/index.ts'
import { isDark } from './dark.ts'
import { useNotices } from './notices.ts'

const remembered = 'kestrel-theme'
const isTheme = (value: unknown): value is Theme =>
  value === 'system' || value === 'light' || value === 'dark'

/** The theme of Settings. Kept in the page too, so that the first paint already has it. */
export const useTheme = defineStore('theme', () => {
  const studio = useStudio()
  const notices = useNotices()
  const stored = localStorage.getItem(remembered)
  const choice = ref<Theme>(isTheme(stored) ? stored : 'system')
  const systemDark = usePreferredDark()
  const dark = computed(() => (choice.value === 'system' ? systemDark.value : choice.value === 'dark'))

  watchEffect(() => {
    isDark.value = dark.value
    document.documentElement.dataset.theme = dark.value ? 'dark' : 'light'
  })

  /** The person's own choice in this window is newer than any answer that was on its way. */
  let chosenHere = false

  function show(theme: Theme): void {
    choice.value = theme
    localStorage.setItem(remembered, theme)
  }

  /** Takes over what Settings say, without writing them. */
  function adopt(theme: Theme): void {
    if (!chosenHere) show(theme)
  }

  async function set(theme: Theme): Promise<void> {
    chosenHere = true
    show(theme)
    try {
      await Promise.all([studio.system.setSettings({ theme }), window.kestrelDesktop?.setTheme(theme)])
    } catch (error) {
      notices.error(error)
    }
  }

  return { choice, dark, set, adopt, toggle: () => set(dark.value ? 'light' : 'dark') }
})
