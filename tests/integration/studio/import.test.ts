import { existsSync, readdirSync, statSync } from 'node:fs'
import { rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { StudioBase } from '#studio/compose-base.ts'
import type { Job } from '#shared/jobs/job.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { draw, writeTree } from '../../helpers/draw.ts'
import { studioBase } from '../../helpers/studio-base.ts'

const choices = { rule: 'parent', keepSplit: true, storage: 'copy' } as const
const active = { show: 'active' } as const

async function importPaths(
  studio: StudioBase,
  paths: string[],
  more: Partial<{
    rule: 'parent' | 'first' | 'path' | 'none'
    labelId: number
    keepSplit: boolean
    storage: 'copy' | 'reference'
  }> = {},
): Promise<{ projectId: string; job: Job }> {
  const { projectId } = studio.registry.all()[0] ?? (await studio.projects.create('Test'))
  const token = studio.sources.register(paths, 'read')
  const { id } = await studio.imports.start(projectId, token, { ...choices, ...more })
  return { projectId, job: await studio.jobs.wait(id) }
}

const labelCounts = (studio: StudioBase, projectId: string): Record<string, number> =>
  Object.fromEntries(studio.pictures.counts(projectId).labels.map((label) => [label.name, label.pictures]))

describe('folders', () => {
  test('sub-folders become labels, loose pictures have none, order is that of names', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'flowers'), {
      'daisy/img10.jpg': 1,
      'daisy/img2.jpg': 2,
      'rose/deep/inside.jpg': 3,
      'loose.jpg': 4,
      'notes.txt': Buffer.from('hello'),
      '.hidden.jpg': Buffer.from('x'),
    })
    const token = studio.sources.register([folder], 'read')
    const { projectId } = await studio.projects.create('Test')
    const plan = await studio.imports.inspect(projectId, token)
    expect(plan).toMatchObject({ pictures: 4, ignored: 2, recommended: 'parent', depth: 2 })
    expect(plan.freeBytes).toBeGreaterThan(plan.needsBytes)

    const { job } = await importPaths(studio, [folder])
    expect(job).toMatchObject({ state: 'done', done: 4, total: 4, title: 'flowers' })
    expect(job.facts).toMatchObject({ imported: 4, duplicates: 0, skipped: 0 })
    expect(labelCounts(studio, projectId)).toEqual({ daisy: 2, deep: 1 })
    expect(studio.pictures.counts(projectId).unlabelled).toBe(1)
    const window = studio.pictures.window({ projectId, filter: active, sort: 'added', offset: 0, limit: 10 })
    expect(window.rows.map((row) => row.name)).toEqual(['loose.jpg', 'img2.jpg', 'img10.jpg', 'inside.jpg'])
    const detail = studio.pictures.get(projectId, window.rows[1]!.id)
    expect(detail).toMatchObject({ width: 96, height: 72, format: 'jpeg', origin: 'flowers/daisy/img2.jpg' })
  })

  test('several dropped folders are labels; train, val and test are kept as the split', async () => {
    const studio = await studioBase()
    const root = temporaryFolder()
    await writeTree(root, { 'daisy/a.jpg': 1, 'rose/b.jpg': 2 })
    const first = await importPaths(studio, [join(root, 'daisy'), join(root, 'rose')])
    expect(labelCounts(studio, first.projectId)).toEqual({ daisy: 1, rose: 1 })

    const split = await writeTree(join(temporaryFolder(), 'set'), {
      'train/cat/1.jpg': 11,
      'train/dog/2.jpg': 12,
      'test/cat/3.jpg': 13,
      'val/dog/4.jpg': 14,
    })
    const { projectId } = await importPaths(studio, [split])
    expect(labelCounts(studio, projectId)).toEqual({ daisy: 1, rose: 1, cat: 2, dog: 2 })
    const project = studio.registry.get(projectId)
    const splits = project.db.sql
      .prepare('SELECT fixed_split FROM pictures WHERE id > 2 ORDER BY id')
      .pluck()
      .all()
    expect(splits.toSorted()).toEqual(['test', 'train', 'train', 'val'])
  })

  test('originals are in the project under names of their content, thumbnails in the cache, nothing else is left', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'x'), { 'a/1.jpg': 1, 'a/2.jpg': 2 })
    const { projectId } = await importPaths(studio, [folder])
    const { paths } = studio.registry.get(projectId)
    const all = (base: string): string[] =>
      readdirSync(base, { recursive: true, encoding: 'utf8' }).filter((name) =>
        statSync(join(base, name)).isFile(),
      )
    expect(all(paths.images)).toHaveLength(2)
    const { thumbnails, use } = studio.registry.get(projectId)
    for (const { sha256 } of use(createPicturesRepository).list([1, 2]))
      expect(thumbnails.get(sha256)?.length).toBeGreaterThan(100)
    expect(readdirSync(paths.temporary)).toEqual([])
  })

  test('left in place: nothing is copied', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'x'), { 'a/1.jpg': 1 })
    const { projectId } = await importPaths(studio, [folder], { storage: 'reference' })
    const project = studio.registry.get(projectId)
    expect(readdirSync(project.paths.images)).toEqual([])
    expect(project.db.sql.prepare('SELECT file FROM pictures').pluck().get()).toBe(join(folder, 'a', '1.jpg'))
  })

  test('all under one label, whatever the folders say', async () => {
    const studio = await studioBase()
    const { projectId } = await studio.projects.create('Test')
    const { labelId } = await studio.labelling.createLabel(projectId, 'scratch')
    const folder = await writeTree(join(temporaryFolder(), 'x'), { 'a/1.jpg': 1, 'b/2.jpg': 2 })
    await importPaths(studio, [folder], { labelId })
    expect(labelCounts(studio, projectId)).toEqual({ scratch: 2 })
  })
})

