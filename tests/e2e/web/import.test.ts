import { copyFile, cp, mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { mostUploadBytes } from '#shared/contract/media.ts'
import { resourcesFolder } from '#shared/util/app-folders.ts'
import {
  chooseFiles,
  dropPaths,
  expectAccessible,
  expectAccessibleInBothThemes,
  launchBrowser,
  startStudio,
} from './studio.ts'
import { writeTree } from '../../helpers/draw.ts'
import type { RunningStudio } from './studio.ts'
import { withContents } from '../../helpers/folders.ts'

/** Pictures come in: by choice, by a real drop, nested, with splits, with files that cannot be read. */
let browser: Browser
let studio: RunningStudio
let page: Page
let folder: string
let sample: string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-import-'))
  const leaves = join(resourcesFolder(), 'samples', 'forest-finds')
  const found: string[] = []
  for (const kind of ['leaf', 'shell']) {
    for (const file of (await readdir(join(leaves, kind))).toSorted()) found.push(join(leaves, kind, file))
  }
  sample = found
  browser = await launchBrowser()
  studio = await startStudio(browser)
})
afterAll(async () => {
  await studio.close()
  await browser.close()
  await rm(folder, withContents)
})

let made = 0
/** Writes a folder with pictures of the sample: path → number of pictures. Every call uses others. */
let used = 0
async function tree(name: string, content: Record<string, number>): Promise<string> {
  const root = join(folder, name)
  for (const [path, pictures] of Object.entries(content)) {
    await mkdir(join(root, path), { recursive: true })
    for (let i = 0; i < pictures; i++) {
      const source = sample[used++ % sample.length]
      if (source) await copyFile(source, join(root, path, `${i}.jpg`))
    }
  }
  return root
}
/** A project of its own for each test. */
beforeEach(async () => {
  page ??= await studio.open()
  await page.goto(new URL('/', page.url()).href)
  await page.getByRole('button', { name: 'New project' }).click()
  await page.getByRole('textbox', { name: 'What is it about' }).fill(`Import ${++made}`)
  await page.keyboard.press('Enter')
  await page.getByText('Bring in some pictures').waitFor()
})

const dialog = () => page.getByRole('dialog', { name: 'Add pictures' })
const labelCount = async (name: string): Promise<number> => {
  const row = page.locator(`[data-label="${name}"]`)
  return (await row.count()) === 0 ? -1 : Number(await row.locator('small').textContent())
}
const slow = { timeout: 30_000 }

describe('the import dialog', () => {
  test('shows what folders will become, before anything is read', async () => {
    const root = await tree('garden', { daisy: 3, tulip: 2 })
    await chooseFiles(page, () => page.getByRole('button', { name: 'Choose a folder' }).click(), root)
    await dialog()
      .getByText(/^5 pictures, /)
      .waitFor()
    await dialog().getByRole('group', { name: 'What you will get' }).getByText('tulip').waitFor()
    await expectAccessibleInBothThemes(page)
    await dialog().getByRole('button', { name: 'Add 5 pictures' }).click()
    await expect.poll(() => labelCount('daisy'), slow).toBe(3)
    expect(await labelCount('tulip')).toBe(2)
    await page.getByText('5 pictures added').waitFor()
  })

  test('nested folders: the person chooses which level names the labels', async () => {
    const root = await tree('wild', { 'birds/owl': 2, 'birds/crow': 2, 'fish/carp': 2 })
    await chooseFiles(page, () => page.getByRole('button', { name: 'Choose a folder' }).click(), root)
    await dialog()
      .getByRole('radio', { name: /The first level of folders/ })
      .click()
    await dialog().getByRole('group', { name: 'What you will get' }).getByText('birds').waitFor()
    await dialog().getByRole('button', { name: 'Add 6 pictures' }).click()
    await expect.poll(() => labelCount('birds'), slow).toBe(4)
    expect(await labelCount('fish')).toBe(2)
  })

  test('folders for training and test are kept as the split', async () => {
    const root = await tree('divided', { 'train/a': 3, 'train/b': 3, 'test/a': 1, 'test/b': 1 })
    await chooseFiles(page, () => page.getByRole('button', { name: 'Choose a folder' }).click(), root)
    await dialog()
      .getByRole('switch', { name: /Keep the folders for training/ })
      .waitFor()
    await dialog().getByRole('button', { name: 'Add 8 pictures' }).click()
    await expect.poll(() => labelCount('a'), slow).toBe(4)
  })

  test('a folder without pictures is said to be one', async () => {
    const root = join(folder, 'words')
    await mkdir(root)
    await writeFile(join(root, 'notes.txt'), 'no pictures here')
    await chooseFiles(page, () => page.getByRole('button', { name: 'Choose a folder' }).click(), root)
    await dialog().getByText('There are no pictures in there').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => dialog().count()).toBe(0)
  })
})

