import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { StudioBase } from '#studio/compose-base.ts'
import type { OpenProject } from '#studio/projects/open-project.ts'
import { databaseFile, openProjectDatabase } from '#studio/storage/database.ts'
import { createLooksRepository } from '#studio/storage/looks-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { planTraining } from '#studio/training/plan.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { photo, wall } from '../../helpers/photos.ts'
import { studioBase } from '../../helpers/studio-base.ts'

const choice = { split: { train: 0.7, val: 0.15, test: 0.15 }, seed: 1, together: 'shots' as const }

/** 0: two sizes and a crop of one shot, 1 and 2: photos that are alone, two walls. Written as asked for. */
async function write(folder: string, names: readonly string[]): Promise<string> {
  const shot = await photo(0)
  const pictures: Record<string, () => Promise<Buffer>> = {
    'a/shot.jpg': () => Promise.resolve(shot),
    'a/small.jpg': () => sharp(shot).resize(240).jpeg({ quality: 70 }).toBuffer(),
    'b/crop.png': () => sharp(shot).extract({ left: 5, top: 4, width: 390, height: 292 }).png().toBuffer(),
    'a/other.jpg': () => photo(1),
    'b/another.jpg': () => photo(2),
    'a/wall.jpg': () => wall(1),
    'b/wall.jpg': () => wall(2),
  }
  for (const name of names) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), await pictures[name]!())
  }
  return folder
}
const all = [
  'a/shot.jpg',
  'a/small.jpg',
  'b/crop.png',
  'a/other.jpg',
  'b/another.jpg',
  'a/wall.jpg',
  'b/wall.jpg',
]

async function bring(studio: StudioBase, projectId: string, folder: string): Promise<OpenProject> {
  const choices = { rule: 'parent', keepSplit: true, storage: 'copy' } as const
  const job = await studio.jobs.wait(studio.imports.startFolder(projectId, folder, choices).id)
  expect(job.state).toBe('done')
  return studio.registry.get(projectId)
}

/** Names of the pictures of each shot that there are several of. */
function shots(project: OpenProject): string[][] {
  const { pictures } = planTraining(project, choice)
  const names = new Map<string, string[]>()
  for (const { pictureId, group } of pictures) {
    const { name } = project.use(createPicturesRepository).find(pictureId)!
    names.set(group, [...(names.get(group) ?? []), name].sort())
  }
  return [...names.values()].filter((found) => found.length > 1)
}

test('pictures of one shot are found when they are imported, whatever their labels', async () => {
  const studio = await studioBase()
  const { projectId } = await studio.projects.create('Test')
  const project = await bring(studio, projectId, await write(temporaryFolder(), all))
  expect(shots(project)).toEqual([['crop.png', 'shot.jpg', 'small.jpg']])
  expect(project.use(createLooksRepository).waiting()).toEqual([])
})

test('they may be divided as single files where that is asked for', async () => {
  const studio = await studioBase()
  const { projectId } = await studio.projects.create('Test')
  const project = await bring(studio, projectId, await write(temporaryFolder(), all))
  const { pictures, sharedShots } = planTraining(project, { ...choice, together: 'copies' })
  expect(new Set(pictures.map(({ group }) => group)).size).toBe(all.length)
  expect(pictures.every(({ group, sha256 }) => group === sha256)).toBe(true)
  // What is torn apart is still known, so that it can be said.
  expect(sharedShots).toMatchObject({ groups: 1, pictures: 3 })
})

test('it is the same groups when they come one by one, the other way round', async () => {
  const studio = await studioBase()
  const { projectId } = await studio.projects.create('Test')
  let groups: string[] = []
  for (const name of all.toReversed()) {
    const project = await bring(studio, projectId, await write(temporaryFolder(), [name]))
    expect(shots(project).length).toBeLessThanOrEqual(1)
    groups = shots(project)[0] ?? groups
  }
  expect(groups).toEqual(['crop.png', 'shot.jpg', 'small.jpg'])
})

test('a project from before there were looks catches up when it is opened', async () => {
  const home = join(temporaryFolder(), 'home')
  const first = await studioBase(home)
  const { projectId } = await first.projects.create('Test')
  const project = await bring(first, projectId, await write(temporaryFolder(), all))
  const { folder } = project
  const lost = project.use(createPicturesRepository).find(4)!
  await first.projects.closeAll()
  const old = openProjectDatabase(folder)
  old.sql.exec('DELETE FROM twins; DELETE FROM looks')
  old.close()
  await rm(join(folder, lost.file))
  expect(existsSync(databaseFile(folder))).toBe(true)

  const again = await studioBase(home)
  const opened = await again.projects.openOrCreateAt(folder, 'Test')
  const there = again.registry.get(opened.projectId)
  const looks = there.use(createLooksRepository)
  await vi.waitFor(() => {
    expect(looks.missing(0, 1)).toEqual([])
    expect(looks.waiting()).toEqual([])
  })
  expect(shots(there)).toEqual([['crop.png', 'shot.jpg', 'small.jpg']])
  onTestFinished(() => again.projects.closeAll())
})
