import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { drawPictures } from '../../helpers/drawn-pictures.ts'
import { withContents } from '../../helpers/folders.ts'
import { tinyBackboneFolder, trainingStudio } from '../../helpers/training-studio.ts'
import { expectAccessibleInBothThemes, goToStep, launchBrowser, startStudio, takePictures } from './studio.ts'
import type { RunningStudio } from './studio.ts'

/** Results of trainings that were made beforehand: six labels in two runs, and a hundred and twenty labels. */
let place: string
let browser: Browser
let studio: RunningStudio
let page: Page

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'kestrel-results-'))
  const home = join(place, 'home')
  const made = await trainingStudio(home, await tinyBackboneFolder(join(place, 'backbones')))
  // Ash looks like fir, and birch like oak: there are mistakes, and other ones when the parts are cut differently.
  const trees = ['ash', 'birch', 'cedar', 'elm', 'fir', 'oak']
  const shapes = await made.projectOf(await drawn('shapes', trees, 20), 'Shapes')
  await made.train(shapes)
  await made.train(shapes, { folds: 3 })
  const species = Array.from({ length: 120 }, (_, label) => `Very long species name number ${label + 1}`)
  const many = await made.projectOf(await drawn('many', species, 4), 'Many')
  await made.train(many, { folds: 2 })
  await made.close()

  browser = await launchBrowser()
  studio = await startStudio(browser, { home })
})
afterAll(async () => {
  await studio?.close()
  await browser?.close()
  await rm(place, withContents)
})

/** Drawn pictures in a folder per label; labels look alike in fours. */
async function drawn(name: string, labels: string[], count: number): Promise<string> {
  const folder = join(place, name)
  for (const { path, label } of await drawPictures(folder, { classes: labels.length, count, seed: 3 })) {
    const into = join(folder, labels[label]!)
    await mkdir(into, { recursive: true })
    await rename(path, join(into, basename(path)))
  }
  return folder
}

async function openResults(name: string): Promise<void> {
  page = await studio.open()
  await page
    .getByRole('button', { name: new RegExp(name) })
    .first()
    .click()
  await goToStep(page, 'Results')
  await page.getByTestId('accuracy').waitFor()
}
const keep = (name: string): Promise<void> => takePictures(page, name)

const gallery = () => page.getByTestId('gallery')
const tiles = () => gallery().locator('.pictures li')
const said = async (): Promise<number[]> =>
  (await gallery().locator('.says').allInnerTexts()).map((text) => Number(/(\d+) %/.exec(text)?.[1]))

