import { useThrottleFn } from '@vueuse/core'
import { onScopeDispose, ref, watch } from 'vue'
import type { Ref } from 'vue'
import type { PictureRow } from '#shared/contract/dataset.ts'
import { useEvents } from '../../../app/events.ts'
import { useStudio } from '../../../client/index.ts'
import { RowPages } from './row-pages.ts'
import type { View } from './useView.ts'

const pageSize = 240
const mostPages = 12
const refreshMs = 600

/**
 * The rows of a view, fetched in windows as they are looked at. A change in the studio makes them stale, not gone:
 * what is on screen stays and is replaced in place.
 */
export function usePictureRows(projectId: Ref<string>, view: View) {
  const studio = useStudio()
  const events = useEvents()
  const pages = new RowPages(pageSize, mostPages)
  /** Pictures in the view; null before the first answer. */
  const total = ref<number | null>(null)
  const error = ref<unknown>(null)
  /** Grows when rows change; reading it makes a template depend on the rows. */
  const version = ref(0)
  /** Grows when another view has arrived: positions mean something else now. */
  const epoch = ref(0)
  /** Grows when the studio is back: pictures that failed are asked for again. */
  const attempt = ref(0)

  let asked = 0
  let replaceAll = false
  let running = false
  let wanted = { from: 0, to: pageSize }
  const ending = new AbortController()
  onScopeDispose(() => ending.abort())

  async function load(page: number): Promise<boolean> {
    const at = asked
    const generation = pages.currentGeneration
    const answer = await studio.pictures.window(
      {
        projectId: projectId.value,
        filter: view.filter,
        sort: view.sort,
        offset: page * pageSize,
        limit: pageSize,
      },
      { signal: ending.signal },
    )
    if (at !== asked) return false
    if (replaceAll) {
      replaceAll = false
      pages.clear()
      epoch.value += 1
    }
    pages.put(page, answer.rows, generation)
    total.value = answer.total
    error.value = null
    version.value += 1
    return true
  }

  /** One call at a time, always for what is looked at now: a fast scroll never leaves a queue behind it. */
  async function pump(): Promise<void> {
    if (running) return
    running = true
    try {
      for (;;) {
        const end = total.value === null || replaceAll ? wanted.to : Math.min(wanted.to, total.value)
        const next = replaceAll ? 0 : pages.nextToFetch(wanted.from, Math.max(end, wanted.from + 1))
        if (next === null) break
        await load(next)
      }
    } catch (thrown) {
      if (!ending.signal.aborted) error.value = thrown
    } finally {
      running = false
    }
  }

  /** Says which positions [from, to) are looked at. */
  function want(from: number, to: number): void {
    wanted = { from: Math.max(0, from), to: Math.max(from + 1, to) }
    void pump()
  }

  const refresh = useThrottleFn(
    () => {
      pages.markStale()
      void pump()
    },
    refreshMs,
    true,
  )

  watch([projectId, () => view.filter, () => view.sort], () => {
    asked += 1
    replaceAll = true
    wanted = { from: 0, to: pageSize }
    pages.markStale()
    void pump()
  })
  events.onEvent((event) => {
    if (event.type !== 'changed' || event.projectId !== projectId.value) return
    if (event.what.includes('pictures') || event.what.includes('labels') || event.what.includes('runs')) {
      void refresh()
    }
  })
  events.onReconnect(() => {
    attempt.value += 1
    void refresh()
  })
  void pump()

  function rowAt(index: number): PictureRow | undefined {
    void version.value
    return pages.at(index)
  }

  /** Ids at positions [from, to), from what is loaded where possible. */
  async function idsOf(from: number, to: number): Promise<number[]> {
    const known: number[] = []
    for (let index = from; index < to; index++) {
      const row = pages.at(index)
      if (!row) break
      known.push(row.id)
    }
    if (known.length === to - from) return known
    return studio.pictures.ids({ projectId: projectId.value, filter: view.filter, sort: view.sort, from, to })
  }

  return {
    total,
    error,
    version,
    epoch,
    attempt,
    rowAt,
    want,
    idsOf,
    refresh: () => void refresh(),
    find: (id: number, near: number) => pages.find(id, near),
    patch: (change: (row: PictureRow) => PictureRow) => {
      pages.patch(change)
      version.value += 1
    },
  }
}
export type PictureRows = ReturnType<typeof usePictureRows>
