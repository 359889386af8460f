import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { closeDisplay, launch } from './launcher.ts'
import type { LaunchedApp } from './launcher.ts'
import { withContents } from '../../helpers/folders.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const samples = join(root, 'resources', 'samples', 'forest-finds')

/** A folder with some of the sample's pictures, as a person would have it. */
function pictureFolder(parent: string, perLabel: number): string {
  const folder = join(parent, 'Forest walk')
  for (const label of ['feather', 'leaf', 'shell']) {
    mkdirSync(join(folder, label), { recursive: true })
    for (const name of readdirSync(join(samples, label)).sort().slice(0, perLabel))
      cpSync(join(samples, label, name), join(folder, label, name))
  }
  return folder
}

/** Drops real files on the window, the way the system does: Chromium gets paths, and makes the files of the event itself. */
async function drop(page: Page, paths: string[]): Promise<void> {
  const devtools = await page.context().newCDPSession(page)
  const data = { items: [], files: paths, dragOperationsMask: 1 }
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const)
    await devtools.send('Input.dispatchDragEvent', { type, x: 500, y: 400, data })
  await devtools.detach()
}

const pidsIn = (log: string, what: string): number[] =>
  [...log.matchAll(new RegExp(`${what}, pid (\\d+)`, 'g'))].map((found) => Number(found[1]))

const step = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: new RegExp(`\\b${name}\\b`) })

describe('the studio in its window', () => {
  const work = mkdtempSync(join(tmpdir(), 'kestrel-app-'))
  const home = join(work, 'home')
  // Only what comes with Kestrel.
  const env = { KESTREL_BACKBONES: work, HOME: work }
  let kestrel: LaunchedApp
  let page: Page

  beforeAll(async () => {
    kestrel = await launch({ home, env })
    page = kestrel.page
  })
  afterAll(async () => {
    await kestrel.close()
    rmSync(work, withContents)
    closeDisplay()
  })

  async function reopen(): Promise<void> {
    kestrel = await launch({ home, env })
    page = kestrel.page
  }

  it('starts on its first page, without a port and without another origin', async () => {
    await page.getByRole('button', { name: 'Try a sample' }).waitFor()
    expect(await page.evaluate(() => location.origin)).toBe('studio://app')
    const origins = await page.evaluate(() => {
      const named = [...document.querySelectorAll<HTMLElement>('[src], link[href]')]
      return [
        ...new Set(
          named.map(
            (element) =>
              new URL(element.getAttribute('src') ?? element.getAttribute('href')!, location.href).protocol,
          ),
        ),
      ]
    })
    expect(origins).toEqual(['studio:'])
  })

  it('serves nothing outside its ids', async () => {
    const statuses = await page.evaluate(() =>
      Promise.all(
        [
          '/media/x/thumb/1',
          '/media/..%2f..%2fetc%2fpasswd',
          '/media/recent/x/../../etc/passwd.txt',
          '/assets/../../package.json',
          '/package.json',
          '/internal/status',
          '/upload/guessed-token',
        ].map(async (path) => (await fetch(path)).status),
      ),
    )
    for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400)
  })

  it('takes a dropped folder by its place on the disk, and its sub-folders as labels', async () => {
    await drop(page, [pictureFolder(work, 16)])
    await page.getByRole('button', { name: 'Add 48 pictures' }).click()
    await page.getByText('48 pictures added').waitFor({ timeout: 60_000 })
    for (const label of ['feather', 'leaf', 'shell'])
      await expect.poll(() => page.getByText(label, { exact: true }).count()).toBeGreaterThan(0)
    // Paths went past the page, not through uploads.
    expect(readdirSync(join(home, 'uploads'))).toEqual([])
  })

  it('trains a small model on them', async () => {
    await step(page, 'Train').click()
    await page.getByTestId('start-training').click()
    await page.getByTestId('outcome').getByText('Finished').waitFor({ timeout: 180_000 })
    expect(pidsIn(kestrel.log(), 'trainer started').length).toBeGreaterThan(0)
  })

  /** Long enough to be interrupted. */
  const fromScratch = () => page.getByRole('radio', { name: /From scratch/ }).click()

  it('keeps everything when it is closed during a training, and says so when it is opened again', async () => {
    await fromScratch()
    await page.getByTestId('start-training').click()
    await page.getByTestId('running').waitFor()
    await kestrel.app.close()
    await reopen()
    await page.getByText('Forest walk').first().click()
    await step(page, 'Train').click()
    await page.getByTestId('outcome').getByText('The training was interrupted').waitFor()
    await step(page, 'Pictures').click()
    await page.getByText('48').first().waitFor()
  })

  it('goes on when the studio process is killed, and tells the person', async () => {
    const before = pidsIn(kestrel.log(), 'studio ready').at(-1)
    process.kill(before!, 'SIGKILL')
    await page.getByText('The studio was restarted').first().waitFor()
    expect(pidsIn(kestrel.log(), 'studio ready').at(-1)).not.toBe(before)
    await page.reload()
    await page.getByText('48').first().waitFor()
  })

  it('says what happened when a training process is killed', async () => {
    await step(page, 'Train').click()
    await fromScratch()
    await page.getByTestId('start-training').click()
    await page.getByTestId('running').waitFor()
    const trainers = pidsIn(kestrel.log(), 'trainer started')
    process.kill(trainers.at(-1)!, 'SIGKILL')
    await page.getByTestId('outcome').getByText('The training did not finish').waitFor({ timeout: 60_000 })
    await expect.poll(() => page.getByTestId('start-training').isEnabled()).toBe(true)
  })
})
