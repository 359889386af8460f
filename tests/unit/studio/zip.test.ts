import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as yauzl from 'yauzl'
import { sortedPlaces } from '#studio/predictions/sort-into.ts'
import { zipFiles } from '#studio/zip.ts'
import { temporaryFolder } from '../../helpers/folders.ts'

test('pictures of one name get places of their own, also where capitals do not count', () => {
  const picture = (name: string, folder: string) => ({ path: `/${name}`, name, folder })
  const places = sortedPlaces([
    ...[picture('a.jpg', 'leaf'), picture('deep/a.jpg', 'leaf'), picture('A.JPG', 'leaf')],
    ...[picture('a.jpg', 'stone'), picture('b.jpg', 'in/out'), picture('c.jpg', 'CON')],
  ])
  expect(places.map(({ place }) => place)).toEqual([
    ...['leaf/a.jpg', 'leaf/a (2).jpg', 'leaf/A (3).JPG', 'stone/a.jpg', 'in_out/b.jpg', '_CON/c.jpg'],
  ])
})

test('a zip of files from several places is streamed, and holds what they hold', async () => {
  const folder = temporaryFolder()
  await writeFile(join(folder, 'one'), 'first')
  await writeFile(join(folder, 'two'), Buffer.alloc(300_000, 7))
  const stream = zipFiles(
    [
      { path: join(folder, 'two'), place: 'all/b/two.bin' },
      { path: join(folder, 'one'), place: 'all/a/ä.txt' },
    ],
    new Map([['all/left.txt', 'nothing']]),
  )
  const zip = await yauzl.fromBufferPromise(Buffer.from(await new Response(stream).arrayBuffer()))
  const found: [string, number][] = []
  for await (const entry of zip.eachEntry()) {
    let bytes = 0
    for await (const part of await zip.openReadStreamPromise(entry)) bytes += (part as Buffer).length
    found.push([entry.fileName, bytes])
  }
  expect(found).toEqual([
    ['all/left.txt', 7],
    ['all/b/two.bin', 300_000],
    ['all/a/ä.txt', 5],
  ])
})

test('a file that is gone breaks the stream off instead of leaving half a zip that looks whole', async () => {
  const folder = temporaryFolder()
  await writeFile(join(folder, 'one'), 'first')
  const stream = zipFiles([
    { path: join(folder, 'one'), place: 'one' },
    { path: join(folder, 'gone'), place: 'gone' },
  ])
  await expect(new Response(stream).arrayBuffer()).rejects.toThrow(/ENOENT/)
})
