import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runResultSchema } from '../../../electron/cli/result.ts'
import { copySample, kestrel } from '../../helpers/cli.ts'
import { expectAccessibleInBothThemes, launchBrowser, startStudio } from './studio.ts'
import type { RunningStudio } from './studio.ts'
import { withContents } from '../../helpers/folders.ts'

/** Cross-validations of which not every fold could be trained, made on the command line and looked at in Results. */
let place: string
let browser: Browser
let studio: RunningStudio | undefined
let page: Page

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'kestrel-folds-'))
  browser = await launchBrowser()
})
afterAll(async () => {
  await studio?.close()
  await browser.close()
  await rm(place, withContents)
})

/** A network from scratch, with so few pictures of a label that a fold may hold all that it could learn from. */
async function train(name: string, pictures: { leaf: number; shell: number }, folds: number) {
  const folder = join(place, `pictures of ${name}`)
  for (const [label, count] of Object.entries(pictures)) copySample(folder, [label], count)
  const { code, stdout, stderr } = await kestrel(
    [
      ...['run', folder, '--out', join(place, name), '--seed', '1', '--folds', String(folds), '--json'],
      ...['--recipe', 'scratch', '--network', 'lenet-5', '--epochs', '1'],
    ],
    { env: { KESTREL_HOME: join(place, 'home') } },
  )
  if (code !== 0) throw new Error(stderr)
  return runResultSchema.parse(JSON.parse(stdout))
}

/** Results of a project, at its training pictures. */
async function openResults(name: string): Promise<void> {
  page = await studio!.open()
  await page
    .getByRole('button', { name: new RegExp(name) })
    .first()
    .click()
  await page.getByRole('link', { name: /\bResults\b/ }).click()
  await page.getByTestId('accuracy').waitFor()
  expect(await page.getByTestId('folds-left-out').count()).toBe(0)
  await page.getByRole('button', { name: 'Training pictures' }).click()
}

describe('folds that could not be trained', () => {
  test('are told beside the figure that is made of the others, and in the list of runs', async () => {
    const { folds, foldsLeftOut } = await train('some left out', { leaf: 8, shell: 3 }, 3)
    expect([folds?.accuracy.length, foldsLeftOut?.count]).toEqual([2, 1])
    studio = await startStudio(browser, { home: join(place, 'home') })
    await openResults('some left out')
    const note = page.getByTestId('folds-left-out')
    await note.getByText('These figures come from 2 of the 3 parts of the pictures (folds).').waitFor()
    await note
      .getByText(
        /too few pictures were left to learn from.*The pictures in the part that was left out are not counted/,
      )
      .waitFor()
    await page.getByRole('cell', { name: '2 of 3 folds' }).waitFor()
    await expectAccessibleInBothThemes(page)
  })

  test('are told where there is no other, so that validation pictures are not taken for all', async () => {
    await studio?.close()
    const { folds, foldsLeftOut } = await train('all left out', { leaf: 3, shell: 3 }, 2)
    expect([folds, foldsLeftOut?.count]).toEqual([undefined, 2])
    studio = await startStudio(browser, { home: join(place, 'home') })
    await openResults('all left out')
    const note = page.getByTestId('folds-left-out')
    await note.getByText('None of the 2 parts of the pictures (folds) could be checked.').waitFor()
    await note.getByText(/What you see are the validation pictures instead/).waitFor()
    await page.getByText(/^Validation pictures, judged by a model/).waitFor()
    await page.getByRole('cell', { name: '0 of 2 folds' }).waitFor()
  })
})
