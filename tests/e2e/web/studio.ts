import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { AxeBuilder } from '@axe-core/playwright'
import { rendererFolder } from '#shared/util/app-folders.ts'
import { findBrowser } from '../../../scripts/lib/browser.ts'
import { nodeFlags } from '../../../scripts/lib/node24.mjs'
import { chromium } from 'playwright-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { withContents } from '../../helpers/folders.ts'

function browserPath(): string {
  const found = findBrowser()
  if (found === null) throw new Error('These tests need a browser: install Chromium, Chrome or Edge.')
  return found
}

export const launchBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath(), args: ['--no-sandbox', '--disable-dev-shm-usage'] })

export interface RunningStudio {
  /** Opens the page, signed in. */
  open(path?: string): Promise<Page>
  readonly context: BrowserContext
  readonly pid: number
  /** Kills and starts it again on the same home. The address changes: open the page anew. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  readonly home: string
  close(): Promise<void>
}

interface Served {
  child: ChildProcess
  address: string
}

async function serve(home: string): Promise<Served> {
  const page = process.env['KESTREL_TEST_PAGE'] ?? rendererFolder()
  if (!existsSync(join(page, 'index.html')))
    throw new Error(`There is no built page in ${page}: run "npm run build" first.`)
  const child = fork(resolve(import.meta.dirname, 'serve.ts'), [home], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: { ...process.env, KESTREL_HOME: home },
    execArgv: nodeFlags,
  })
  if (!child.stdout) throw new Error('the studio has no output')
  const died = once(child, 'exit').then(([code]: unknown[]) => {
    throw new Error(`the studio ended with ${String(code)} before it listened`)
  })
  const [address] = (await Promise.race([once(createInterface(child.stdout), 'line'), died])) as [string]
  return { child, address }
}

export interface StudioSettings {
  colorScheme?: 'light' | 'dark'
  /** The page must not report errors; patterns of those a test causes on purpose. */
  expectedErrors?: RegExp[]
  /** A home that is there already; an empty one that goes with the studio when left out. */
  home?: string
}

/** The real studio on an empty home, and a browser with a window on it. */
export async function startStudio(browser: Browser, settings: StudioSettings = {}): Promise<RunningStudio> {
  const home = settings.home ?? (await mkdtemp(join(tmpdir(), 'kestrel-web-')))
  let served = await serve(home)
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: settings.colorScheme ?? 'light',
    reducedMotion: 'reduce',
  })
  // Machines are shared; a wait is over as soon as what it waits for is there.
  context.setDefaultTimeout(90_000)
  const problems: string[] = []
  context.on('weberror', (error) => problems.push(String(error.error().stack ?? error.error())))
  context.on('console', (message) => {
    const text = message.text()
    const expected = settings.expectedErrors?.some((pattern) => pattern.test(text))
    // Calls that fail are looked at below, where their address is known.
    if (message.type() === 'error' && !expected && !text.startsWith('Failed to load resource'))
      problems.push(text)
  })
  context.on('response', (response) => {
    // 422 is the studio's worded answer; anything else should not happen.
    if (response.status() >= 400 && response.status() !== 422)
      problems.push(`${response.status()} ${response.url()}`)
  })
  let entered = false

  const stop = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    if (served.child.exitCode !== null || served.child.signalCode !== null) return
    const gone = once(served.child, 'exit')
    served.child.kill(signal)
    await gone
  }
  return {
    home,
    context,
    get pid() {
      return served.child.pid ?? 0
    },
    async open(path = '/') {
      const page = await context.newPage()
      if (!entered) {
        await page.goto(served.address)
        await page.waitForURL((url) => !url.searchParams.has('token'))
        entered = true
      }
      await page.goto(new URL(path, served.address).href)
      return page
    },
    async restart(signal) {
      await stop(signal)
      served = await serve(home)
      entered = false
    },
    async close() {
      await context.close()
      await stop('SIGTERM')
      if (settings.home === undefined) await rm(home, withContents)
      // In one line, which is what a summary of failures keeps.
      if (problems.length > 0) throw new Error(`the page reported errors:\n${problems.join('\n')}`)
    },
  }
}

