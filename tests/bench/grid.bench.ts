import { basename, join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { dropPaths, launchBrowser, startStudio } from '../e2e/web/studio.ts'
import type { RunningStudio } from '../e2e/web/studio.ts'
import { drawFolder, manyRows } from './grid-pictures.ts'
import { memoryOf, mostMemory, pageMemory } from './memory.ts'
import { traceScroll } from './scroll-trace.ts'
import type { ScrollTrace } from './scroll-trace.ts'
import type { Bench, BenchResult } from './types.ts'

const group = 'Pictures on screen'
const imported = 10_000
const huge = 100_000
/** How fast the hand scrolls, px per second: about five screens. */
const scrollSpeed = 4_000
const scrollDistance = 5 * scrollSpeed
const frameMs = 32
const rounds = 5
const restMs = 1_000

/**
 * A page that holds nothing but coloured squares, scrolled in turn with the grid. Frames that come late here too are the
 * machine's, or the browser's without a graphics card.
 */
const barePage = `<!doctype html><title>bare</title>
<style>
  body { margin: 0 }
  main { height: 100vh; overflow: auto; contain: strict }
  section { position: relative; height: 400000px }
  div { position: absolute; width: 142px; height: 142px; border-radius: 8px }
</style>
<main role="grid" tabindex="0"><section></section></main>
<script>
  document.querySelector('section').innerHTML = Array.from({ length: 1600 }, (_, i) =>
    '<div style="left:' + (i % 8) * 150 + 'px;top:' + Math.floor(i / 8) * 150 + 'px;background:hsl(' + i * 37 + ' 50% 50%)"></div>',
  ).join('')
</script>`

/** From asking for the address to the first picture that is drawn, ms by the page's own clock. */
async function firstPicture(page: Page, address: string): Promise<number> {
  await page.goto(address, { waitUntil: 'commit' })
  // Looked at in every frame: a locator looks twice a second after a while.
  const drawn = await page.waitForFunction(
    () => document.querySelector('[data-picture].drawn') && performance.now(),
    undefined,
    { polling: 'raf' },
  )
  return Number(await drawn.jsonValue())
}

/** Drops the folder onto the window of an empty project, as a person does, and waits until all pictures are in. */
async function importAll(page: Page, folder: string): Promise<void> {
  await dropPaths(page, [folder])
  const hour = { timeout: 3_600_000 }
  await page.getByRole('button', { name: /^Add [\d,]+ pictures/ }).click(hour)
  await page.getByText(`${imported.toLocaleString('en')} pictures added`).waitFor(hour)
}

async function importResults(
  browser: Browser,
  studio: RunningStudio,
  page: Page,
  folder: string,
): Promise<BenchResult[]> {
  const note = `dropped on the window in browser mode, every 50th with 12 megapixels; proportional set size, looked at every 200 ms`
  const most = await mostMemory({ studio: () => memoryOf(studio.pid), page: () => pageMemory(browser) }, () =>
    importAll(page, folder),
  )
  const row = (name: string, value: number | null, atMost: number): BenchResult[] =>
    value === null ? [] : [{ group, name, value, unit: 'MB', target: { atMost }, note }]
  return [
    ...row('Studio while 10,000 pictures are imported, at most', most.studio, 400),
    ...row('Page while 10,000 pictures are imported, at most', most.page, 300),
  ]
}

/** Each time in a studio that has just been started, whose start page a person has had before them for a moment. */
async function openingResult(studio: RunningStudio, path: string): Promise<BenchResult> {
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    await studio.restart('SIGTERM')
    const page = await studio.open()
    await page.waitForTimeout(restMs)
    took.push(await firstPicture(page, new URL(path, page.url()).href))
    await page.close()
  }
  const sorted = took.toSorted((a, b) => a - b)
  return {
    group,
    name: 'First picture of a project of 100,000, from its address',
    value: sorted[Math.floor(rounds / 2)]!,
    unit: 'ms',
    target: { atMost: 1_000 },
    note: `median of ${rounds}, each in a studio just started: ${took.map((ms) => ms.toFixed(0)).join(', ')} ms`,
  }
}

interface Turn {
  bare: ScrollTrace
  ours: ScrollTrace
}

const late = ({ frames }: ScrollTrace): number => frames.filter(({ took }) => took > frameMs).length
const lateByItself = ({ frames }: ScrollTrace): number =>
  frames.filter(({ took, worked }) => took > frameMs && worked > frameMs).length
const longest = ({ frames }: ScrollTrace): number => Math.max(...frames.map(({ took }) => took))