describe('drops', () => {
  test('a folder dropped anywhere on the window is taken in', async () => {
    const root = await tree('dropped', { red: 2, green: 2 })
    await dropPaths(page, [root])
    await dialog().getByRole('button', { name: 'Add 4 pictures' }).click()
    await expect.poll(() => labelCount('red'), slow).toBe(2)
  })

  test('a drop on the start page begins a project with its name', async () => {
    await page.goto(new URL('/', page.url()).href)
    await page.getByRole('heading', { name: 'Teach your computer' }).waitFor()
    const root = await tree('From the meadow', { bee: 2, fly: 2 })
    await dropPaths(page, [root])
    await dialog().getByRole('button', { name: 'Add 4 pictures' }).click(slow)
    await page.getByRole('button', { name: /From the meadow/ }).waitFor(slow)
    await expect.poll(() => labelCount('bee'), slow).toBe(2)
  })

  test('one that is cancelled on the start page leaves nothing; the same name twice gets a number', async () => {
    await page.goto(new URL('/', page.url()).href)
    await page.getByRole('heading', { name: 'Teach your computer' }).waitFor()
    const projects = (): Promise<string[]> => readdir(join(studio.home, 'projects'))
    const before = await projects()
    const root = await tree('By the lake', { duck: 2, swan: 2 })
    await dropPaths(page, [root])
    await dialog().getByRole('button', { name: 'Add 4 pictures' }).waitFor(slow)
    await dialog().getByRole('button', { name: 'Cancel' }).click()
    await expect.poll(() => dialog().count()).toBe(0)
    expect(await projects()).toEqual(before)
    expect(new URL(page.url()).pathname).toBe('/')

    for (const name of ['By the lake', 'By the lake 2']) {
      await page.goto(new URL('/', page.url()).href)
      await page.getByRole('heading', { name: 'Teach your computer' }).waitFor()
      await dropPaths(page, [root])
      await dialog().getByRole('button', { name: 'Add 4 pictures' }).click(slow)
      await expect.poll(() => labelCount('duck'), slow).toBe(2)
      expect(await projects()).toContain(`${name}.kestrel`)
    }
  })

  test('a project folder that is dropped is opened as a copy that lasts', async () => {
    const root = await tree('kept', { owl: 2 })
    await dropPaths(page, [root])
    await dialog().getByRole('button', { name: 'Add 2 pictures' }).click(slow)
    await expect.poll(() => labelCount('owl'), slow).toBe(2)
    await page.goto(new URL('/', page.url()).href)
    // Closed by the restart: only then everything is in its one file.
    await page.close()
    await studio.restart('SIGTERM')
    page = await studio.open()
    await page.getByRole('heading', { name: 'Teach your computer' }).waitFor()
    const dropped = join(folder, 'Sent over.kestrel')
    await cp(join(studio.home, 'projects', `Import ${made}.kestrel`), dropped, { recursive: true })
    await dropPaths(page, [dropped])
    await expect.poll(() => labelCount('owl'), slow).toBe(2)
    await page.getByText('This is a copy of the project you dropped').waitFor(slow)

    const address = new URL(page.url()).pathname
    await page.close()
    await studio.restart('SIGKILL')
    page = await studio.open(address)
    await expect.poll(() => labelCount('owl'), slow).toBe(2)
    expect(await readdir(join(studio.home, 'projects'))).toContain('Sent over.kestrel')
  })

  test('what cannot be sent is listed with its reason, and everything else goes on', async () => {
    const root = await tree('odd', { 'ratio 1:2': 2, plain: 6 })
    await copyFile(sample[30]!, join(root, 'plain', 'a\\b\u0001:c.jpg'))
    const deep = join(root, ...Array.from({ length: 35 }, () => 'd'))
    await mkdir(deep, { recursive: true })
    await copyFile(sample[31]!, join(deep, 'deep.jpg'))
    await writeFile(join(root, 'plain', 'huge.jpg'), '')
    await truncate(join(root, 'plain', 'huge.jpg'), mostUploadBytes + 1)
    // A file goes after its folder was listed and before its turn: while four others are held on their way.
    const held: string[] = []
    let gone = ''
    let removed: Promise<void> | null = null
    const removeOne = async (): Promise<void> => {
      await expect.poll(() => held.length, slow).toBe(4)
      gone = ['0', '1', '2', '3', '4', '5'].map((name) => `${name}.jpg`).find((name) => !held.includes(name))!
      await rm(join(root, 'plain', gone))
    }
    await page.route('**/upload/*?path=*', async (route) => {
      const path = new URL(route.request().url()).searchParams.get('path') ?? ''
      if (removed === null && !path.includes('plain/')) return route.continue()
      held.push(path.slice(path.lastIndexOf('/') + 1))
      removed ??= removeOne()
      await removed
      await route.continue()
    })
    await dropPaths(page, [root])
    await dialog().getByRole('button', { name: 'Add 8 pictures' }).click(slow)
    await page.unroute('**/upload/*?path=*')
    await page.getByText('8 pictures added').waitFor(slow)
    await page.getByText('3 files could not be sent').waitFor()
    expect(await labelCount('ratio 1:2')).toBe(2)
    await page.getByRole('button', { name: 'See why' }).click()
    const list = page.getByRole('dialog', { name: 'Files that were left out' })
    for (const [file, reason] of [
      ['deep.jpg', 'is too long'],
      ['huge.jpg', 'larger than the 8 GB'],
      [gone, 'It was gone'],
    ] as const)
      await list.getByRole('row').filter({ hasText: file }).getByText(reason).waitFor()
    expect(await list.locator('tbody tr').count()).toBe(3)
    await page.keyboard.press('Escape')
  })

  test('files dropped on a label get that label at once', async () => {
    await page.keyboard.press('n')
    await page.getByRole('textbox', { name: 'Name of the new label' }).fill('stone')
    await page.keyboard.press('Enter')
    await page.locator('[data-label="stone"]').waitFor()
    const root = await tree('stones', { '.': 2 })
    await dropPaths(page, [join(root, '0.jpg'), join(root, '1.jpg')], '[data-label="stone"]')
    await expect.poll(() => labelCount('stone'), slow).toBe(2)
    expect(await dialog().count()).toBe(0)
  })
})

