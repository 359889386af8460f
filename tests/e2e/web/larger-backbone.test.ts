import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { drawnFolder } from '../../helpers/drawn-pictures.ts'
import { withContents } from '../../helpers/folders.ts'
import { tinyNetwork } from '../../helpers/tiny-backbone.ts'
import { tinyBackboneFolder } from '../../helpers/training-studio.ts'
import { dropPaths, expectAccessibleInBothThemes, launchBrowser, startStudio } from './studio.ts'
import type { RunningStudio } from './studio.ts'

/** What comes with Kestrel sees only how light a picture is; a better one is offered, compared and chosen. */
let work: string
let browser: Browser
let studio: RunningStudio
let page: Page
let address: string

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'kestrel-larger-'))
  process.env['KESTREL_BACKBONES'] = ''
  process.env['KESTREL_TEST_BUILT_IN'] = await tinyBackboneFolder(join(work, 'own'), {
    ...{ id: 'kestrel_blind', bytes: tinyNetwork(1, { blind: true }) },
  })
  browser = await launchBrowser()
  studio = await startStudio(browser)
  page = await studio.open()
  const pictures = await drawnFolder(join(work, 'Shapes'), { classes: 3, count: 30, seed: 3 })
  await dropPaths(page, [pictures])
  await page.getByRole('button', { name: 'Add 90 pictures' }).click()
  await page.waitForURL(/\/p\/.+\/pictures/)
  await page.getByText(/^90 pictures added/).waitFor()
  address = new URL(page.url()).pathname.replace('pictures', 'train')
})
afterAll(async () => {
  delete process.env['KESTREL_TEST_BUILT_IN']
  await studio?.close()
  await browser?.close()
  await rm(work, withContents)
})

const note = (): Locator => page.getByTestId('larger')
const button = (name: string | RegExp): Locator => note().getByRole('button', { name })
const network = (): Locator => page.getByRole('combobox', { name: 'Network that already knows pictures' })
describe('a larger network than the one that comes with Kestrel', () => {
  it('is offered with name, size and licence while Kestrel’s own would be used', async () => {
    await page.goto(new URL(address, page.url()).href)
    await network().getByText('Kestrel’s own').waitFor()
    await note().getByText('A larger network sees finer differences').waitFor()
    await note()
      .getByText(/^MobileNet V2 · 14.MB · licence: Apache-2.0$/)
      .waitFor()
    await button(/^Download \(14.MB\)$/).waitFor()
    await expectAccessibleInBothThemes(page)
    await page.getByTestId('start-training').click()
    await page.getByTestId('outcome').waitFor()
    await page.goto(new URL('/settings', page.url()).href)
    await page.getByText('Part of Kestrel: it is always there and cannot be removed.').waitFor()
  })

  it('is not taken by itself once it is here, but compared and then chosen', async () => {
    process.env['KESTREL_BACKBONES'] = await tinyBackboneFolder(join(work, 'more'), {
      id: 'mobilenet_v2_tiny',
    })
    await studio.restart('SIGTERM')
    page = await studio.open()
    await page
      .getByRole('button', { name: /Shapes/ })
      .first()
      .click()
    await page.locator('a.step[href$=train]').click()
    await network().getByText('Kestrel’s own').waitFor()
    await note().getByText('Would MobileNet V2 do better?').waitFor()
    await expectAccessibleInBothThemes(page)
    await button('Compare on my pictures').click()
    await note().getByText('MobileNet V2 does better on your pictures').waitFor()
    await note()
      .getByText(/^Right on 75 of your pictures/)
      .waitFor()
    await expectAccessibleInBothThemes(page)
    await network().getByText('Kestrel’s own').waitFor()
    await button('Use it').click()
    await network().getByText('MobileNet V2').waitFor()
    await note().getByText('Chosen').waitFor()
  })

  it('is remembered with the project, whichever way the person decides', async () => {
    await page.reload()
    await network().getByText('MobileNet V2').waitFor()
    expect(await note().count()).toBe(0)
    await network().click()
    await page.getByRole('option', { name: /Kestrel’s own/ }).click()
    await note().getByText('MobileNet V2 does better on your pictures').waitFor()
    await button('Keep Kestrel’s own').click()
    await note().waitFor({ state: 'detached' })
    expect(await network().evaluate((element) => element === document.activeElement)).toBe(true)
    await page.reload()
    await network().getByText('Kestrel’s own').waitFor()
    expect(await note().count()).toBe(0)
  })
})
