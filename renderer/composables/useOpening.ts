import { useQueryCache } from '@pinia/colada'
import { defineStore } from 'pinia'
import { ref } from 'vue'
import { queryKeys, useStudio } from '../client/index.ts'

export type Opening = { state: 'opening' } | { state: 'open' } | { state: 'failed'; error: unknown }

/**
 * The project whose rooms are entered. The studio may have been restarted since it was last seen, so it is opened before
 * anything is asked of it; and as soon as one is on the way there, so that it is open when the room's code has come.
 */
export const useOpening = defineStore('opening', () => {
  const studio = useStudio()
  const queries = useQueryCache()
  const opening = ref<Opening>({ state: 'opening' })
  /** The project that is meant; '' for none. */
  const entered = ref('')
  let asked = 0

  async function open(projectId: string): Promise<void> {
    const mine = ++asked
    // One that was open is opened again when the studio is back: what is on the page stays there meanwhile.
    const stays = entered.value === projectId && opening.value.state === 'open'
    if (!stays) opening.value = { state: 'opening' }
    entered.value = projectId
    const outcome = await studio.projects.open({ projectId }).then(
      (opened): Opening => {
        queries.setQueryData([...queryKeys.project(projectId)], opened)
        return { state: 'open' }
      },
      (error: unknown): Opening => ({ state: 'failed', error }),
    )
    if (mine === asked) opening.value = outcome
  }

  const isOpen = (projectId: string): boolean =>
    projectId !== '' && entered.value === projectId && opening.value.state === 'open'

  function leave(): void {
    asked += 1
    entered.value = ''
  }

  return { opening, open, leave, isOpen }
})
