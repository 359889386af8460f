import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { ChosenSource } from '#shared/contract/desktop.ts'

/** Which import dialog is open. The dialogs live in the app, so that a drop on any screen can open them. */
export const useImport = defineStore('import', () => {
  const pending = shallowRef<{ projectId: string; source: ChosenSource } | null>(null)
  const problemsOf = ref<string | null>(null)

  return {
    pending,
    problemsOf,
    /** Looks at the source and asks how to take it in. */
    begin: (projectId: string, source: ChosenSource) => (pending.value = { projectId, source }),
    showProblems: (projectId: string) => (problemsOf.value = projectId),
  }
})
