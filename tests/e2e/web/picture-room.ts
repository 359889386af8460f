import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { chooseFiles, launchBrowser, startStudio } from './studio.ts'
import type { RunningStudio } from './studio.ts'
import { withContents } from '../../helpers/folders.ts'

const perLabel = 12
const kinds = ['feather', 'leaf', 'mushroom']

/** The room of the pictures, with twelve of each of three kinds of the sample in it. */
export interface PictureRoom {
  readonly page: Page
  /** Where they were imported from. */
  readonly folder: string
  tile(index: number): Locator
  labelRow(name: string): Locator
  /** Pictures of a label as its row says; -1 when there is no such label. */
  labelCount(name: string): Promise<number>
  /** Pictures in the view, as the grid says. */
  shown(): Promise<number>
  selected(): Promise<number>
  labelOf(index: number): Promise<string | undefined>
  pictureAt(index: number): Promise<string | null>
  /** Tests leave the project as they found it. */
  undo(): Promise<void>
}

/** Opens the room before the tests of a file, and enters it anew before each of them. */
export function usePictureRoom(): PictureRoom {
  let browser: Browser | undefined
  let studio: RunningStudio | undefined
  let page: Page
  let folder: string
  let place: string

  beforeAll(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'kestrel-pictures-')), 'finds')
    const sample = join(resourcesFolder(), 'samples', 'forest-finds')
    for (const kind of kinds) {
      const files = (await readdir(join(sample, kind))).toSorted().slice(0, perLabel)
      for (const file of files) await cp(join(sample, kind, file), join(folder, kind, file))
    }
    browser = await launchBrowser()
    studio = await startStudio(browser)
    page = await studio.open()
    await chooseFiles(
      page,
      () => page.getByRole('button', { name: 'Choose a folder of pictures' }).click(),
      folder,
    )
    await page.getByRole('button', { name: 'Add 36 pictures' }).click()
    await page.waitForURL(/\/p\/.+\/pictures/)
    await page.getByText('36 pictures added').waitFor({ timeout: 60_000 })
    place = new URL(page.url()).pathname
  })
  afterAll(async () => {
    await studio?.close()
    await browser?.close()
    await rm(join(folder, '..'), withContents)
  })
  beforeEach(async () => {
    await page.goto(new URL(place, page.url()).href)
    await tile(0).waitFor()
  })

  const tile = (index: number) => page.locator(`[data-index="${index}"][data-picture]`)
  const labelRow = (name: string) => page.locator(`[data-label="${name}"]`)
  return {
    get page() {
      return page
    },
    get folder() {
      return folder
    },
    tile,
    labelRow,
    async labelCount(name) {
      const row = labelRow(name)
      return (await row.count()) === 0 ? -1 : Number(await row.locator('small').textContent())
    },
    async shown() {
      const words = await page.getByRole('grid').getAttribute('aria-label')
      return Number(words?.replace('one', '1').replace('no ', '0 ').split(' ')[0])
    },
    selected: () => page.locator('[role=gridcell][aria-selected=true]').count(),
    labelOf: async (index) => (await tile(index).getAttribute('aria-label'))?.split(', ')[1],
    pictureAt: (index) => tile(index).getAttribute('data-picture'),
    undo: () => page.keyboard.press('Control+z'),
  }
}
