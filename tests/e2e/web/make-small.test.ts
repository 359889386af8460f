import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  expectAccessibleInBothThemes,
  goToStep,
  launchBrowser,
  startStudio,
  takePictures,
  trySample,
} from './studio.ts'
import type { RunningStudio } from './studio.ts'

let browser: Browser
let studio: RunningStudio
let page: Page

beforeAll(async () => {
  // What comes with Kestrel is all there is.
  process.env['KESTREL_BACKBONES'] = ''
  browser = await launchBrowser()
  studio = await startStudio(browser)
  page = await studio.open()
  await trySample(page)
})
afterAll(async () => {
  await studio?.close()
  await browser?.close()
})

async function look(name: string): Promise<void> {
  await page.getByTestId('make-small').scrollIntoViewIfNeeded()
  await takePictures(page, `make-small-${name}`)
}
const goto = (step: string): Promise<void> => goToStep(page, step)

describe('a network that comes with Kestrel', () => {
  it('may teach before anything was trained here', async () => {
    await goto('Train')
    const card = page.getByTestId('make-small')
    await card.getByText('Make it small').first().click()
    await card.getByText(/^Kestrel.* weighs [\d.]+\sMB/).waitFor()
    await card.getByRole('radio', { name: /^Tiny/ }).waitFor()
    await look('first')
  })
})

describe('a finished model', () => {
  it('is trained with what comes with Kestrel, in seconds', async () => {
    await goto('Train')
    await page.getByTestId('start-training').click()
    await page
      .getByTestId('outcome')
      .getByText(/^Finished: \d+ % right/)
      .waitFor()
  })

  it('says what it weighs, and what it could be made small to', async () => {
    const card = page.getByTestId('make-small')
    await card.getByText('Make it small').first().click()
    await card.getByRole('radio', { name: /^Tiny/ }).waitFor()
    // A head on Kestrel's own network is as large as "small": that would save nothing.
    expect(await card.getByRole('radio').count()).toBe(1)
    await card.getByText(/Run 1 · \d+ % weighs [\d.]+\sMB, [\d.]+\sms/).waitFor()
    await expectAccessibleInBothThemes(page)
    await look('run')
  })

  it('may learn from a ready-made network as well', async () => {
    const card = page.getByTestId('make-small')
    await card.getByRole('combobox', { name: 'Learns from' }).click()
    const own = page.getByRole('option', { name: /^Kestrel/ })
    await own.getByText('learns your labels first').waitFor()
    await look('teachers')
    await own.click()
    await card.getByText(/^Kestrel.* weighs [\d.]+\sMB/).waitFor()
    await expectAccessibleInBothThemes(page)
    await look('backbone')
    await card.getByRole('combobox', { name: 'Learns from' }).click()
    await page.getByRole('option', { name: /^Run 1/ }).click()
    await card.getByText(/Run 1 · \d+ % weighs/).waitFor()
  })

  it('teaches a smaller one, which stands beside it in Results', async () => {
    const card = page.getByTestId('make-small')
    await card.getByRole('radio', { name: /^Tiny/ }).click()
    await card.getByTestId('start-small').click()
    const running = page.getByTestId('running')
    const beside = running.getByTestId('student-line')
    await beside
      .getByText(/^\d+\s%\sright on validation$/)
      .nth(1)
      .waitFor()
    await running.getByText(/epoch 2\b/).waitFor()
    // What training makes small here is another quantity than the loss on validation.
    const drawn = running.getByRole('img', { name: 'Curve of the fit' })
    await drawn.getByLabel(/training/).waitFor()
    await running.getByRole('button', { name: 'Loss' }).click()
    await running.getByText(/how far it is from its teacher/).waitFor()
    await drawn.getByLabel(/validation/).waitFor()
    expect(await drawn.getByLabel(/training/).count()).toBe(0)
    await expectAccessibleInBothThemes(page)
    await running.getByRole('button', { name: 'Stop, keep the best' }).click()
    await page
      .getByTestId('outcome')
      .getByText(/^Stopped: \d+ % right/)
      .waitFor()
    await goto('Results')
    const weights = page.getByTestId('made-small')
    await weights.getByText('Run 1, its teacher').waitFor()
    await weights.getByText(/× smaller/).waitFor()
    await expectAccessibleInBothThemes(page)
  })
})
