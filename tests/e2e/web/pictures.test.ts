import type { Page } from 'playwright-core'
import { beforeAll, describe, test } from 'vitest'
import { usePictureRoom } from './picture-room.ts'
import { expectAccessible, inTheme } from './studio.ts'

/** The room of the pictures, for everyone. */
const room = usePictureRoom()
const { tile } = room
let page: Page
beforeAll(() => void (page = room.page))

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
