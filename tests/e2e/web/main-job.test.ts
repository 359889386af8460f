import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, JSHandle, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { sharedPath } from '../../helpers/shared.ts'
import {
  chooseFiles,
  expectAccessible,
  expectAccessibleInBothThemes,
  goToStep,
  launchBrowser,
  startStudio,
  trySample,
} from './studio.ts'
import type { RunningStudio } from './studio.ts'

/**
 * The second half of the main job on the sample, as a person does it: train, see what is wrong, mend it, train again,
 * see what flipped, use the model, take it away. With a ready-made network where real ones are at hand, else on pixels.
 */
const backbones = sharedPath('backbones')
if (existsSync(backbones)) process.env['KESTREL_BACKBONES'] = backbones

const sample = join(resourcesFolder(), 'samples')
let browser: Browser
let studio: RunningStudio
let page: Page

const goto = async (step: string): Promise<void> => {
  await goToStep(page, step)
  await page.getByRole('heading', { level: 1, name: step }).waitFor()
}
const trained = (): Promise<void> =>
  page
    .getByTestId('outcome')
    .getByText(/Finished: \d+ % right/)
    .waitFor({ timeout: 200_000 })

beforeAll(async () => {
  browser = await launchBrowser()
  studio = await startStudio(browser)
  page = await studio.open()
  await trySample(page)
})
afterAll(async () => {
  await studio?.close()
  await browser?.close()
})

