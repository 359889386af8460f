import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { composeStudio } from '#studio/compose.ts'
import { createTrainerLauncher } from '#studio/parent-link.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { launchBrowser, startStudio } from '../e2e/web/studio.ts'
import { draw } from '../helpers/draw.ts'
import { pictureRow } from '../helpers/picture-rows.ts'
import { traceScroll } from './scroll-trace.ts'
import type { Bench, BenchResult } from './types.ts'

const group = 'Pictures on screen'
const imported = 10_000
const huge = 100_000
const labels = 5
/** How fast the hand scrolls, px per second: about five screens. */
const scrollSpeed = 4_000
const frameMs = 32

const quiet = { info: () => undefined, warn: console.error, error: console.error }

/** A project with really imported pictures, and one of 100,000 rows that share its files. */
async function prepare(
  home: string,
  folder: string,
  say: (line: string) => void,
): Promise<{ real: string; many: string }> {
  say(`drawing ${imported} pictures`)
  for (let i = 0; i < imported; i += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, j) => {
        const path = join(folder, `kind ${(i + j) % labels}`)
        await mkdir(path, { recursive: true })
        await writeFile(join(path, `${i + j}.jpg`), await draw(i + j, { width: 320, height: 240 }))
      }),
    )
  }
  const studio = await composeStudio({
    version: 'bench',
    mode: 'browser',
    home,
    log: quiet,
    launcher: createTrainerLauncher(null),
  })
  const real = await studio.projects.openOrCreateAt(join(home, 'Real.kestrel'), 'Real')
  const many = await studio.projects.openOrCreateAt(join(home, 'Many.kestrel'), 'Many')
  say('importing them')
  await studio.jobs.wait(
    studio.imports.syncFolder(real.projectId, folder, { rule: 'parent', storage: 'copy', keepSplit: false })
      .id,
  )
  const few = join(folder, 'kind 0')
  await studio.jobs.wait(
    studio.imports.syncFolder(many.projectId, few, { rule: 'parent', storage: 'copy', keepSplit: false }).id,
  )
  await studio.close()

  say(`adding rows up to ${huge}`)
  const database = openProjectDatabase(join(home, 'Many.kestrel'))
  const pictures = createPicturesRepository(database)
  const files = pictures.firstFiles(imported / labels)
  const { n } = database.sql.prepare<[], { n: number }>('SELECT count(*) AS n FROM pictures').get() ?? {
    n: 0,
  }
  database.transaction(() => {
    for (let i = n; i < huge; i++)
      pictures.insert(pictureRow(i, { file: files[i % files.length] ?? '', labelId: null }))
  })
  database.close()
  return { real: real.projectId, many: many.projectId }
}

/** Resident memory of a process that it shares with no other, plus its part of what is shared, MB; null where the system does not say. */
async function memoryOf(pid: number): Promise<number | null> {
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
async function pageMemory(browser: Browser): Promise<number | null> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  await session.detach()
  const sizes = await Promise.all(
    processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => memoryOf(id)),
  )
  return sizes.reduce((a, b) => (b !== null && (a === null || b > a) ? b : a), null)
}

/** From asking for the address to the first picture that is drawn, ms. */
async function firstPicture(page: Page, address: string): Promise<number> {
  const before = performance.now()
  await page.goto(address, { waitUntil: 'commit' })
  await page.locator('[data-picture] canvas.drawn').first().waitFor()
  return performance.now() - before
}

export const run: Bench = async ({ temporary, say }) => {
  const home = await temporary()
  const projects = await prepare(home, await temporary(), say)
  const browser = await launchBrowser()
  const studio = await startStudio(browser, { home })
  try {
    const page = await studio.open()
    const place = (projectId: string): string => new URL(`/p/${projectId}/pictures`, page.url()).href
    const results: BenchResult[] = []

    say('opening 100,000 pictures')
    results.push({
      group,
      name: 'First picture of a project of 100,000, from its address',
      value: await firstPicture(page, place(projects.many)),
      unit: 'ms',
      target: { atMost: 1_000 },
    })
    let memory: number | null = null
    for (const [name, projectId] of [
      ['100,000', projects.many],
      ['10,000', projects.real],
    ] as const) {
      say(`scrolling ${name} pictures`)
      await firstPicture(page, place(projectId))
      const trace = await traceScroll(page, '[role=grid]', -scrollSpeed * 5, scrollSpeed)
      const long = trace.frames.filter((frame) => frame > frameMs).length
      results.push({
        group,
        name: `Frames over ${frameMs} ms while scrolling ${name} pictures`,
        value: long,
        unit: `of ${trace.frames.length}`,
        target: { atMost: 0 },
        note: `${scrollSpeed} px/s; longest ${(trace.frames.at(-1) ?? 0).toFixed(0)} ms; a machine that does other work at the same time spoils this figure`,
      })
      results.push({
        group,
        name: `Longest work of the page between two frames, ${name} pictures`,
        value: trace.tasks.at(-1) ?? 0,
        unit: 'ms',
        target: { atMost: frameMs },
        note: 'CPU time of one task of the main thread',
      })
      if (projectId === projects.real) memory = await pageMemory(browser)
    }
    if (memory !== null) {
      results.push({
        group,
        name: 'Page with 10,000 pictures, after scrolling',
        value: memory,
        unit: 'MB',
        target: { atMost: 300 },
        note: 'proportional set size of the page process',
      })
    }
    const studioMemory = await memoryOf(studio.pid)
    if (studioMemory !== null) {
      results.push({
        group,
        name: 'Studio with 100,000 and 10,000 pictures open, after scrolling',
        value: studioMemory,
        unit: 'MB',
        target: { atMost: 400 },
      })
    }
    return results
  } finally {
    await studio.close()
    await browser.close()
  }
}
