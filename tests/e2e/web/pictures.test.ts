import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import { chooseFiles, dropPaths, expectAccessible, inTheme, launchBrowser, startStudio } from './studio.ts'
import type { RunningStudio } from './studio.ts'
import { withContents } from '../../helpers/folders.ts'

/** Looking and labelling, by mouse and keyboard, on twelve pictures of each kind of the sample. */
const perLabel = 12
const kinds = ['feather', 'leaf', 'mushroom']

let browser: Browser
let studio: RunningStudio
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
  await studio.close()
  await browser.close()
  await rm(join(folder, '..'), withContents)
})
beforeEach(async () => {
  await page.goto(new URL(place, page.url()).href)
  await tile(0).waitFor()
})

const tile = (index: number) => page.locator(`[data-index="${index}"][data-picture]`)
const labelRow = (name: string) => page.locator(`[data-label="${name}"]`)
async function labelCount(name: string): Promise<number> {
  const row = labelRow(name)
  return (await row.count()) === 0 ? -1 : Number(await row.locator('small').textContent())
}
const shown = async (): Promise<number> =>
  Number(
    (await page.getByRole('grid').getAttribute('aria-label'))
      ?.replace('one', '1')
      .replace('no ', '0 ')
      .split(' ')[0],
  )
const selected = (): Promise<number> => page.locator('[role=gridcell][aria-selected=true]').count()
const labelOf = async (index: number): Promise<string | undefined> =>
  (await tile(index).getAttribute('aria-label'))?.split(', ')[1]
const pictureAt = (index: number): Promise<string | null> => tile(index).getAttribute('data-picture')
/** Undoes until a label's count is what it was: tests leave the project as they found it. */
const undo = (): Promise<void> => page.keyboard.press('Control+z')

/**
 * How far the middle of each drawn tile is from the middle of that picture's own thumbnail, largest difference of a
 * channel (0–255, opacity among them) of all tiles on screen.
 */
const farthestFromThumbnail = (): Promise<number> =>
  page.evaluate(async () => {
    const mean = (source: CanvasImageSource, x: number, y: number, side: number): number[] => {
      const small = document.createElement('canvas')
      small.width = small.height = 8
      const context = small.getContext('2d')!
      context.imageSmoothingQuality = 'high'
      context.drawImage(source, x, y, side, side, 0, 0, 8, 8)
      const data = context.getImageData(0, 0, 8, 8).data
      return [0, 1, 2, 3].map((c) => {
        let sum = 0
        for (let at = c; at < data.length; at += 4) sum += data[at]!
        return sum / 64
      })
    }
    const projectId = location.pathname.split('/')[2]
    let farthest = 0
    for (const tile of document.querySelectorAll<HTMLElement>('[data-picture].drawn')) {
      const canvas = tile.parentElement!.querySelector('canvas')!
      const scale = canvas.width / canvas.getBoundingClientRect().width
      const left = (tile.getBoundingClientRect().left - canvas.getBoundingClientRect().left) * scale
      const thumbnail = await createImageBitmap(
        await (await fetch(`/media/${projectId}/thumb/${tile.dataset.picture}`)).blob(),
      )
      const side = Math.min(thumbnail.width, thumbnail.height)
      const shown = mean(canvas, left + 0.2 * canvas.height, 0.2 * canvas.height, 0.6 * canvas.height)
      const kept = mean(
        thumbnail,
        (thumbnail.width - side) / 2 + 0.2 * side,
        (thumbnail.height - side) / 2 + 0.2 * side,
        0.6 * side,
      )
      farthest = Math.max(farthest, ...shown.map((value, c) => Math.abs(value - kept[c]!)))
    }
    return farthest
  })
const drawnTiles = (): Promise<number> => page.locator('[data-picture].drawn').count()