/** What the window showed when a test failed: as a picture where one is asked for, and in words behind the message. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return
  const folder = process.env['KESTREL_TEST_PICTURES']
  if (folder) await page.screenshot({ path: join(folder, `${task.id}.png`) })
  const shown = (await page.locator('main, [role=status], [role=alert]').allInnerTexts()).join(' | ')
  for (const error of task.result.errors ?? []) {
    const [first = '', ...rest] = (error.stack ?? error.message).split('\n')
    error.stack = [first, `The page showed: ${shown.replace(/\s+/g, ' ').slice(0, 280)}`, ...rest].join('\n')
  }
})

describe('from training to taking the model away', () => {
  it('says how long it will take, trains with one press, and stays usable meanwhile', async () => {
    await goto('Train')
    await page.getByTestId('forecast').waitFor()
    await expectAccessibleInBothThemes(page)
    await page.getByTestId('start-training').click()
    await page.getByTestId('running').waitFor()
    await goto('Pictures')
    await page.keyboard.press('ArrowRight')
    await goto('Train')
    await trained()
    await expectAccessible(page)
  })

  it('answers with a figure and its interval, and opens the pictures of a cell', async () => {
    await goto('Results')
    await page
      .getByTestId('accuracy')
      .getByText(/% right/)
      .waitFor()
    await page.getByText(/the truth is between \d+ and \d+ %/).waitFor()
    await page.getByText('No test picture has been looked at').waitFor()
    const matrix = page.getByTestId('confusion-matrix')
    await matrix.focus()
    await page.keyboard.press('Enter')
    await page.getByTestId('gallery').locator('img').first().waitFor()
    await expectAccessibleInBothThemes(page)
  })

  it('counts looks at test pictures and says them beside the figure', async () => {
    await page.reload()
    await page
      .getByTestId('test-looks')
      .getByText(/Test pictures looked at: [1-9]/)
      .waitFor()
  })

  it('mends a label among the training pictures, trains again and shows what flipped', async () => {
    await page.getByRole('button', { name: 'Training pictures' }).click()
    const matrix = page.getByTestId('confusion-matrix')
    await matrix.waitFor()
    await matrix.focus()
    await page.keyboard.press('Enter')
    const gallery = page.getByTestId('gallery')
    const first = gallery.locator('li button').first()
    await first.click()
    expect(await first.getAttribute('aria-pressed')).toBe('true')
    await page.keyboard.press('2')
    await gallery.getByText(/^now /).first().waitFor()
    await page.getByRole('link', { name: 'Train again' }).click()
    await page.getByTestId('start-training').click()
    await page.getByTestId('running').waitFor()
    await trained()
    await goto('Results')
    await page.getByRole('combobox', { name: /Compare with/ }).click()
    await page.getByRole('option', { name: /^Run 1/ }).click()
    await page
      .getByTestId('compare')
      .getByText(/pictures were judged by both|got the same answer/)
      .waitFor()
    await expectAccessibleInBothThemes(page)
  })

  it('answers for a picture that is chosen, and takes the correction into the project', async () => {
    await goto('Use')
    await expectAccessibleInBothThemes(page)
    const [label] = await labels()
    const file = join(sample, label!.folder, label!.picture)
    await chooseFiles(page, () => page.getByRole('button', { name: /Choose pictures/ }).click(), file)
    await page.getByTestId('answer-label').waitFor()
    await page
      .getByTestId('answer')
      .getByText(/\d+ ms/)
      .first()
      .waitFor()
    await expectAccessibleInBothThemes(page)
    await page.keyboard.press('n')
    await page.getByRole('combobox', { name: 'What is it?' }).fill('something new')
    await page.keyboard.press('Enter')
    await page.getByText(/label is now something new|Added to the project as something new/).waitFor()
    await goto('Pictures')
    await page.getByText('something new').first().waitFor()
    await page.keyboard.press('Control+z')
  })

  it('answers for a dropped file and for a pasted picture', async () => {
    await goto('Use')
    const [label] = await labels()
    await dropFile(join(sample, label!.folder, label!.picture), 'dropped.jpg')
    await page.getByText('dropped.jpg').first().waitFor()
    await pasteFile(join(sample, label!.folder, label!.picture), 'pasted.jpg')
    await page.getByText('pasted.jpg').first().waitFor()
  })

  it('looks through a folder and gives a table and a CSV', async () => {
    const [label] = await labels()
    await chooseFiles(
      page,
      () => page.getByRole('button', { name: /Choose a folder/ }).click(),
      join(sample, label!.folder),
    )
    const table = page.getByTestId('folder-table')
    await table.locator('tbody tr').first().waitFor({ timeout: 60_000 })
    await expectAccessibleInBothThemes(page)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      table.getByRole('link', { name: /CSV/ }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/\.csv$/)
  })

  it('exports, proves the file on the original pictures and lets it be saved', async () => {
    await goto('Export')
    const card = page.getByTestId('export-onnx')
    await card.getByTestId('make').click()
    await card
      .getByTestId('proof')
      .getByText(/(\d+) of \1 same answer/)
      .waitFor({ timeout: 120_000 })
    await expectAccessibleInBothThemes(page)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      card.getByRole('link', { name: /zip/ }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/\.zip$/)
    await card.getByRole('button', { name: 'How to use it' }).click()
    await page
      .getByRole('dialog')
      .getByText(/onnxruntime/)
      .first()
      .waitFor()
    await page.keyboard.press('Escape')
  })

  it('has settings, keys and diagnostics', async () => {
    await page
      .getByRole('button', { name: 'Settings' })
      .or(page.getByRole('link', { name: 'Settings' }))
      .first()
      .click()
    await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor()
    await page.getByText('ONNX Runtime').first().waitFor()
    await expectAccessibleInBothThemes(page)
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByTestId('diagnostics').click(),
    ])
    expect(download.suggestedFilename()).toMatch(/^kestrel-diagnostics.*\.zip$/)
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
  })
})

async function labels(): Promise<{ folder: string; picture: string }[]> {
  const [set] = (await readdir(sample, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const folders = (await readdir(join(sample, set!.name), { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  )
  return Promise.all(
    folders.map(async ({ name }) => ({
      folder: join(set!.name, name),
      picture: (await readdir(join(sample, set!.name, name)))[0]!,
    })),
  )
}

/** A data transfer in the page that carries a real file's bytes. */
async function carrying(path: string, name: string): Promise<JSHandle<DataTransfer>> {
  return page.evaluateHandle(
    ({ data, fileName }) => {
      const transfer = new DataTransfer()
      transfer.items.add(new File([new Uint8Array(data)], fileName, { type: 'image/jpeg' }))
      return transfer
    },
    { data: [...(await readFile(path))], fileName: name },
  )
}

async function pasteFile(path: string, name: string): Promise<void> {
  const transfer = await carrying(path, name)
  await page.evaluate((clipboardData) => {
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }))
  }, transfer)
}

/** Drops a real file's bytes on the window, the way the browser hands them over. */
async function dropFile(path: string, name: string): Promise<void> {
  const dataTransfer = await carrying(path, name)
  for (const type of ['dragenter', 'dragover', 'drop'])
    await page.dispatchEvent('body', type, { dataTransfer })
}
