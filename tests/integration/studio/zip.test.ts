import { existsSync, readdirSync, statfsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { StudioBase } from '#studio/compose-base.ts'
import { listZip, unpackZip, zipLimits } from '#studio/sources/zip.ts'
import { draw } from '../../helpers/draw.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { studioBase } from '../../helpers/studio-base.ts'
import { damageDeflated, damageStored, entryOf, lockEntry, zipOf } from '../../helpers/zips.ts'

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

/** Imports a zip; what the job ended as, the labels it made and what was left out. */
async function imported(studio: StudioBase, path: string) {
  const { projectId } = await studio.projects.create('Test')
  const token = studio.sources.register([path], 'read')
  const { id } = await studio.imports.start(projectId, token, {
    rule: 'parent',
    keepSplit: true,
    storage: 'copy',
  })
  const job = await studio.jobs.wait(id)
  const { problems } = studio.imports.problems(projectId, 0, 100)
  return { projectId, job, problems }
}

describe('a zip with files that cannot be unpacked', () => {
  test('damaged, locked, foreign and misnamed ones are listed, the others are added', async () => {
    const studio = await studioBase()
    const long = `cats/${'x'.repeat(300)}.jpg`
    const bytes = await zipOf({
      'cats/1.jpg': await draw(1),
      'cats/locked.jpg': await draw(2),
      'cats/damaged.jpg': await draw(3),
      'cats/foreign.jpg': await draw(4),
      [long]: await draw(5),
      'dogs/6.jpg': await draw(6),
      'dogs/6.jpg/7.jpg': await draw(7),
    })
    lockEntry(bytes, 'cats/locked.jpg')
    bytes.writeUInt16LE(14, entryOf(bytes, 'cats/foreign.jpg') + 10)
    damageDeflated(bytes, 'cats/damaged.jpg')

    const { projectId, job, problems } = await imported(studio, await saved(bytes))
    expect(job).toMatchObject({ state: 'done', facts: { imported: 2, skipped: 5 }, done: 7, total: 7 })
    expect(studio.pictures.counts(projectId).labels.map((label) => label.name)).toEqual(['cats', 'dogs'])
    expect(Object.fromEntries(problems.map(({ file, code }) => [file, code]))).toEqual({
      'cats/locked.jpg': 'archive-damaged',
      'cats/damaged.jpg': 'archive-damaged',
      'cats/foreign.jpg': 'format-unsupported',
      [long]: 'file-unreadable',
      'dogs/6.jpg/7.jpg': 'file-unreadable',
    })
    expect(problems.find(({ file }) => file === 'cats/locked.jpg')?.message).toMatch(/password.*Unpack/)
    expect(readdirSync(studio.registry.get(projectId).paths.temporary)).toEqual([])
  })

  test('a stored file whose size in the directory is wrong is one of them', async () => {
    const studio = await studioBase()
    const bytes = await zipOf({ 'a/1.jpg': await draw(1), 'a/2.jpg': await draw(2) }, { compress: false })
    const entry = entryOf(bytes, 'a/2.jpg')
    bytes.writeUInt32LE(bytes.readUInt32LE(entry + 24) + 1, entry + 24)
    const { job, problems } = await imported(studio, await saved(bytes))
    expect(job).toMatchObject({ state: 'done', facts: { imported: 1, skipped: 1 } })
    expect(problems).toMatchObject([{ file: 'a/2.jpg', code: 'archive-damaged' }])
  })

  test('a file that opens, but is not what was packed, is one of them', async () => {
    const studio = await studioBase()
    const other = await draw(2)
    const bytes = await zipOf({ 'a/1.jpg': await draw(1), 'a/2.jpg': other }, { compress: false })
    damageStored(bytes, 'a/2.jpg', other.byteLength)
    const { job, problems } = await imported(studio, await saved(bytes))
    expect(job).toMatchObject({ state: 'done', facts: { imported: 1, skipped: 1 } })
    expect(problems).toMatchObject([{ file: 'a/2.jpg', code: 'archive-damaged' }])
  })

  test('two files of one name are both there', async () => {
    const studio = await studioBase()
    const path = await saved(
      replaced(await zipOf({ 'a/1.jpg': await draw(1), 'a/2.jpg': await draw(2) }), 'a/2.jpg', 'a/1.jpg'),
    )
    expect((await imported(studio, path)).job).toMatchObject({ facts: { imported: 2, skipped: 0 } })
  })
})

describe('the space a zip needs', () => {
  test('counts what is unpacked beside what is copied, whatever the storage', async () => {
    const studio = await studioBase()
    const picture = await draw(1)
    const { projectId } = await studio.projects.create('Test')
    const folder = temporaryFolder()
    await writeFile(join(folder, '1.jpg'), picture)
    const zip = await saved(await zipOf({ '1.jpg': picture }))
    const planOf = (path: string) =>
      studio.imports.inspect(projectId, studio.sources.register([path], 'read'))
    const plain = await planOf(folder)
    const packed = await planOf(zip)
    expect(plain.mustCopy).toBe(false)
    expect(packed.mustCopy).toBe(true)
    expect(packed.needsBytes).toBe(plain.needsBytes + picture.byteLength)
  })

  const { bavail, bsize } = statfsSync(tmpdir())
  const entries = 60
  const each = 0xf0000000
  test.skipIf(2 * entries * each < bavail * bsize)('is asked for before anything is unpacked', async () => {
    const studio = await studioBase()
    const bytes = await zipOf(
      Object.fromEntries(Array.from({ length: entries }, (_, i) => [`a/${i}.jpg`, Buffer.from('small')])),
      { compress: false },
    )
    // The directory says that each is of 4 GB, as it would be; nobody may find out by trying.
    for (let i = 0; i < entries; i++) {
      const entry = entryOf(bytes, `a/${i}.jpg`)
      bytes.writeUInt32LE(each, entry + 20)
      bytes.writeUInt32LE(each, entry + 24)
    }
    const { projectId, job } = await imported(studio, await saved(bytes))
    expect(job).toMatchObject({ state: 'failed', error: { code: 'disk-full' } })
    expect(job.error?.message).toMatch(/^Unpacking and copying these pictures needs [\d,]+ MB/)
    expect(studio.imports.problems(projectId, 0, 1).total).toBe(0)
    expect(readdirSync(studio.registry.get(projectId).paths.temporary)).toEqual([])
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