describe('two runs', () => {
  beforeAll(async () => {
    await openResults('Shapes')
  })

  test('a test picture opened large in Pictures is counted, a small one is not', async () => {
    await page.getByText('No test picture has been looked at').waitFor()
    const results = page.url()
    const looks = page.getByTestId('test-looks')
    const testPictures = async (): Promise<void> => {
      await page.goto(results.replace(/results.*/, 'pictures?split=test'))
      await page.getByRole('grid', { name: '18 pictures' }).waitFor()
    }
    await testPictures()
    await page.goto(results)
    await looks.getByText('No test picture has been looked at').waitFor()
    await testPictures()
    await page.locator('[data-index="0"][data-picture]').click()
    await page.keyboard.press('Space')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await page.getByText('Picture 3 of').waitFor()
    await page.keyboard.press('Escape')
    await goToStep(page, 'Results')
    await looks.getByText(/looked at: 3\./).waitFor()
  })

  test('a picture the model calls otherwise is called what its tile shows', async () => {
    const results = page.url()
    await page.goto(results.replace(/results.*/, 'pictures'))
    const tile = page.getByRole('gridcell', { name: /^[^,]+, \w+, \w+\? is what the model says$/ }).first()
    await tile.waitFor()
    const shown = await tile.locator('span').allInnerTexts()
    expect(await tile.getAttribute('aria-label')).toContain(shown.filter(Boolean).join(', '))
    await keep('pictures')
    await expectAccessibleInBothThemes(page)
    await page.goto(results)
    await page.getByTestId('accuracy').waitFor()
  })

  test('a label opens all its pictures, least certain first, and its mistakes on their own', async () => {
    await page.getByRole('button', { name: 'Training pictures' }).click()
    await page.getByTestId('accuracy').waitFor()
    const table = page.getByRole('region', { name: 'Each label' })
    const row = table.locator('tbody tr').first()
    const label = await row.locator('.unseen').innerText()
    const support = Number(await row.locator('td').last().innerText())
    await row.getByRole('button').click()
    await gallery()
      .getByRole('heading', { name: `All that are ${label}` })
      .waitFor()
    await gallery().getByText(`${support} pictures`, { exact: true }).waitFor()
    await expect.poll(() => tiles().count()).toBe(support)
    const shares = await said()
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
    const chip = gallery().getByRole('button', { name: /^Only mistakes/ })
    const wrong = Number(/\d+/.exec(await chip.innerText())?.[0])
    expect(await gallery().getByText('mistake', { exact: true }).count()).toBe(wrong)
    await keep('gallery')
    await chip.click()
    await gallery()
      .getByRole('heading', { name: `${label}, taken for something else` })
      .waitFor()
    await expect.poll(() => tiles().count()).toBe(wrong)
    const surest = await said()
    expect(surest).toEqual(surest.toSorted((a, b) => b - a))
    await page.getByTestId('confusion-matrix').locator('.top').first().click()
    await gallery()
      .getByRole('heading', { name: /^All that are called/ })
      .waitFor()
  })

  test('the matrix says in words what the mouse is at, else what was chosen, or where the keys have led', async () => {
    const matrix = page.getByTestId('confusion-matrix')
    const caption = page.locator('#matrix-here')
    const names = await matrix.locator('.side .unseen').allInnerTexts()
    const away = () => page.getByRole('heading', { level: 1 }).hover()
    await matrix.locator('.side').nth(2).click()
    await expect.poll(() => caption.innerText()).toMatch(new RegExp(`^${names[2]}: \\d+ pictures`))
    await away()
    await matrix.locator('.top').nth(1).click()
    await expect.poll(() => caption.innerText()).toMatch(new RegExp(`^called ${names[1]}: `))
    await away()
    const cell = matrix.locator('.cell').first()
    await cell.hover()
    await expect.poll(() => caption.innerText()).toBe(await cell.getAttribute('aria-label'))
    await away()
    await expect.poll(() => caption.innerText()).toMatch(new RegExp(`^called ${names[1]}: `))
    // The keys go on from the row and the column that were clicked, wherever the mouse lies.
    await cell.hover()
    await matrix.locator('.top').nth(1).focus()
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowUp')
    await expect
      .poll(() => caption.innerText())
      .toMatch(new RegExp(`^(no )?${names[1]} (is )?taken for ${names[0]}`))
    await page.keyboard.press('End')
    await expect
      .poll(() => caption.innerText())
      .toMatch(new RegExp(`^(no )?${names[1]} (is )?taken for ${names[5]}`))
    expect(await matrix.evaluate((frame) => document.activeElement === frame)).toBe(true)
    // Nobody is at a cell any more: what was chosen is said again.
    await page.getByRole('combobox', { name: 'Order' }).first().focus()
    await away()
    await expect.poll(() => caption.innerText()).toMatch(new RegExp(`^called ${names[1]}: `))
  })

  test('Undo says what it undid, redo does it again, and a notice takes back its own step only', async () => {
    await tiles().first().getByRole('button').click()
    await page.keyboard.press('Delete')
    const notice = page.getByRole('region', { name: 'Messages' }).locator('.notice', { hasText: 'excluded' })
    await notice.getByRole('button', { name: 'Undo' }).waitFor()
    await tiles().nth(1).getByRole('button').click()
    await page.keyboard.press('k')
    await page.getByText('Noted: the label is right').waitFor()
    await expect.poll(() => notice.getByRole('button', { name: 'Undo' }).count()).toBe(0)
    await page.keyboard.press('Control+z')
    await page.getByText('Undone: keeping as it is').waitFor()
    await page.keyboard.press('Control+Shift+z')
    await page.getByText('Done again: keeping as it is').waitFor()
    await page.keyboard.press('Control+z')
    await page.keyboard.press('Control+z')
    await page.getByText('Undone: excluding').waitFor()
    await expect.poll(() => gallery().getByText('excluded', { exact: true }).count()).toBe(0)
  })

  test('stand side by side with the figures of the part that is shown, and their flips open to be mended', async () => {
    await page.getByRole('combobox', { name: 'Compare with' }).click()
    await page.getByRole('option', { name: /^Run 1/ }).click()
    const compare = page.getByTestId('compare')
    const figures = page.getByTestId('compare-figures')
    // 102 training pictures, not the 18 of the test.
    await expect.poll(() => figures.getByRole('cell', { name: '102', exact: true }).count()).toBe(2)
    await figures.getByRole('row', { name: /macro F1/ }).waitFor()
    const shown = /(\d+) % right/.exec(await page.getByTestId('accuracy').innerText())?.[1]
    expect(await figures.getByRole('row', { name: /^Right/ }).innerText()).toContain(shown)
    const labels = page.getByTestId('compare-labels').locator('tbody tr')
    expect(await labels.count()).toBe(6)
    await keep('compare')
    const group = compare.locator('section').first()
    const heading = await group.getByRole('heading').innerText()
    const [, kind, total] = /^(.+) · (\d+)$/.exec(heading.trim())!
    await group.locator('li button').first().click()
    await gallery().getByRole('heading', { name: kind! }).waitFor()
    await gallery()
      .getByText(/from run 1 to run 2/)
      .waitFor()
    await expect.poll(() => tiles().count()).toBe(Number(total))
    await gallery().getByText('one chosen').waitFor()
    await expect.poll(async () => (await gallery().boundingBox())!.y).toBeGreaterThanOrEqual(0)
    await expectAccessibleInBothThemes(page)
    await page.keyboard.press('k')
    await page.getByText('Noted: the label is right').last().waitFor()
    await page.keyboard.press('Control+z')
    await keep('flips')
  })
})

describe('a hundred and twenty labels that begin alike', () => {
  test('are told apart, and no column of their figures is cut', async () => {
    await openResults('Many')
    await page.getByRole('button', { name: 'Training pictures' }).click()
    const table = page.getByRole('region', { name: 'Each label' })
    await table.locator('tbody tr').nth(119).waitFor()
    const overflow = await table.evaluate((region) => region.scrollWidth - region.clientWidth)
    expect(overflow).toBe(0)
    for (const names of [
      table.locator('tbody .cut'),
      page.getByTestId('confusion-matrix').locator('.side .cut'),
      page.getByTestId('confusion-matrix').locator('.top .cut'),
    ]) {
      const shown = await names.allTextContents()
      expect(new Set(shown).size).toBe(120)
      // None is cut again by the width it has.
      expect(
        await names.evaluateAll(
          (all) => all.filter((each) => each.scrollWidth > each.clientWidth + 1).length,
        ),
      ).toBe(0)
    }
    await table.getByRole('button', { name: 'Very long species name number 17', exact: true }).waitFor()
    await keep('many')
    await table.scrollIntoViewIfNeeded()
    await keep('many-table')
    await expectAccessibleInBothThemes(page)
  })
})