test('an import says how far it is and can be stopped; what was read is kept', async () => {
  const many = 700
  const root = join(folder, 'many')
  await writeTree(root, Object.fromEntries(Array.from({ length: many }, (_, i) => [`all/${i}.jpg`, i])))
  await chooseFiles(page, () => page.getByRole('button', { name: 'Choose a folder' }).click(), root)
  await dialog()
    .getByRole('button', { name: `Add ${many} pictures` })
    .click(slow)
  const running = page.getByRole('region', { name: 'What is running' })
  await running.getByText(/reading pictures|looking what is there/).waitFor()
  await page.locator('[data-index="0"][data-picture]').waitFor(slow)
  await running.getByRole('button', { name: 'Stop: Adding pictures' }).click()
  await expect.poll(() => running.count(), slow).toBe(0)
  const kept = await labelCount('all')
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(many)
})

test('what cannot be read is listed with its reason; twins are added once; the rest goes on', async () => {
  const root = await tree('mixed', { x: 3, y: 2 })
  await copyFile(join(root, 'x', '0.jpg'), join(root, 'x', 'twin.jpg'))
  await writeFile(join(root, 'y', 'letter.jpg'), 'Dear reader, this is not a picture.')
  await writeFile(join(root, 'y', 'empty.jpg'), '')
  await chooseFiles(page, () => page.getByRole('button', { name: 'Choose a folder' }).click(), root)
  await dialog()
    .getByRole('button', { name: /Add \d pictures/ })
    .click()
  await page.getByText('5 pictures added').waitFor(slow)
  await page.getByRole('button', { name: 'See why' }).click()
  const list = page.getByRole('dialog', { name: 'Files that were left out' })
  await list.getByText('letter.jpg').waitFor()
  await list.getByText('empty.jpg').waitFor()
  expect(await list.locator('tbody tr').count()).toBe(2)
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  // The way back to the list stays in the filters.
  await page.getByRole('button', { name: '2 files left out' }).waitFor()
})