/** Switches the computer's theme and waits until the page has followed. */
export async function inTheme(page: Page, theme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme: theme })
  await page.locator(`html[data-theme=${theme}]`).waitFor()
  await comesToRest(page)
}

/**
 * Waits until no colour fades any more: half-way it is neither theme's. What inherits one fades after it. Looked at from
 * here, not with animation frames: axe works in a page of its own, and one that lies behind it draws none.
 */
async function comesToRest(page: Page): Promise<void> {
  await page.bringToFront()
  const fading = (): Promise<string[]> =>
    page.evaluate(() =>
      document
        .getAnimations()
        .filter((each) => each instanceof CSSTransition && /color|opacity/.test(each.transitionProperty))
        .map((each) => (each as CSSTransition).transitionProperty),
    )
  const deadline = Date.now() + 20_000
  for (let quiet = 0; quiet < 3;) {
    const now = await fading()
    quiet = now.length === 0 ? quiet + 1 : 0
    if (Date.now() > deadline) throw new Error(`still fading after 20 s: ${now.join(', ')}`)
    await page.waitForTimeout(20)
  }
}

/** Pictures for the eye, in both themes, where KESTREL_TEST_PICTURES names a folder. @param name of the files, before the theme */
export async function takePictures(page: Page, name: string): Promise<void> {
  const folder = process.env['KESTREL_TEST_PICTURES']
  if (!folder) return
  for (const theme of ['light', 'dark'] as const) {
    await inTheme(page, theme)
    await page.screenshot({ path: join(folder, `${name}-${theme}.png`) })
  }
  await inTheme(page, 'light')
}

/** Axe finds nothing serious or critical on the page as it is. @throws with each finding, and where it is */
export async function expectAccessible(page: Page): Promise<void> {
  await comesToRest(page)
  const { violations } = await new AxeBuilder({ page })
    .options({
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'],
      // WCAG 2.5.3, which axe does not yet look at by itself.
      rules: { 'label-content-name-mismatch': { enabled: true } },
    })
    .analyze()
  const problems = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(
        ({ target, failureSummary }) => `${id} (${help}) at ${target.join(' ')}: ${failureSummary ?? ''}`,
      ),
    )
  const theme = await page.locator('html').getAttribute('data-theme')
  // In one line, which is what a summary of failures keeps.
  if (problems.length > 0) throw new Error(`${theme}: ${problems.join(' | ')}`.replace(/\s+/g, ' '))
}

/** Chooses a folder or files the way a person does: by the button that opens the system's dialog. */
export async function chooseFiles(
  page: Page,
  click: () => Promise<void>,
  paths: string | string[],
): Promise<void> {
  const [chooser] = await Promise.all([page.waitForEvent('filechooser'), click()])
  await chooser.setFiles(paths)
}

/** Drops real files and folders onto a point of the page, as the system does. @param at selector; the window's middle when left out */
export async function dropPaths(page: Page, paths: string[], at?: string): Promise<void> {
  const box = at === undefined ? null : await page.locator(at).boundingBox()
  const x = box ? box.x + box.width / 2 : 720
  const y = box ? box.y + box.height / 2 : 450
  const session = await page.context().newCDPSession(page)
  const data = { items: [], files: paths, dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x, y, data })
    // Until the page has said whether it takes the drag, a drop counts as none.
    if (type !== 'drop') await page.evaluate(() => new Promise(requestAnimationFrame))
  }
  await session.detach()
}

/** Axe finds nothing on the page as it is, in either theme; it is left in the light one. */
export async function expectAccessibleInBothThemes(page: Page): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    await inTheme(page, theme)
    await expectAccessible(page)
  }
  await inTheme(page, 'light')
}

/** A project with the pictures that come with Kestrel, all of them imported. */
export async function trySample(page: Page): Promise<void> {
  await page.getByRole('button', { name: /Try a sample/ }).click()
  await page.waitForURL(/\/p\/.+\/pictures/)
  await page.getByText(/^2\d\d pictures added/).waitFor()
}

/** Goes to Pictures, Train, Results, Use or Export of the open project. */
export const goToStep = (page: Page, step: string): Promise<void> =>
  page
    .getByRole('navigation', { name: 'Steps' })
    .getByRole('link', { name: new RegExp(`\\b${step}\\b`) })
    .click()
