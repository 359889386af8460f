import { defineStore } from 'pinia'
import { ref } from 'vue'
import { KestrelError } from '#shared/errors/index.ts'
import { toPageError } from '../client/studio.ts'

export interface Notice {
  id: number
  level: 'info' | 'good' | 'warning' | 'error'
  title: string
  words?: string
  action?: {
    label: string
    run: () => void
    /** The button is there as long as this is so. */
    while?: () => boolean
  }
}

const restMs = { info: 6_000, good: 6_000, warning: 14_000, error: 0 } as const

/** Short messages in the corner, read aloud politely; errors stay until they are closed or a command goes well. */
export const useNotices = defineStore('notices', () => {
  const list = ref<Notice[]>([])
  let lastId = 0

  function close(id: number): void {
    list.value = list.value.filter((notice) => notice.id !== id)
  }

  function push(notice: Omit<Notice, 'id'>): number {
    const same = list.value.find(({ title, words }) => title === notice.title && words === notice.words)
    if (same) close(same.id)
    const id = ++lastId
    list.value = [...list.value, { ...notice, id }].slice(-4)
    const rest = restMs[notice.level]
    if (rest > 0) window.setTimeout(() => close(id), rest)
    return id
  }

  /** Takes back what is no longer so. */
  function retract(title: string): void {
    list.value = list.value.filter((notice) => notice.title !== title)
  }

  /** Says an error in its own words. Aborts are silent: the person asked for them. */
  function error(thrown: unknown): void {
    const known = toPageError(thrown)
    if (!(known instanceof KestrelError)) return
    push({
      level: 'error',
      title: known.message,
      words: [known.kept, known.remedy].filter(Boolean).join(' ') || undefined,
    })
  }

  /** Runs a command of the person; what it throws is said. @returns whether it went well */
  async function attempt(command: () => Promise<unknown>): Promise<boolean> {
    try {
      await command()
      // What went wrong before is answered by what went well now.
      list.value = list.value.filter(({ level }) => level !== 'error')
      return true
    } catch (thrown) {
      error(thrown)
      return false
    }
  }

  return { list, push, close, retract, error, attempt }
})
