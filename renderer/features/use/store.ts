import { useSessionStorage } from '@vueuse/core'
import { defineStore } from 'pinia'

/**
 * Which folder's table is shown in Use, by project. It outlives leaving the step and loading the page anew, and a notice
 * can lead to it.
 */
export const useFolderChoice = defineStore('use-folder', () => {
  const chosen = useSessionStorage<Record<string, string | null>>('kestrel-use-folder', {})
  const set = (projectId: string, jobId: string | null): void => {
    chosen.value = { ...chosen.value, [projectId]: jobId }
  }
  return {
    /** A folder's job; null: single pictures; undefined: nothing was chosen, the newest folder is shown. */
    of: (projectId: string): string | null | undefined => chosen.value[projectId],
    open: (projectId: string, jobId: string): void => set(projectId, jobId),
    close: (projectId: string): void => set(projectId, null),
  }
})
