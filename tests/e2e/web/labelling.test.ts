import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { usePictureRoom } from './picture-room.ts'
import { expectAccessible } from './studio.ts'

/** Giving labels, and the labels themselves, by mouse and keyboard. */
const room = usePictureRoom()
const { tile, labelRow, labelCount, shown, labelOf, pictureAt, undo } = room
let page: Page
beforeAll(() => void (page = room.page))

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