describe('what cannot be read, and what is there already', () => {
  test('bad files are listed with code and words, the rest goes on', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'x'), {
      'a/good.jpg': 1,
      'a/empty.jpg': Buffer.alloc(0),
      'a/text.jpg': Buffer.from('this is a text, nothing else'),
      'a/also-good.png': await draw(2, { format: 'png' }),
    })
    const { projectId, job } = await importPaths(studio, [folder])
    expect(job.facts).toMatchObject({ imported: 2, skipped: 2 })
    const { total, problems } = studio.imports.problems(projectId, 0, 10)
    expect(total).toBe(2)
    expect(problems.map(({ file, code }) => [file, code])).toEqual([
      ['x/a/empty.jpg', 'file-empty'],
      ['x/a/text.jpg', 'not-a-picture'],
    ])
    expect(problems[0]!.message).toContain('empty')
    expect(studio.pictures.counts(projectId).skippedFiles).toBe(2)
  })

  test('copies are counted once; under another label it is said and the first label stays', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'x'), {
      'cat/1.jpg': 1,
      'cat/copy.jpg': 1,
      'dog/again.jpg': 1,
      'dog/2.jpg': 2,
    })
    const { projectId, job } = await importPaths(studio, [folder])
    expect(job.facts).toMatchObject({ imported: 2, duplicates: 2, skipped: 0 })
    expect(labelCounts(studio, projectId)).toEqual({ cat: 1, dog: 1 })
    const { problems, duplicates } = studio.imports.problems(projectId, 0, 10)
    expect(duplicates).toBe(2)
    expect(problems.map(({ file, code }) => [file, code])).toEqual([
      ['x/dog/again.jpg', 'duplicate-other-label'],
    ])
    const again = await importPaths(studio, [folder])
    expect(again.job.facts).toMatchObject({ imported: 0, duplicates: 4 })
  })

  test('a copy in train and test counts for the test', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'x'), {
      'train/cat/1.jpg': 1,
      'train/cat/2.jpg': 2,
      'test/cat/1.jpg': 1,
      'test/cat/3.jpg': 3,
    })
    const { projectId } = await importPaths(studio, [folder])
    const rows = studio.registry
      .get(projectId)
      .db.sql.prepare("SELECT count(*) FROM pictures WHERE fixed_split = 'test'")
      .pluck()
      .get()
    expect(rows).toBe(2)
    expect(studio.imports.problems(projectId, 0, 10).problems[0]?.code).toBe('duplicate-other-split')
  })

  test('an unlabelled picture gets the label a later import knows', async () => {
    const studio = await studioBase()
    const root = temporaryFolder()
    await writeTree(root, { 'loose.jpg': 1, 'in/cat/1.jpg': 1 })
    await importPaths(studio, [join(root, 'loose.jpg')])
    const { projectId } = await importPaths(studio, [join(root, 'in')])
    expect(labelCounts(studio, projectId)).toEqual({ cat: 1 })
  })
})

