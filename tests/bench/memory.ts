import { readFile } from 'node:fs/promises'
import type { Browser } from 'playwright-core'

/** Resident memory of a process that it shares with no other, plus its part of what is shared, MB; null where the system does not say. */
export async function memoryOf(pid: number): Promise<number | null> {
  try {
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]
    return kilobytes === undefined ? null : Number(kilobytes) / 1000
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

/** The largest process of the browser that draws pages. */
export async function pageMemory(browser: Browser): Promise<number | null> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  await session.detach()
  const sizes = await Promise.all(
    processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => memoryOf(id)),
  )
  return largest(sizes)
}

const sampleMs = 200

/** Looks at several memories again and again while `work` goes on. @returns the most each was seen at; null: never seen */
export async function mostMemory<K extends string>(
  looks: Record<K, () => Promise<number | null>>,
  work: () => Promise<unknown>,
): Promise<Record<K, number | null>> {
  const names = Object.keys(looks) as K[]
  const most = Object.fromEntries(names.map((name) => [name, null])) as Record<K, number | null>
  const ending = new AbortController()
  const sampling = (async () => {
    while (!ending.signal.aborted) {
      for (const name of names) most[name] = largest([most[name], await looks[name]()])
      await new Promise((next) => setTimeout(next, sampleMs))
    }
  })()
  try {
    await work()
  } finally {
    ending.abort()
    await sampling
  }
  return most
}

const largest = (sizes: readonly (number | null)[]): number | null =>
  sizes.reduce((a, b) => (b !== null && (a === null || b > a) ? b : a), null)
