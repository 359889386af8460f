import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLabelsRepository } from '#studio/storage/labels-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import type { PictureRecord } from '#studio/storage/pictures-repository.ts'
import { createTestLooksRepository } from '#studio/storage/test-looks-repository.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { photo } from '../../helpers/photos.ts'
import { studioBase } from '../../helpers/studio-base.ts'

/** Two labelled photos in a project and one beside it; the first one is a test picture. */
async function setUp() {
  const base = await studioBase()
  const folder = temporaryFolder()
  for (const [place, label] of ['leaf', 'stone'].entries()) {
    await mkdir(join(folder, 'in', label), { recursive: true })
    await writeFile(join(folder, 'in', label, `${label}.jpg`), await photo(place))
  }
  const fresh = join(folder, 'fresh.jpg')
  await writeFile(fresh, await photo(2))
  const { projectId } = await base.projects.create('Finds')
  const choices = { rule: 'parent', keepSplit: true, storage: 'copy' } as const
  await base.jobs.wait(base.imports.startFolder(projectId, join(folder, 'in'), choices).id)
  const project = base.registry.get(projectId)
  const pictures = project.use(createPicturesRepository)
  pictures.setSplits([{ id: 1, split: 'test' }])
  const labels = project.use(createLabelsRepository)
  const nameOf = ({ labelId }: PictureRecord): string | null =>
    labelId === null ? null : (labels.find(labelId)?.name ?? null)
  const state = (id: number) => {
    const picture = pictures.find(id)!
    return { label: nameOf(picture), excluded: picture.excluded }
  }
  const first = pictures.find(1)!
  return {
    ...base,
    project,
    projectId,
    fresh,
    state,
    first: join(folder, 'in', nameOf(first)!, first.name),
    was: nameOf(first)!,
    changedInTest: () => project.use(createTestLooksRepository).sums().changed,
    labels: () => labels.all(),
  }
}

test('another label for a picture of the project is one step, and counts as a change of a test picture', async () => {
  const { datasets, labelling, project, projectId, first, was, state, changedInTest } = await setUp()
  const say = (name: string) => datasets.addPicture(project, { path: first, name: 'a.jpg', label: { name } })
  expect(await say('shell')).toEqual({
    pictureId: 1,
    alreadyThere: true,
    relabelled: true,
    restored: false,
  })
  expect(state(1)).toEqual({ label: 'shell', excluded: false })
  expect(changedInTest()).toBe(1)

  const revision = project.revision()
  expect(await say('SHELL')).toMatchObject({ alreadyThere: true, relabelled: false, restored: false })
  expect(project.revision()).toBe(revision)

  expect(await labelling.undo(projectId)).toMatchObject({ name: 'say', changed: 1 })
  expect(state(1)).toEqual({ label: was, excluded: false })
  expect(changedInTest()).toBe(0)
  await expect(labelling.undo(projectId)).rejects.toMatchObject({ code: 'nothing-to-undo' })
  await labelling.redo(projectId)
  expect(state(1).label).toBe('shell')
})

test('a picture that was excluded comes back in the same step', async () => {
  const { datasets, labelling, project, projectId, first, was, state, changedInTest } = await setUp()
  await labelling.exclude(projectId, { ids: [1] })
  const changedBefore = changedInTest()
  const say = (name: string) => datasets.addPicture(project, { path: first, name: 'a.jpg', label: { name } })
  expect(await say(was)).toMatchObject({ alreadyThere: true, relabelled: false, restored: true })
  expect(state(1)).toEqual({ label: was, excluded: false })
  await labelling.undo(projectId)
  expect(await say('shell')).toMatchObject({ relabelled: true, restored: true })
  expect(state(1)).toEqual({ label: 'shell', excluded: false })
  await labelling.undo(projectId)
  expect(state(1)).toEqual({ label: was, excluded: true })
  expect(changedInTest()).toBe(changedBefore)
})

test('adding a picture is a step as well: undo leaves it excluded, without its label', async () => {
  const { datasets, labelling, project, projectId, fresh, state, labels } = await setUp()
  const before = labels()
  const { pictureId, ...said } = await datasets.addPicture(project, {
    ...{ path: fresh, name: 'fresh.jpg', label: { name: 'feather' } },
  })
  expect(said).toEqual({ alreadyThere: false, relabelled: false, restored: false })
  expect(state(pictureId)).toEqual({ label: 'feather', excluded: false })
  expect(await labelling.undo(projectId)).toMatchObject({ name: 'add' })
  expect(state(pictureId)).toEqual({ label: null, excluded: true })
  expect(labels()).toEqual(before)
  await labelling.redo(projectId)
  expect(state(pictureId)).toEqual({ label: 'feather', excluded: false })
})

test('a label that is gone adds nothing', async () => {
  const { datasets, project, fresh } = await setUp()
  const label = { labelId: 77 }
  await expect(datasets.addPicture(project, { path: fresh, name: 'fresh.jpg', label })).rejects.toMatchObject(
    {
      code: 'not-found',
    },
  )
  expect(project.use(createPicturesRepository).hashesAfter(0)).toHaveLength(2)
})