describe('stopping and going on', () => {
  const many = async (count: number): Promise<string> =>
    writeTree(
      join(temporaryFolder(), 'many'),
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index % 3}/${index}.jpg`, index])),
    )

  test('cancel keeps what was read', async () => {
    const studio = await studioBase()
    const folder = await many(300)
    const { projectId } = await studio.projects.create('Test')
    const token = studio.sources.register([folder], 'read')
    const { id } = await studio.imports.start(projectId, token, choices)
    const off = studio.bus.subscribe((event) => {
      if (event.type === 'job' && Number(event.job.facts['imported'] ?? 0) > 0) studio.jobs.cancel(id)
    })
    const job = await studio.jobs.wait(id)
    off()
    expect(job.state).toBe('cancelled')
    const { total } = studio.pictures.counts(projectId)
    expect(total).toBeGreaterThan(0)
    expect(total).toBeLessThan(300)
    expect(job.facts['imported']).toBe(total)
    await studio.projects.close(projectId)
    await studio.projects.openRecent(projectId)
    expect(studio.jobs.list(projectId).filter((each) => each.endedAt === null)).toEqual([])
  })

  test('closing the project interrupts; opening it goes on to the end', async () => {
    const studio = await studioBase()
    const folder = await many(300)
    const { projectId } = await studio.projects.create('Test')
    const token = studio.sources.register([folder], 'read')
    const { id } = await studio.imports.start(projectId, token, choices)
    await new Promise<void>((resolve) => {
      studio.bus.subscribe((event) => {
        if (event.type === 'job' && Number(event.job.facts['imported'] ?? 0) > 0) resolve()
      })
    })
    await studio.projects.close(projectId)
    await studio.projects.openRecent(projectId)
    const job = await studio.jobs.wait(id)
    expect(job).toMatchObject({ state: 'done', done: 300, total: 300 })
    expect(studio.pictures.counts(projectId).total).toBe(300)
    expect(labelCounts(studio, projectId)).toEqual({ l0: 100, l1: 100, l2: 100 })
  })
})

describe('the same folder again', () => {
  const sync = async (studio: StudioBase, projectId: string, folder: string): Promise<Job> => {
    const { id } = studio.imports.syncFolder(projectId, folder, choices)
    return studio.jobs.wait(id)
  }

  test('unchanged files are not read, moved ones change their label, gone ones are excluded and come back', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'set'), {
      'cat/1.jpg': 1,
      'cat/2.jpg': 2,
      'dog/3.jpg': 3,
      'dog/4.jpg': 4,
      'dog/bad.jpg': Buffer.from('no picture at all'),
    })
    const { projectId } = await studio.projects.openOrCreateAt(join(temporaryFolder(), 'out'), 'out')
    const first = await sync(studio, projectId, folder)
    expect(first).toMatchObject({ state: 'done', facts: { imported: 4, skipped: 1 } })
    expect(studio.imports.folderSummary(projectId, [folder])).toMatchObject({ read: 4, duplicates: 0 })

    const again = await sync(studio, projectId, folder)
    expect(again.total).toBe(0)
    expect(studio.imports.folderSummary(projectId, [folder]).skipped).toMatchObject([
      { file: 'dog/bad.jpg', code: 'not-a-picture' },
    ])

    await rename(join(folder, 'cat', '2.jpg'), join(folder, 'dog', '2.jpg'))
    const moved = await sync(studio, projectId, folder)
    expect(moved.total).toBe(1)
    expect(labelCounts(studio, projectId)).toEqual({ cat: 1, dog: 3 })
    expect(studio.imports.folderSummary(projectId, [folder])).toMatchObject({ read: 4, duplicates: 0 })
    expect(studio.pictures.counts(projectId).excluded).toBe(0)

    await rename(join(folder, 'dog', '3.jpg'), join(folder, '..', '3.jpg'))
    await sync(studio, projectId, folder)
    expect(studio.pictures.counts(projectId).excluded).toBe(1)
    await rename(join(folder, '..', '3.jpg'), join(folder, 'dog', '3.jpg'))
    await sync(studio, projectId, folder)
    expect(studio.pictures.counts(projectId).excluded).toBe(0)
  })

  test('a label that was changed by hand stays, a file that was overwritten is read', async () => {
    const studio = await studioBase()
    const folder = await writeTree(join(temporaryFolder(), 'set'), {
      'cat/1.jpg': 1,
      'cat/2.jpg': 2,
      'dog/3.jpg': 3,
    })
    const { projectId } = await studio.projects.create('Test')
    await sync(studio, projectId, folder)
    const dog = studio.pictures.counts(projectId).labels.find((label) => label.name === 'dog')!.id
    await studio.labelling.assign(projectId, { ids: [1] }, dog)
    await sync(studio, projectId, folder)
    expect(labelCounts(studio, projectId)).toEqual({ cat: 1, dog: 2 })

    await writeFile(join(folder, 'cat', '2.jpg'), await draw(77))
    await utimes(join(folder, 'cat', '2.jpg'), 1_700_000_000, 1_700_000_000)
    const job = await sync(studio, projectId, folder)
    expect(job.facts).toMatchObject({ imported: 1 })
    expect(studio.pictures.counts(projectId)).toMatchObject({ total: 4, active: 3, excluded: 1 })
  })
})

test('the sample-like life of a project: recents, strip, rename, forget', async () => {
  const studio = await studioBase()
  const folder = await writeTree(join(temporaryFolder(), 'x'), { 'a/1.jpg': 1, 'b/2.jpg': 2 })
  const { projectId } = await importPaths(studio, [folder])
  await studio.projects.rename(projectId, 'Blossoms')
  await studio.projects.close(projectId)
  const [recent] = await studio.projects.recent()
  expect(recent).toMatchObject({
    projectId,
    name: 'Blossoms',
    pictures: 2,
    strip: 2,
    missing: false,
    accuracy: null,
  })
  expect(recent!.labels.map((label) => label.name)).toEqual(['a', 'b'])
  const strip = await studio.recents.stripFile(projectId, 1)
  expect(existsSync(strip!)).toBe(true)
  expect(await studio.recents.stripFile(projectId, 2)).toBeUndefined()

  const { location } = await studio.projects.openRecent(projectId)
  await studio.projects.close(projectId)
  await rm(location, { recursive: true })
  expect((await studio.projects.recent())[0]).toMatchObject({ missing: true })
  await expect(studio.projects.openRecent(projectId)).rejects.toMatchObject({ code: 'project-not-found' })
  await studio.projects.forget(projectId)
  expect(await studio.projects.recent()).toEqual([])
})
