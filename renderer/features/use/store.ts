import { defineStore } from 'pinia'
import { ref } from 'vue'

/** Which folder's table is shown in Use, by project. It outlives leaving the step, and a notice can lead to it. */
export const useFolderChoice = defineStore('use-folder', () => {
  const chosen = ref<ReadonlyMap<string, string | null>>(new Map())
  const set = (projectId: string, jobId: string | null): void => {
    chosen.value = new Map([...chosen.value, [projectId, jobId]])
  }
  return {
    /** A folder's job; null: single pictures; undefined: nothing was chosen, the newest folder is shown. */
    of: (projectId: string): string | null | undefined => chosen.value.get(projectId),
    open: (projectId: string, jobId: string): void => set(projectId, jobId),
    close: (projectId: string): void => set(projectId, null),
  }
})
