import { existsSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { ZipFile } from 'yazl'
import { listZip, unpackZip, zipLimits } from '#studio/sources/zip.ts'
import { draw } from '../../helpers/draw.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { studioBase } from '../../helpers/studio-base.ts'

async function zipOf(files: Record<string, Uint8Array>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, bytes] of Object.entries(files)) zip.addBuffer(Buffer.from(bytes), name)
  zip.end()
  return buffer(zip.outputStream)
}

const saved = async (bytes: Uint8Array, name = 'test.zip'): Promise<string> => {
  const path = join(temporaryFolder(), name)
  await writeFile(path, bytes)
  return path
}

/** Names and flags no honest program writes: changed in the bytes, in the directory and before each file. */
function replaced(zip: Buffer, from: string, to: string): Buffer {
  expect(from.length).toBe(to.length)
  return Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1')
}

const codeOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => null,
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  )

describe('a zip as a source', () => {
  test('folders inside become labels, helpers of other systems are left out, nothing stays behind', async () => {
    const studio = await studioBase()
    const path = await saved(
      await zipOf({
        'flowers/daisy/1.jpg': await draw(1),
        'flowers/daisy/2.png': await draw(2, { format: 'png' }),
        'flowers/rose/3.jpg': await draw(3),
        'flowers/readme.txt': Buffer.from('hello'),
        '__MACOSX/flowers/daisy/._1.jpg': Buffer.from('fork'),
      }),
      'flowers.zip',
    )
    const { projectId } = await studio.projects.create('Test')
    const token = studio.sources.register([path], 'read')
    const plan = await studio.imports.inspect(projectId, token)
    expect(plan).toMatchObject({ pictures: 3, recommended: 'parent' })
    expect(plan.rules[0]?.labels).toEqual([
      { name: 'daisy', pictures: 2 },
      { name: 'rose', pictures: 1 },
    ])
    const { id } = await studio.imports.start(projectId, token, {
      rule: 'parent',
      keepSplit: true,
      storage: 'reference',
    })
    const job = await studio.jobs.wait(id)
    expect(job).toMatchObject({ state: 'done', facts: { imported: 3, skipped: 0 } })
    const project = studio.registry.get(projectId)
    expect(readdirSync(project.paths.temporary)).toEqual([])
    expect(studio.pictures.get(projectId, 1)).toMatchObject({ origin: 'flowers/daisy/1.jpg' })
    expect(project.db.sql.prepare('SELECT DISTINCT stored FROM pictures').pluck().all()).toEqual(['copy'])
  })

  test('several zips of loose pictures are labels by their names', async () => {
    const studio = await studioBase()
    const { projectId } = await studio.projects.create('Test')
    const paths = [
      await saved(await zipOf({ 'a.jpg': await draw(1) }), 'cats.zip'),
      await saved(await zipOf({ 'a.jpg': await draw(2) }), 'dogs.zip'),
    ]
    const token = studio.sources.register(paths, 'read')
    const { id } = await studio.imports.start(projectId, token, {
      rule: 'parent',
      keepSplit: true,
      storage: 'copy',
    })
    await studio.jobs.wait(id)
    expect(studio.pictures.counts(projectId).labels.map((label) => label.name)).toEqual(['cats', 'dogs'])
  })
})

describe('a zip that means harm', () => {
  test.each([
    ['aa/evil.jpg', '../evil.jpg'],
    ['a/bb/evil.jpg', 'a/../evil.jpg'],
    ['xevil.jpg', '/evil.jpg'],
    ['aa/evil.jpg', '..\\evil.jpg'],
    ['a/a/evil.jpg', 'C:/evil2.jpg'],
  ])('%s written as %s is refused, nothing is unpacked outside', async (honest, evil) => {
    const path = await saved(replaced(await zipOf({ [honest]: await draw(1) }), honest, evil))
    const into = join(temporaryFolder(), 'deep', 'er')
    expect(await codeOf(listZip(path))).toBe('archive-unsafe')
    expect(await codeOf(unpackZip(path, into))).toBe('archive-unsafe')
    expect(existsSync(join(into, '..', 'evil.jpg'))).toBe(false)
  })

  test('a bomb is refused before it is unpacked', async () => {
    const path = await saved(await zipOf({ 'zeros.jpg': Buffer.alloc(12 * 1024 * 1024) }))
    expect(await codeOf(listZip(path))).toBe('archive-too-large')
  })

  test('a directory that lies about sizes does not help', async () => {
    const bytes = await zipOf({ 'a.jpg': Buffer.alloc(300_000, 'x') })
    const size = Buffer.alloc(4)
    size.writeUInt32LE(300_000)
    const lie = Buffer.alloc(4)
    lie.writeUInt32LE(1_000)
    const path = await saved(
      Buffer.from(
        bytes.toString('latin1').replaceAll(size.toString('latin1'), lie.toString('latin1')),
        'latin1',
      ),
    )
    expect(await codeOf(unpackZip(path, temporaryFolder()))).toBe('archive-damaged')
  })

  test('too many files, too many bytes', async () => {
    const path = await saved(await zipOf({ 'a.jpg': await draw(1), 'b.jpg': await draw(2) }))
    expect(await codeOf(listZip(path, { ...zipLimits, entries: 1 }))).toBe('archive-too-large')
    expect(await codeOf(listZip(path, { ...zipLimits, bytes: 1000 }))).toBe('archive-too-large')
  })

  test('cut off, not a zip at all, or locked with a password: said in words', async () => {
    const whole = await zipOf({ 'a.jpg': await draw(1) })
    expect(await codeOf(listZip(await saved(whole.subarray(0, whole.length - 30))))).toBe('archive-damaged')
    expect(await codeOf(listZip(await saved(Buffer.from('hello'))))).toBe('archive-damaged')
    const locked = Buffer.from(whole)
    // Bit 0 of the general purpose flags, in the directory entry (signature PK 1 2, flags at 8).
    const entry = locked.indexOf(Buffer.from('PK\x01\x02', 'latin1'))
    locked.writeUInt16LE(locked.readUInt16LE(entry + 8) | 1, entry + 8)
    expect(await codeOf(unpackZip(await saved(locked), temporaryFolder()))).toBe('archive-damaged')
  })

  test('the import fails with the same words and leaves the project as it was', async () => {
    const studio = await studioBase()
    const { projectId } = await studio.projects.create('Test')
    const path = await saved(replaced(await zipOf({ 'aa/evil.jpg': await draw(1) }), 'aa/evil', '../evil'))
    const token = studio.sources.register([path], 'read')
    const { id } = await studio.imports.start(projectId, token, {
      rule: 'parent',
      keepSplit: true,
      storage: 'copy',
    })
    const job = await studio.jobs.wait(id)
    expect(job).toMatchObject({ state: 'failed', error: { code: 'archive-unsafe' } })
    expect(studio.pictures.counts(projectId).total).toBe(0)
    expect(readdirSync(studio.registry.get(projectId).paths.temporary)).toEqual([])
  })
})
