import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessibilityProblems, inTheme, launchBrowser, startStudio } from './studio.ts'
import type { RunningStudio } from './studio.ts'

let browser: Browser
let studio: RunningStudio
let page: Page

beforeAll(async () => {
  browser = await launchBrowser()
  studio = await startStudio(browser)
  page = await studio.open()
  await page.getByRole('button', { name: /Try a sample/ }).click()
  await page.waitForURL(/\/p\/.+\/pictures/)
  await page.getByText(/^2\d\d pictures added/).waitFor()
})
afterAll(async () => {
  await studio?.close()
  await browser?.close()
})

const goto = (step: string): Promise<void> =>
  page
    .getByRole('navigation', { name: 'Steps' })
    .getByRole('link', { name: new RegExp(`\\b${step}\\b`) })
    .click()
const stopAfterAnEpoch = async (): Promise<void> => {
  const running = page.getByTestId('running')
  await running.getByText(/epoch \d+/).waitFor()
  await running.getByRole('button', { name: 'Stop, keep the best' }).click()
  await page
    .getByTestId('outcome')
    .getByText(/Stopped after epoch \d+ of \d+/)
    .waitFor()
}
async function bothThemesAreAccessible(): Promise<void> {
  for (const theme of ['light', 'dark'] as const) {
    await inTheme(page, theme)
    expect(await accessibilityProblems(page), theme).toEqual([])
  }
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
    await bothThemesAreAccessible()
    await page.getByTestId('go-on').click()
    await stopAfterAnEpoch()
  })

  it('offers it beside its results, which stay while the rest goes on', async () => {
    await goto('Results')
    await page.getByText(/goes on from run 1/).waitFor()
    await page.getByTestId('accuracy').waitFor()
    await bothThemesAreAccessible()
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
