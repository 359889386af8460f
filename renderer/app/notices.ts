import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
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

/** Short messages, newest first, read aloud politely; errors stay until they are closed or a command goes well. */
export const useNotices = defineStore('notices', () => {
  const list = ref<Notice[]>([])
  let lastId = 0
  const places = shallowRef<readonly HTMLElement[]>([])
  let held = false
  const overdue = new Set<number>()

  function close(id: number): void {
    list.value = list.value.filter((notice) => notice.id !== id)
  }

  /** While somebody is at the messages, none goes by itself. */
  function hold(now: boolean): void {
    held = now
    if (held) return
    for (const id of overdue) close(id)
    overdue.clear()
  }

  function push(notice: Omit<Notice, 'id'>): number {
    const same = list.value.find(({ title, words }) => title === notice.title && words === notice.words)
    if (same) close(same.id)
    const id = ++lastId
    list.value = [{ ...notice, id }, ...list.value].slice(0, 4)
    const rest = restMs[notice.level]
    if (rest > 0) window.setTimeout(() => (held ? overdue.add(id) : close(id)), rest)
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

  /** Where the messages are to be shown; null: below the page. */
  const place = computed(() => places.value.at(-1) ?? null)
  const offer = (element: HTMLElement): void => void (places.value = [...places.value, element])
  function leave(element: HTMLElement): void {
    places.value = places.value.filter((other) => other !== element)
  }

  return { list, place, offer, leave, hold, push, close, retract, error, attempt }
})
