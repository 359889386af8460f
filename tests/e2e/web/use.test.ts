import { copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as yauzl from 'yauzl'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { withContents } from '../../helpers/folders.ts'
import {
  chooseFiles,
  expectAccessibleInBothThemes,
  goToStep,
  launchBrowser,
  startStudio,
  takePictures,
  trySample,
} from './studio.ts'
import type { RunningStudio } from './studio.ts'

/** Use, on a model trained on the sample: what is asked is answered, labels are the ones that were typed, tables stay. */
const sample = join(resourcesFolder(), 'samples', 'forest-finds')
let browser: Browser
let studio: RunningStudio
let page: Page
let work: string

async function goto(step: string): Promise<void> {
  await goToStep(page, step)
  await page.getByRole('heading', { level: 1, name: step }).waitFor()
}

/** The first pictures of a label of the sample. */
async function pictures(label: string, count: number): Promise<string[]> {
  const names = (await readdir(join(sample, label))).sort().slice(0, count)
  return names.map((name) => join(sample, label, name))
}

async function folderOf(name: string, paths: readonly string[]): Promise<string> {
  const folder = join(work, name)
  await mkdir(folder)
  for (const [index, path] of paths.entries()) await copyFile(path, join(folder, `${name} ${index + 1}.jpg`))
  return folder
}

/** What is shown now, in both themes; as pictures for the eye as well, where a folder is named. */
async function look(name: string): Promise<void> {
  await expectAccessibleInBothThemes(page)
  await take(name)
}
const take = (name: string): Promise<void> => takePictures(page, `use-${name}`)

const choose = (button: RegExp, paths: string | string[]): Promise<void> =>
  chooseFiles(page, () => page.getByRole('button', { name: button }).click(), paths)

async function paste(paths: readonly string[]): Promise<void> {
  const files = await Promise.all(paths.map(async (path) => [...(await readFile(path))]))
  await page.evaluate((all) => {
    const clipboardData = new DataTransfer()
    for (const [index, data] of all.entries())
      clipboardData.items.add(
        new File([new Uint8Array(data)], `pasted ${index + 1}.jpg`, { type: 'image/jpeg' }),
      )
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))
  }, files)
}

/** Opens "No, it is…" and types. @returns the field */
async function itIs(text: string): Promise<Locator> {
  await page.keyboard.press('n')
  const field = page.getByRole('combobox', { name: 'What is it?' })
  await field.fill(text)
  return field
}
const highlighted = (): Locator => page.getByTestId('answer').getByRole('option', { selected: true })

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-use-'))
  browser = await launchBrowser()
  studio = await startStudio(browser)
  page = await studio.open()
  await trySample(page)
  await goto('Train')
  await page.getByTestId('start-training').click()
  await page
    .getByTestId('outcome')
    .getByText(/Finished: \d+ % right/)
    .waitFor({ timeout: 200_000 })
  await goto('Use')
})
afterAll(async () => {
  await studio?.close()
  await browser?.close()
  await rm(work, withContents)
})

describe('single pictures', () => {
  it('asks all that are pasted', async () => {
    await paste(await pictures('shell', 3))
    const strip = page.getByTestId('asked').getByRole('listitem')
    await strip.nth(2).waitFor()
    expect(await strip.count()).toBe(3)
    await look('pasted')
  })

  it('makes a new label of a name that another label only holds', async () => {
    const field = await itIs('el')
    expect(await highlighted().innerText()).toContain('New label “el”')
    await look('label')
    await field.press('Enter')
    await page.getByText('its label is now el.').waitFor()
  })

  it('takes the label of exactly this name, and what the arrows lead to', async () => {
    await choose(/Choose pictures/, await pictures('mushroom', 1))
    await page.getByRole('button', { name: /No, it is/ }).waitFor()
    await (await itIs('elm')).press('Enter')
    await page.getByText('its label is now elm.').waitFor()

    await choose(/Choose pictures/, await pictures('leaf', 1))
    await page.getByRole('button', { name: /No, it is/ }).waitFor()
    const field = await itIs('EL')
    // The label made a moment ago comes with the next word from the studio, not with the answer to the click.
    await page.getByTestId('answer').getByRole('option', { name: /^elm/ }).waitFor()
    expect((await highlighted().innerText()).split('\n')[0]).toBe('el')
    await field.press('ArrowDown')
    expect((await highlighted().innerText()).split('\n')[0]).toBe('elm')
    await field.press('Enter')
    await page.getByText('its label is now elm.').waitFor()
  })

  it('lets Pictures take back what was said, in words', async () => {
    await goto('Pictures')
    await page.getByRole('region', { name: 'Messages' }).waitFor({ state: 'attached' })
    await page.keyboard.press('Control+z')
    await page.getByText('Undone: the label given in Use').waitFor()
    await goto('Use')
  })

  it('keeps under Enter what was pointed at while labels are made elsewhere', async () => {
    await choose(/Choose pictures/, await pictures('leaf', 1))
    await page.getByRole('button', { name: /No, it is/ }).waitFor()
    const field = await itIs('EL')
    const options = page.getByTestId('answer').getByRole('option')
    while ((await highlighted().innerText()).split('\n')[0] !== 'shell') await field.press('ArrowDown')
    const before = await options.count()

    const { origin, pathname } = new URL(page.url())
    const made = await page.request.post(`${origin}/rpc/labels/create`, {
      data: { json: { projectId: pathname.split('/')[2], name: 'elder' } },
      headers: { origin },
    })
    expect(made.ok()).toBe(true)
    await options.nth(before).waitFor()
    expect((await highlighted().innerText()).split('\n')[0]).toBe('shell')
    await field.press('Escape')
  })
})