describe('the grid', () => {
  test('shows every picture with its label', async () => {
    expect(await shown()).toBe(36)
    expect(await labelOf(0)).toBe('feather')
    await page.locator('[data-index="0"].drawn').waitFor()
  })

  test('every tile shows its own picture, also after the size, the order and the window changed', async () => {
    const allOwn = async (): Promise<void> => {
      await expect.poll(drawnTiles).toBe(36)
      await expect.poll(farthestFromThumbnail).toBeLessThan(6)
    }
    await allOwn()
    await page.getByRole('slider', { name: 'Size of the pictures' }).press('Home')
    await allOwn()
    await page.setViewportSize({ width: 1130, height: 900 })
    await allOwn()
    await page.evaluate(() => localStorage.removeItem('kestrel-tile-size'))
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  test('an excluded picture is drawn pale, and in its colours again when it is restored', async () => {
    const own = await farthestFromThumbnail()
    expect(own).toBeLessThan(6)
    await tile(0).click()
    await page.keyboard.press('Delete')
    await page.getByText('One picture excluded').waitFor()
    await page.getByRole('button', { name: /^Excluded/ }).click()
    await expect.poll(shown).toBe(1)
    await expect.poll(drawnTiles).toBe(1)
    await expect.poll(farthestFromThumbnail).toBeGreaterThan(100)
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    await page.getByRole('button', { name: /^All pictures/ }).click()
    await expect.poll(shown).toBe(36)
    await expect.poll(farthestFromThumbnail).toBeLessThan(6)
  })

  test('a restored picture gets its colours back though the view changes before they are drawn', async () => {
    await tile(0).click()
    await page.keyboard.press('Delete')
    await page.getByText('One picture excluded').waitFor()
    await page.getByRole('button', { name: /^Excluded/ }).click()
    await expect.poll(shown).toBe(1)
    await expect.poll(farthestFromThumbnail).toBeGreaterThan(100)
    let waiting: (() => void)[] | null = []
    await page.route(/pictures\/window|\/thumbs/, async (route) => {
      await new Promise<void>((go) => (waiting ? waiting.push(go) : go()))
      // What the page does not wait for any more is nobody's.
      await route.continue().catch(() => undefined)
    })
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    await expect.poll(() => waiting?.length).toBeGreaterThanOrEqual(2)
    await page.getByRole('button', { name: /^All pictures/ }).click()
    await page.waitForURL((url) => !url.searchParams.has('show'))
    waiting.forEach((go) => go())
    waiting = null
    await expect.poll(shown).toBe(36)
    await expect.poll(drawnTiles).toBeGreaterThan(8)
    await expect.poll(farthestFromThumbnail).toBeLessThan(6)
    await page.unroute(/pictures\/window|\/thumbs/)
  })

  test('selects by click, Ctrl, Shift and all, and clears with Escape', async () => {
    await tile(1).click()
    expect(await selected()).toBe(1)
    await tile(3).click({ modifiers: ['Control'] })
    expect(await selected()).toBe(2)
    await tile(1).click()
    await tile(5).click({ modifiers: ['Shift'] })
    expect(await selected()).toBe(5)
    await page.getByText('5 selected').waitFor()
    await page.keyboard.press('Control+a')
    await page.getByText('All 36 selected').waitFor()
    await page.keyboard.press('Escape')
    expect(await selected()).toBe(0)
  })

  test('moves with the arrows and extends with Shift', async () => {
    await tile(0).click()
    await page.keyboard.press('ArrowRight')
    expect(await tile(1).getAttribute('aria-selected')).toBe('true')
    await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.press('Shift+ArrowRight')
    await expect.poll(selected).toBe(3)
    await page.keyboard.press('End')
    await tile(35).waitFor()
    expect(await tile(35).getAttribute('aria-selected')).toBe('true')
    await page.keyboard.press('Home')
    await expect.poll(() => tile(0).getAttribute('aria-selected')).toBe('true')
  })

  test('selects with a lasso drawn from the gap between pictures', async () => {
    const first = await tile(0).boundingBox()
    const second = await tile(1).boundingBox()
    if (!first || !second) throw new Error('the tiles are not there')
    await page.mouse.move(first.x - 4, first.y + 20)
    await page.mouse.down()
    await page.mouse.move(second.x + 30, first.y + 60, { steps: 6 })
    await page.mouse.up()
    await expect.poll(selected).toBe(2)
  })

  test('draws only what is seen', async () => {
    await page.setViewportSize({ width: 1440, height: 500 })
    await page.getByRole('slider', { name: 'Size of the pictures' }).press('End')
    await expect.poll(() => page.locator('[role=gridcell]').count()).toBeLessThan(20)
    await page.getByRole('slider', { name: 'Size of the pictures' }).press('Home')
    await expect.poll(() => page.locator('[role=gridcell]').count()).toBe(36)
    await page.evaluate(() => localStorage.removeItem('kestrel-tile-size'))
    await page.setViewportSize({ width: 1440, height: 900 })
  })
})

describe('labelling', () => {
  test('a digit gives a label and goes on; Ctrl+Z undoes, Ctrl+Shift+Z does it again', async () => {
    await tile(0).click()
    await page.keyboard.press('2')
    await expect.poll(() => labelCount('leaf')).toBe(13)
    expect(await labelOf(0)).toBe('leaf')
    expect(await tile(1).getAttribute('aria-selected')).toBe('true')
    await undo()
    await expect.poll(() => labelCount('leaf')).toBe(12)
    await expect.poll(() => labelOf(0)).toBe('feather')
    await page.keyboard.press('Control+Shift+Z')
    await expect.poll(() => labelCount('leaf')).toBe(13)
    await undo()
    await expect.poll(() => labelCount('leaf')).toBe(12)
  })

  test('typing a name gives that label, or makes a new one', async () => {
    await tile(2).click()
    await page.keyboard.press('m')
    await page.keyboard.type('ush')
    await page.keyboard.press('Enter')
    await expect.poll(() => labelCount('mushroom')).toBe(13)
    await tile(3).click()
    await page.keyboard.press('F2')
    await page.getByRole('combobox', { name: 'Which label?' }).fill('pine cone')
    await page.keyboard.press('Enter')
    await expect.poll(() => labelCount('pine cone')).toBe(1)
    await undo()
    await undo()
    await undo()
    await expect.poll(() => labelCount('mushroom')).toBe(12)
    await expect.poll(() => labelRow('pine cone').count()).toBe(0)
  })

  test('every name can be typed, whatever it begins with', async () => {
    const names = ['zebra', 'xylophone', 'nest', 'lichen', 'iris', 'Zucchini']
    for (const name of names) {
      await tile(4).click()
      await page.keyboard.type(name.slice(0, 1))
      await page.getByRole('combobox', { name: 'Which label?' }).waitFor()
      await page.keyboard.type(name.slice(1))
      expect(await page.getByRole('combobox', { name: 'Which label?' }).inputValue()).toBe(name)
      await page.keyboard.press('Enter')
      await expect.poll(() => labelCount(name)).toBe(1)
      await expect.poll(() => labelOf(4)).toBe(name)
    }
    expect(await shown()).toBe(36)
    for (const name of names.toReversed()) {
      await undo()
      await undo()
      await expect.poll(() => labelRow(name).count()).toBe(0)
    }
    await expect.poll(() => labelOf(4)).toBe('feather')
  })

  test('Undo in a notice takes back what the notice tells of, and nothing that came later', async () => {
    await tile(0).click()
    await page.keyboard.press('Delete')
    const notice = page.getByRole('region', { name: 'Messages' }).locator('.notice', { hasText: 'excluded' })
    await notice.getByRole('button', { name: 'Undo' }).waitFor()
    await tile(1).click()
    await page.keyboard.press('2')
    await expect.poll(() => labelCount('leaf')).toBe(13)
    await expect.poll(() => notice.getByRole('button', { name: 'Undo' }).count()).toBe(0)
    await undo()
    await expect.poll(() => labelCount('leaf')).toBe(12)
    await notice.getByRole('button', { name: 'Undo' }).click()
    await page.getByText('Undone: excluding').waitFor()
    await expect.poll(shown).toBe(36)
  })

  test('a notice lies over no control, wherever it is shown, and gives the keyboard back', async () => {
    const messages = page.getByRole('region', { name: 'Messages' })
    const notice = messages.locator('.notice', { hasText: 'excluded' })
    /** Controls under a notice. */
    const hidden = () =>
      notice.evaluate((shown) => {
        const box = shown.getBoundingClientRect()
        return [...document.querySelectorAll('a, button, input, [role=gridcell], [role=combobox]')]
          .filter((control) => !shown.contains(control) && !control.contains(shown))
          .filter((control) => {
            // Outside of what its scroller shows it cannot be reached there anyway.
            const { left, right, top, bottom } = control.getBoundingClientRect()
            const [x, y] = [Math.max(left, box.left), Math.max(top, box.top)]
            if (x >= Math.min(right, box.right) || y >= Math.min(bottom, box.bottom)) return false
            shown.style.visibility = 'hidden'
            const under = document.elementFromPoint(x + 1, y + 1)
            shown.style.visibility = ''
            return under !== null && control.contains(under)
          })
          .map((control) => control.outerHTML)
      })
    const first = await pictureAt(0)
    const isBack = async (): Promise<void> => {
      await expect.poll(shown).toBe(36)
      await expect.poll(() => pictureAt(0)).toBe(first)
    }
    const exclude = async (): Promise<void> => {
      await page.keyboard.press('Delete')
      await expect.poll(shown).toBe(35)
    }
    for (const viewport of [
      { width: 1440, height: 900 },
      { width: 1024, height: 700 },
    ]) {
      await page.setViewportSize(viewport)
      await tile(0).click()
      await exclude()
      await notice.getByRole('button', { name: 'Undo' }).waitFor()
      expect(await hidden()).toEqual([])
      // It waits while somebody is at it.
      await notice.getByRole('button', { name: 'Undo' }).focus()
      await page.keyboard.press('Tab')
      for (let left = await messages.locator('.notice').count(); left > 0; left--) {
        await page.keyboard.press('Enter')
        await expect.poll(() => messages.locator('.notice').count()).toBe(left - 1)
      }
      await expect
        .poll(() => page.getByRole('grid').evaluate((grid) => grid.contains(document.activeElement)))
        .toBe(true)
      await undo()
      await isBack()

      await tile(0).click()
      await page.keyboard.press('Space')
      const large = page.getByRole('region', { name: /\.jpg$/ })
      await large.waitFor()
      await exclude()
      await large.locator('.notice', { hasText: 'excluded' }).waitFor()
      expect(await hidden()).toEqual([])
      await notice.getByRole('button', { name: 'Undo' }).click()
      await isBack()
      await page.keyboard.press('Escape')
      await large.waitFor({ state: 'detached' })
      await tile(0).click()
      await exclude()
      await notice.waitFor()
      await page.keyboard.press('?')
      await page.getByRole('dialog').locator('.notice', { hasText: 'excluded' }).waitFor()
      expect(await hidden()).toEqual([])
      await expectAccessible(page)
      await page.keyboard.press('Escape')
      await page.getByRole('complementary').first().locator('.notice', { hasText: 'excluded' }).waitFor()
      await page.keyboard.press('Control+,')
      await page.getByRole('heading', { name: 'Settings' }).waitFor()
      await notice.waitFor()
      expect(await hidden()).toEqual([])
      await notice.getByRole('button', { name: 'Undo' }).click()
      await page.goBack()
      await isBack()
    }
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  test('in a small window beside the details, no filter is squeezed and no control leaves the bar of the selection', async () => {
    await page.setViewportSize({ width: 1024, height: 700 })
    await page.getByRole('complementary', { name: 'About the picture' }).waitFor()
    await labelRow('leaf').getByRole('button', { name: /^leaf/ }).click()
    await expect.poll(shown).toBe(12)
    await tile(0).click()
    const outside = (inside: ReturnType<Page['locator']>) =>
      inside.evaluate((box) => {
        const { left, right } = box.getBoundingClientRect()
        return [...box.querySelectorAll('button')]
          .filter((button) => button.checkVisibility())
          .filter((button) => {
            const at = button.getBoundingClientRect()
            return at.left < left || at.right > right || button.scrollWidth > button.clientWidth
          })
          .map((button) => button.outerHTML)
      })
    expect(await outside(page.getByRole('toolbar', { name: /selected/ }))).toEqual([])
    expect(await outside(page.getByRole('group', { name: 'What is shown' }))).toEqual([])
    await page.setViewportSize({ width: 1440, height: 900 })
  })

  test('a selection is dragged onto a label', async () => {
    await tile(0).click()
    await tile(1).click({ modifiers: ['Control'] })
    const from = await tile(1).boundingBox()
    const to = await labelRow('leaf').boundingBox()
    if (!from || !to) throw new Error('not on screen')
    await page.mouse.move(from.x + 40, from.y + 40)
    await page.mouse.down()
    await page.mouse.move(to.x + 60, to.y + 12, { steps: 8 })
    await page.getByText('2 pictures', { exact: true }).waitFor()
    await page.mouse.up()
    await expect.poll(() => labelCount('leaf')).toBe(14)
    await undo()
    await expect.poll(() => labelCount('leaf')).toBe(12)
  })

  test('Delete excludes; the excluded are kept and restored', async () => {
    await tile(0).click()
    await tile(2).click({ modifiers: ['Shift'] })
    await page.keyboard.press('Delete')
    await page.getByText('3 pictures excluded').waitFor()
    await expect.poll(shown).toBe(33)
    await page.getByRole('button', { name: /^Excluded/ }).click()
    await expect.poll(shown).toBe(3)
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    await page.getByText('Nothing is excluded').waitFor()
    await page.getByRole('button', { name: /^All pictures/ }).click()
    await expect.poll(shown).toBe(36)
  })

  test('all of a view is changed at once, without its list', async () => {
    await labelRow('feather')
      .getByRole('button', { name: /^feather/ })
      .click()
    await expect.poll(shown).toBe(12)
    await tile(0).click()
    await page.keyboard.press('Control+a')
    await page.keyboard.press('3')
    await expect.poll(() => labelCount('mushroom')).toBe(24)
    expect(await labelCount('feather')).toBe(0)
    await page.getByText('No picture has this label yet').waitFor()
    await undo()
    await expect.poll(() => labelCount('feather')).toBe(12)
  })
})

describe('labels', () => {
  test('are made with N, renamed in place, recoloured and deleted, and all of it is undone', async () => {
    await tile(0).waitFor()
    await page.keyboard.press('n')
    await page.getByRole('textbox', { name: 'Name of the new label' }).fill('שיח')
    await page.keyboard.press('Enter')
    await labelRow('שיח').waitFor()
    await labelRow('שיח').getByRole('button', { name: /^שיח/ }).dblclick()
    await page.getByRole('textbox', { name: 'New name of שיח' }).fill('bush')
    await page.keyboard.press('Enter')
    await labelRow('bush').waitFor()
    await page.getByRole('button', { name: 'What to do with bush' }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await page.getByRole('textbox', { name: 'New name of bush' }).fill('shrub')
    await page.keyboard.press('Enter')
    await labelRow('shrub').waitFor()
    await page.getByRole('button', { name: 'Colour of shrub' }).click()
    await page.getByRole('button', { name: 'Colour 7' }).click()
    await labelRow('shrub').click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Delete the label' }).click()
    await expect.poll(() => labelRow('shrub').count()).toBe(0)
    for (let i = 0; i < 5; i++) await undo()
    await expect.poll(() => labelRow('שיח').count()).toBe(0)
  })

  test('one is merged into another from its menu', async () => {
    await labelRow('feather').click({ button: 'right' })
    await page.getByRole('menuitem', { name: 'Merge into' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'leaf' }).click()
    await page.getByRole('button', { name: 'Merge', exact: true }).click()
    await expect.poll(() => labelCount('leaf')).toBe(24)
    expect(await labelRow('feather').count()).toBe(0)
    await page.keyboard.press('Control+z')
    await expect.poll(() => labelCount('feather')).toBe(12)
  })

  test('a name that is taken is refused in words', async () => {
    await page.keyboard.press('n')
    await page.getByRole('textbox', { name: 'Name of the new label' }).fill('LEAF')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'There is already a label named' }).waitFor()
    await page.keyboard.press('Escape')
  })
})

describe('looking', () => {
  test('the large view opens with Space and takes the same keys', async () => {
    await tile(0).click()
    const second = await pictureAt(1)
    await page.keyboard.press('Space')
    await page.getByText('Picture 1 of 36').waitFor()
    await page.keyboard.press('ArrowRight')
    await page.getByText('Picture 2 of 36').waitFor()
    await page.keyboard.press('3')
    await page.getByText('Picture 3 of 36').waitFor()
    await expect.poll(() => labelCount('mushroom')).toBe(13)
    await undo()
    await expect.poll(() => labelCount('mushroom')).toBe(12)
    await page.keyboard.press('Escape')
    expect(await pictureAt(1)).toBe(second)
    await expect.poll(() => page.getByRole('region', { name: /\.(jpg|png|webp)/ }).count()).toBe(0)
  })

  test('filters, search and address say what is shown', async () => {
    await labelRow('leaf').getByRole('button', { name: /^leaf/ }).click()
    await expect.poll(shown).toBe(12)
    expect(new URL(page.url()).searchParams.get('label')).toBeTruthy()
    await page.getByRole('button', { name: 'Show everything' }).click()
    await page.keyboard.press('/')
    await page.keyboard.type('leaf')
    await expect.poll(shown).toBe(12)
    await page.getByRole('searchbox', { name: 'Search by name' }).fill('no such picture')
    await page.getByText('No picture fits what you asked for.').waitFor()
    await page.getByRole('button', { name: 'Show everything' }).last().click()
    await expect.poll(shown).toBe(36)
  })

  test('the inspector says what a picture is', async () => {
    await tile(4).click()
    const inspector = page.getByRole('complementary', { name: 'About the picture' })
    await inspector.getByText('finds/feather').waitFor()
    await inspector.getByText('feather', { exact: true }).waitFor()
    await page.keyboard.press('Control+i')
    await expect.poll(() => inspector.count()).toBe(0)
    await page.keyboard.press('Control+i')
    await inspector.waitFor()
  })

  test('selection and scroll stay while pictures arrive', async () => {
    await tile(0).click()
    await page.keyboard.press('End')
    const last = await pictureAt(35)
    const extra = join(folder, '..', 'late')
    await cp(join(resourcesFolder(), 'samples', 'forest-finds', 'shell'), extra, { recursive: true })
    const names = (await readdir(extra)).toSorted().slice(0, 4)
    const before = await page.getByRole('grid').evaluate((grid) => grid.scrollTop)
    await dropPaths(
      page,
      names.map((name) => join(extra, name)),
      '[data-label="mushroom"]',
    )
    await expect.poll(() => labelCount('mushroom'), { timeout: 30_000 }).toBe(16)
    await expect.poll(shown).toBe(40)
    expect(await page.locator(`[data-picture="${last}"]`).getAttribute('aria-selected')).toBe('true')
    expect(await page.getByRole('grid').evaluate((grid) => grid.scrollTop)).toBe(before)
  })

  test('the keys are listed behind ?', async () => {
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).getByText('Look at it large, and back').waitFor()
    await page.keyboard.press('Escape')
  })
})

describe.each(['light', 'dark'] as const)('for everyone, %s', (theme) => {
  beforeAll(() => inTheme(page, theme))

  test('grid, selection and inspector', async () => {
    await tile(0).click()
    await tile(2).click({ modifiers: ['Shift'] })
    await expectAccessible(page)
    await tile(0).click()
    await page.getByText('Came from').waitFor()
    await expectAccessible(page)
  })
  test('large view', async () => {
    await tile(0).click()
    await page.keyboard.press('Space')
    await page.getByText('Picture 1 of').waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
  })
  test('typing a label, keys, menus', async () => {
    await tile(0).click()
    await page.keyboard.press('F2')
    await page.getByRole('combobox', { name: 'Which label?' }).waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    await expectAccessible(page)
    await page.keyboard.press('Escape')
  })
})
