import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  expectAccessible,
  expectAccessibleInBothThemes,
  inTheme,
  launchBrowser,
  startStudio,
} from './studio.ts'
import type { RunningStudio } from './studio.ts'

/** The first thing a person sees, and the way back to what they had. */
let browser: Browser
let studio: RunningStudio
let page: Page

beforeAll(async () => {
  browser = await launchBrowser()
  studio = await startStudio(browser)
  page = await studio.open()
})
afterAll(async () => {
  await studio.close()
  await browser.close()
})
const toStart = async (): Promise<void> => {
  await page.goto(new URL('/', page.url()).href)
  await page.getByRole('heading', { name: 'Teach your computer' }).waitFor()
}
const card = (name: string) => page.getByRole('listitem').filter({ hasText: name })

describe('the start page', () => {
  test('says what to do when there is nothing yet', async () => {
    await page.getByText('Train in one press').waitFor()
    await expectAccessibleInBothThemes(page)
  })

  test('makes a project, which waits for pictures', async () => {
    await page.getByRole('button', { name: 'New project' }).click()
    const dialog = page.getByRole('dialog', { name: 'New project' })
    await dialog.getByRole('textbox', { name: 'What is it about' }).fill('Moths of the garden')
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Create' }).click()
    await page.getByText('Bring in some pictures').waitFor()
    expect(await page.title()).toBe('Moths of the garden · Kestrel Studio')
    await expectAccessibleInBothThemes(page)
  })

  test('the project is renamed from its head', async () => {
    await page.getByRole('button', { name: /Moths of the garden/ }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await page.getByRole('textbox', { name: 'Name' }).fill('Night moths')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /Night moths/ }).waitFor()
  })

  test('the sample arrives with its labels while the page can be used', async () => {
    await toStart()
    await page.getByRole('button', { name: 'Try a sample' }).click()
    await page.locator('[data-index="0"][data-picture]').waitFor({ timeout: 30_000 })
    await page.getByText(/pictures added/).waitFor({ timeout: 60_000 })
    expect(await page.locator('[data-label]').count()).toBeGreaterThanOrEqual(3)
    // The rail says what is done and what is next.
    const steps = page.getByRole('navigation', { name: 'Steps' })
    await steps.getByRole('link', { name: /Pictures done/ }).waitFor()
    await steps.getByRole('link', { name: /Train next/ }).waitFor()
  })

  test('recent projects show pictures and labels, and open again', async () => {
    await toStart()
    await card('Night moths').waitFor()
    const sample = card('feather')
    await expect.poll(() => sample.locator('img').count(), { timeout: 15_000 }).toBe(6)
    await expectAccessibleInBothThemes(page)
    await sample.getByRole('button').first().click()
    await page.locator('[data-index="0"][data-picture]').waitFor()
  })

  test('nothing is asked of a project before it is open, nor twice for the same pictures', async () => {
    await page.locator('[data-picture].drawn').first().waitFor()
    const { pathname } = new URL(page.url())
    await studio.restart('SIGTERM')
    await page.close()
    page = await studio.open()
    await card('feather').waitFor()
    const refused: string[] = []
    const thumbnails: string[] = []
    page.on('response', (response) => response.status() >= 400 && refused.push(response.url()))
    page.on('request', (request) => /\/thumbs\//.test(request.url()) && thumbnails.push(request.url()))
    await page.goto(new URL(pathname, page.url()).href)
    await page.locator('[data-picture].drawn').first().waitFor()
    await page.getByRole('link', { name: /Train next/ }).waitFor()
    await expect.poll(() => page.locator('[data-picture].waiting').count()).toBe(0)
    expect(refused).toEqual([])
    expect(thumbnails).toHaveLength(new Set(thumbnails).size)
    expect(thumbnails.length).toBeGreaterThan(0)
  })

  test('a project taken off the list stays on the disk', async () => {
    await toStart()
    await card('Night moths')
      .getByRole('button', { name: /What to do with/ })
      .click()
    await page.getByRole('menuitem', { name: 'Take it off this list' }).click()
    await page.getByText('Its folder was not touched').waitFor()
    await expect.poll(() => card('Night moths').count()).toBe(0)
  })

  test('a project whose folder is gone says so', async () => {
    await toStart()
    await page.getByRole('button', { name: 'New project' }).click()
    await page.getByRole('textbox', { name: 'What is it about' }).fill('Lost one')
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByText('Bring in some pictures').waitFor()
    const address = page.url()
    await studio.restart('SIGTERM')
    const folders = await projectFolders(studio.home)
    const lost = folders.find((folder) => folder.includes('Lost one'))
    if (!lost) throw new Error(`no folder of the project in ${folders.join(', ')}`)
    await rm(lost, { recursive: true })
    await page.close()
    page = await studio.open()
    await card('Lost one').getByText('Its folder is not there any more').waitFor()
    await page.goto(new URL(new URL(address).pathname, page.url()).href)
    await page.getByRole('heading', { name: 'The project could not be opened' }).waitFor()
    await expectAccessible(page)
    await page.getByRole('link', { name: 'Back to all projects' }).click()
    await card('feather').waitFor()
  })
})

describe('the shell', () => {
  test('switches the theme and remembers it', async () => {
    await toStart()
    await inTheme(page, 'light')
    await page.getByRole('button', { name: 'Switch to the dark theme' }).click()
    await expect.poll(() => page.locator('html').getAttribute('data-theme')).toBe('dark')
    await page.reload()
    await page.getByRole('button', { name: 'Switch to the light theme' }).click()
    await expect.poll(() => page.locator('html').getAttribute('data-theme')).toBe('light')
  })

  test('an address that leads nowhere says so', async () => {
    await page.goto(new URL('/nowhere/at/all', page.url()).href)
    await page.getByText('There is nothing here').waitFor()
  })
})

async function projectFolders(home: string): Promise<string[]> {
  const found = await readdir(home, { recursive: true, withFileTypes: true })
  return found
    .filter((entry) => entry.isDirectory() && entry.name.endsWith('.kestrel'))
    .map(({ parentPath, name }) => join(parentPath, name))
}
