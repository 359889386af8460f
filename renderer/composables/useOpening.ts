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

  /** On the way in, and to try again: nothing of the project is shown before it is open. */
  function enter(projectId: string): Promise<void> {
    opening.value = { state: 'opening' }
    return open(projectId)
  }

  /** For rooms that are there without anybody having come in by the door: they are made anew after an error in one. */
  async function ensure(projectId: string): Promise<void> {
    if (entered.value !== projectId) await enter(projectId)
  }

  const isOpen = (projectId: string): boolean =>
    projectId !== '' && entered.value === projectId && opening.value.state === 'open'

  function leave(): void {
    asked += 1
    entered.value = ''
  }

  /** When the studio is back: what is on the page stays there meanwhile. */
  const reopen = open

  return { opening, enter, ensure, reopen, leave, isOpen }
})
