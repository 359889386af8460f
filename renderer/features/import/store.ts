import { defineStore } from 'pinia'
import { ref, shallowRef } from 'vue'
import type { ChosenSource } from '#shared/contract/desktop.ts'

/** Which import dialog is open. The dialogs live in the app, so that a drop on any screen can open them. */
export const useImport = defineStore('import', () => {
  const pending = shallowRef<{ projectId: string | null; source: ChosenSource } | null>(null)
  const problemsOf = ref<string | null>(null)

  return {
    pending,
    problemsOf,
    /** Looks at the source and asks how to take it in. Without a project one is made once the person has said so. */
    begin: (projectId: string | null, source: ChosenSource) => (pending.value = { projectId, source }),
    showProblems: (projectId: string) => (problemsOf.value = projectId),
  }
})
