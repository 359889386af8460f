/**
 * Takes the README's pictures from the real app: `node scripts/take-pictures.ts PROJECT.kestrel`. Needs a built page, a
 * browser, and a project with a finished run and an export.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'
import type { Page } from 'playwright-core'
import { findBrowser } from './lib/browser.ts'

const [project] = process.argv.slice(2)
const executablePath = findBrowser()
if (project === undefined || executablePath === null) {
  console.error('usage: take-pictures.ts PROJECT.kestrel (and a browser on this machine)')
  process.exit(2)
}
const target = resolve(import.meta.dirname, '../docs/pictures')
await mkdir(target, { recursive: true })

const cli = resolve(import.meta.dirname, '../electron/cli/main.ts')
const studio = fork(cli, ['serve', '--project', resolve(project)], {
  stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
})
if (studio.stdout === null) throw new Error('the studio has no output')
const [address] = (await once(createInterface(studio.stdout), 'line')) as [string]

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
const open = async (scheme: 'light' | 'dark', page: Page): Promise<void> => {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' })
}
const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
await page.goto(address)
await page.waitForURL((url) => !url.searchParams.has('token'))
await page.waitForTimeout(1500)
if (!page.url().includes('/p/')) await page.locator('li.card button.open').first().click()
await page.waitForURL(/\/p\//)
const base = page.url().replace(/(\/p\/[^/]+).*/, '$1')

async function shot(
  name: string,
  step: string,
  scheme: 'light' | 'dark',
  act?: () => Promise<void>,
): Promise<void> {
  await open(scheme, page)
  await page.goto(`${base}/${step}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await page.waitForTimeout(1200)
  await act?.()
  await page.waitForTimeout(900)
  await page.screenshot({ path: join(target, `${name}-${scheme}.png`) })
}

for (const scheme of ['light', 'dark'] as const) {
  await shot('pictures', 'pictures', scheme, async () => {
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
  })
  await shot('train', 'train', scheme)
  await shot('results', 'results', scheme, async () => {
    await page.getByRole('button', { name: 'Training pictures' }).click()
    await page.waitForTimeout(800)
    await page.locator('.cell:not(.right)').first().click()
  })
  await shot('use', 'use', scheme, async () => {
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      page.getByRole('button', { name: /Choose pictures/ }).click(),
    ])
    await chooser.setFiles(resolve(import.meta.dirname, '../resources/samples/forest-finds/mushroom/07.jpg'))
    await page.getByTestId('answer-label').waitFor()
  })
  await shot('export', 'export', scheme)
}
await open('light', page)
await page.goto(new URL('/', base).href)
await page.waitForTimeout(900)
await page.screenshot({ path: join(target, 'start-light.png') })
await browser.close()
studio.kill('SIGTERM')
await once(studio, 'exit')
