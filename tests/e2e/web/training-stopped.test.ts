import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { expectAccessibleInBothThemes, goToStep, launchBrowser, startStudio, trySample } from './studio.ts'
import type { RunningStudio } from './studio.ts'

let browser: Browser
let studio: RunningStudio
let page: Page

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

const goto = (step: string): Promise<void> => goToStep(page, step)
const stopAfterAnEpoch = async (): Promise<void> => {
  const running = page.getByTestId('running')
  await running.getByText(/epoch \d+/).waitFor()
  await running.getByRole('button', { name: 'Stop, keep the best' }).click()
  await page
    .getByTestId('outcome')
    .getByText(/Stopped after epoch \d+ of \d+/)
    .waitFor()
}

describe('a training that was stopped', () => {
  it('offers to go on where it trained, and goes on', async () => {
    await goto('Train')
    // There are epochs to stop between.
    await page.getByRole('radio', { name: /From scratch/ }).click()
    await page.getByTestId('start-training').click()
    await stopAfterAnEpoch()
    await page
      .getByTestId('outcome')
      .getByText(/^Stopped: \d+ % right/)
      .waitFor()
    await expectAccessibleInBothThemes(page)
    await page.getByTestId('go-on').click()
    await stopAfterAnEpoch()
  })

  it('offers it beside its results, which stay while the rest goes on', async () => {
    await goto('Results')
    await page.getByText(/goes on from run 1/).waitFor()
    await page.getByTestId('accuracy').waitFor()
    await expectAccessibleInBothThemes(page)
    await page.getByTestId('go-on').click()
    await page.waitForURL(/\/train/)
    await page.getByTestId('running').waitFor()
    await goto('Results')
    await page.getByTestId('accuracy').waitFor()
    // The page hears a moment later that the training goes on.
    await page.getByTestId('go-on').waitFor({ state: 'detached' })
    await goto('Train')
    await stopAfterAnEpoch()
  })
})