describe('what was asked', () => {
  const strip = (): Locator => page.getByTestId('asked').getByRole('listitem')
  const clear = async (): Promise<void> => {
    await page.getByTestId('asked').getByRole('button', { name: 'Clear' }).click()
    await look('clear')
    await page.getByRole('dialog').getByRole('button', { name: 'Clear' }).click()
    await page.getByTestId('use-drop').waitFor()
  }

  it('stays over visits to other steps and a reload, with the label that was given', async () => {
    await clear()
    const [feather, shell] = [...(await pictures('feather', 1)), ...(await pictures('shell', 1))]
    await choose(/Choose pictures/, [feather!, shell!])
    await strip().nth(1).waitFor()
    await (await itIs('shell')).press('Enter')
    await page.getByText('its label is now shell.').waitFor()

    await goto('Results')
    await goto('Use')
    await page.getByTestId('answer').getByText('In the project as shell').waitFor()
    expect(await strip().count()).toBe(2)
    await look('asked')

    await page.reload()
    await page.getByTestId('answer').getByText('In the project as shell').waitFor()
    expect(await strip().count()).toBe(2)
    await strip().nth(1).click()
    await page.getByRole('button', { name: /No, it is/ }).waitFor()
    const shown = page.locator('img[alt$=".jpg"]')
    await expect.poll(() => shown.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0)
  })

  it('takes another label, and says so no longer when that is taken back', async () => {
    await strip().nth(0).click()
    await page.getByRole('button', { name: 'Another label' }).click()
    const field = page.getByRole('combobox', { name: 'What is it?' })
    await field.fill('feather')
    await field.press('Enter')
    await page.getByText('its label is now feather.').waitFor()
    await goto('Pictures')
    await page.getByRole('region', { name: 'Messages' }).waitFor({ state: 'attached' })
    await page.keyboard.press('Control+z')
    await page.getByText('Undone: the label given in Use').first().waitFor()
    await goto('Use')
    await page.getByTestId('answer').getByText('In the project as shell').waitFor()
  })

  it('is gone when it is cleared, also after a reload', async () => {
    await clear()
    await goto('Results')
    await goto('Use')
    await page.getByTestId('use-drop').waitFor()
    await page.reload()
    await page.getByTestId('use-drop').waitFor()
    expect(await strip().count()).toBe(0)
  })
})

describe('folders', () => {
  it('give a table however few pictures they hold, and sorted copies as a download', async () => {
    await choose(/Choose a folder/, await folderOf('walk', await pictures('feather', 3)))
    const table = page.getByTestId('folder-table')
    await table.getByRole('heading', { name: 'walk' }).waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      table.getByRole('link', { name: 'Sorted copies (zip)' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('walk sorted.zip')
    const zip = await yauzl.openPromise(await download.path())
    const names: string[] = []
    for await (const { fileName } of zip.eachEntry()) names.push(fileName)
    expect(names).toHaveLength(3)
    for (const name of names) expect(name).toMatch(/^walk sorted\/[^/]+\/walk \d\.jpg$/)
    await look('table')
  })

  it('keep their table while other steps are visited and single pictures are asked', async () => {
    await goto('Results')
    await goto('Use')
    const table = page.getByTestId('folder-table')
    await table.getByRole('heading', { name: 'walk' }).waitFor()
    expect(await table.locator('tbody tr').count()).toBe(3)

    await choose(/Choose pictures/, await pictures('mushroom', 2))
    await page.getByTestId('answer-label').waitFor()
    await look('folders')
    await page.getByTestId('folders').getByRole('button', { name: /walk/ }).click()
    await table.getByRole('heading', { name: 'walk' }).waitFor()

    await page.reload()
    await table.getByRole('heading', { name: 'walk' }).waitFor()
  })

  it('make a table of more than a handful of single pictures', async () => {
    await choose(/Choose pictures/, [...(await pictures('shell', 8)), ...(await pictures('leaf', 8))])
    const table = page.getByTestId('folder-table')
    await table.getByRole('heading', { name: 'Pictures' }).waitFor()
    await table.getByText('16 pictures').waitFor()
  })

  it('say that they are done wherever the person is, and lead to the table', async () => {
    const all = [...(await pictures('shell', 20)), ...(await pictures('mushroom', 20))]
    await choose(/Choose a folder/, await folderOf('evening', all))
    await goto('Pictures')
    await page.getByText('“evening” is looked through').waitFor()
    await take('notice')
    await page.getByRole('button', { name: 'Show the table' }).click()
    const table = page.getByTestId('folder-table')
    await table.getByRole('heading', { name: 'evening' }).waitFor()
    await table.getByText('40 pictures').waitFor()
  })
})