function scrollResults(name: string, turns: readonly Turn[]): BenchResult[] {
  // Chosen by the bare page, which knows nothing of ours: the turns in which the machine was quietest.
  const quietest = Math.min(...turns.map(({ bare }) => late(bare)))
  const judged = turns.filter(({ bare }) => late(bare) === quietest)
  const median = judged.toSorted((a, b) => late(a.ours) - late(b.ours))[Math.floor(judged.length / 2)]!
  const each = turns.map(({ ours, bare }) => `${late(ours)}/${late(bare)}`).join(', ')
  const all = turns.flatMap(({ ours }) => ours.frames)
  return [
    {
      group,
      name: `Frames over ${frameMs} ms while scrolling ${name} pictures`,
      value: late(median.ours),
      unit: `of ${median.ours.frames.length}`,
      target: { atMost: 0 },
      reference: { name: 'a bare page', value: quietest, unit: `of ${median.bare.frames.length}` },
      note: `${scrollSpeed} px/s; from ${restMs} ms after the page was opened; longest ${longest(median.ours).toFixed(0)} ms; ours/bare turn about: ${each}; the median of those where the bare page had fewest`,
    },
    {
      group,
      name: `Of all those frames, ${name} pictures: over ${frameMs} ms by the browser's own work`,
      value: turns.reduce((sum, { ours }) => sum + lateByItself(ours), 0),
      unit: `of ${all.length}`,
      target: { atMost: 0 },
      note: 'processor time of main thread, compositor, raster and display one after the other; the others waited for the machine',
    },
    {
      group,
      name: `Longest work of the page between two frames, ${name} pictures`,
      value: Math.max(...turns.map(({ ours }) => ours.longestTask)),
      unit: 'ms',
      target: { atMost: frameMs },
      note: 'CPU time of one task of the main thread',
    },
  ]
}

export const run: Bench = async ({ temporary, say }) => {
  const home = await temporary()
  const folder = join(await temporary(), 'drawn')
  say(`drawing ${imported} pictures`)
  await drawFolder(folder, imported)
  say(`a project of ${huge} rows`)
  const many = await manyRows(home, folder, huge)
  const browser = await launchBrowser()
  const studio = await startStudio(browser, { home })
  try {
    const page = await studio.open()
    const { origin } = new URL(page.url())
    const place = (projectId: string): string => `${origin}/p/${projectId}/pictures`
    const results: BenchResult[] = []

    say(`importing ${imported} pictures through the window`)
    await page.getByRole('button', { name: 'New project' }).click()
    await page.getByRole('textbox', { name: 'What is it about' }).fill(basename(folder))
    await page.keyboard.press('Enter')
    await page.getByText('Bring in some pictures').waitFor()
    const real = new URL(page.url()).pathname.split('/')[2] ?? ''
    results.push(...(await importResults(browser, studio, page, folder)))

    const bare = await studio.context.newPage()
    await bare.setContent(barePage)
    const turns = { many: [] as Turn[], real: [] as Turn[] }
    for (let round = 0; round < rounds; round++) {
      for (const which of ['many', 'real'] as const) {
        say(`scrolling, round ${round + 1} of ${rounds}`)
        const scroll = async (on: Page): Promise<ScrollTrace> => {
          await on.bringToFront()
          return traceScroll(on, '[role=grid]', scrollDistance, scrollSpeed)
        }
        await bare.locator('[role=grid]').evaluate((element) => element.scrollTo(0, 0))
        await firstPicture(page, place(which === 'many' ? many : real))
        // The bare page has been at rest for long; a hand takes this long to the wheel.
        await page.waitForTimeout(restMs)
        turns[which].push({ bare: await scroll(bare), ours: await scroll(page) })
      }
    }
    results.push(...scrollResults('100,000', turns.many), ...scrollResults('10,000', turns.real))

    const pageSize = await pageMemory(browser)
    if (pageSize !== null)
      results.push({
        group,
        name: 'Page with 10,000 pictures, after scrolling',
        value: pageSize,
        unit: 'MB',
        target: { atMost: 300 },
        note: 'proportional set size of the page process',
      })
    const studioSize = await memoryOf(studio.pid)
    if (studioSize !== null)
      results.push({
        group,
        name: 'Studio with 100,000 and 10,000 pictures open, after scrolling',
        value: studioSize,
        unit: 'MB',
        target: { atMost: 400 },
      })
    await page.close()
    await bare.close()
    say('opening 100,000 pictures')
    results.push(await openingResult(studio, `/p/${many}/pictures`))
    return results
  } finally {
    await studio.close()
    await browser.close()
  }
}
