import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { walkFolder } from '#studio/sources/walk.ts'
import { withContents } from '../helpers/folders.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kestrel-walk-'))
  for (const path of [
    'leaf/1.jpg',
    'plain-name/project.db',
    'plain-name/images/ab/1.jpg',
    'x.kestrel/1.jpg',
  ]) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), 'x')
  }
})
afterAll(() => rm(folder, withContents))

it('passes projects among the pictures over, whatever their folder is called', async () => {
  const found: string[] = []
  for await (const { relative } of walkFolder(folder, '')) found.push(relative)
  expect(found).toEqual(['leaf/1.jpg'])
})

it('lets others have their turn in a folder of many files', async () => {
  const many = await mkdtemp(join(tmpdir(), 'kestrel-many-'))
  await Promise.all(Array.from({ length: 200 }, (_, i) => writeFile(join(many, `${i}.jpg`), 'x'.repeat(i))))
  let turns = 0
  const turn = (): void => {
    turns += 1
    next = setImmediate(turn)
  }
  let next = setImmediate(turn)
  const found: number[] = []
  for await (const { bytes } of walkFolder(many, '')) found.push(bytes)
  clearImmediate(next)
  await rm(many, withContents)
  expect(found).toEqual(Array.from({ length: 200 }, (_, i) => i))
  expect(turns).toBeGreaterThanOrEqual(Math.floor(200 / 32))
})
