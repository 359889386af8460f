import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { usePictureRoom } from './picture-room.ts'
import { dropPaths } from './studio.ts'
import { resourcesFolder } from '#shared/util/app-folders.ts'

/** The grid, and looking at what is in it, by mouse and keyboard. */
const room = usePictureRoom()
const { tile, labelRow, labelCount, shown, selected, labelOf, pictureAt, undo } = room
let page: Page
beforeAll(() => void (page = room.page))

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
/** Excludes the first picture and goes to where it is now, alone. */
async function excludeFirst(): Promise<void> {
  await tile(0).click()
  await page.keyboard.press('Delete')
  await page.getByText('One picture excluded').waitFor()
  await page.getByRole('button', { name: /^Excluded/ }).click()
  await expect.poll(shown).toBe(1)
}
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
    await excludeFirst()
    await expect.poll(drawnTiles).toBe(1)
    await expect.poll(farthestFromThumbnail).toBeGreaterThan(100)
    await page.keyboard.press('Control+a')
    await page.keyboard.press('Delete')
    await page.getByRole('button', { name: /^All pictures/ }).click()
    await expect.poll(shown).toBe(36)
    await expect.poll(farthestFromThumbnail).toBeLessThan(6)
  })

  test('a restored picture gets its colours back though the view changes before they are drawn', async () => {
    await excludeFirst()
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

  test('a view of one picture shows it, also when the page is opened there, and so does a single column', async () => {
    await excludeFirst()
    const drawn = page.locator('[data-index="0"].drawn')
    await drawn.waitFor()
    await page.reload()
    await drawn.waitFor()
    expect(await page.getByRole('row').count()).toBe(1)
    await drawn.click()
    await page.keyboard.press('Delete')
    await page.getByRole('button', { name: /^All pictures/ }).click()
    await expect.poll(shown).toBe(36)
    await page.getByRole('slider', { name: 'Size of the pictures' }).press('End')
    await page.setViewportSize({ width: 700, height: 500 })
    await page.reload()
    await drawn.waitFor()
    await page.evaluate(() => localStorage.removeItem('kestrel-tile-size'))
    await page.setViewportSize({ width: 1440, height: 900 })
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
    const extra = join(room.folder, '..', 'late')
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
