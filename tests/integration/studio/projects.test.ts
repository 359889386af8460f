import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { projectFolderName } from '#studio/projects/folder-name.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { studioBase } from '../../helpers/studio-base.ts'

describe('projects', () => {
  test('a new one is a folder in the projects folder; its name is taken then', async () => {
    const studio = await studioBase()
    const project = await studio.projects.create('Blüten & Blätter: "2026"')
    expect(project.name).toBe('Blüten & Blätter: "2026"')
    expect(project.location).toBe(join(studio.home, 'projects', 'Blüten & Blätter 2026.kestrel'))
    await expect(studio.projects.create('Blüten & Blätter: "2026"')).rejects.toMatchObject({
      code: 'name-taken',
    })
    expect((await studio.projects.createNumbered('Sample')).name).toBe('Sample')
    expect((await studio.projects.createNumbered('Sample')).name).toBe('Sample 2')
  })

  test('goes where the person said, and only into folders', async () => {
    const studio = await studioBase()
    const parent = temporaryFolder()
    const token = studio.sources.register([parent], 'write')
    expect((await studio.projects.create('A', token)).location).toBe(join(parent, 'A.kestrel'))
    writeFileSync(join(parent, 'file'), '')
    const file = studio.sources.register([join(parent, 'file')], 'write')
    await expect(studio.projects.create('B', file)).rejects.toMatchObject({ code: 'bad-request' })
    const readOnly = studio.sources.register([parent], 'read')
    await expect(studio.projects.create('B', readOnly)).rejects.toMatchObject({ code: 'not-found' })
  })

  test('opens by its folder or the file in it; opening it twice gives the same; other folders are told apart', async () => {
    const studio = await studioBase()
    const { projectId, location } = await studio.projects.create('A')
    await studio.projects.close(projectId)
    const open = (path: string) => studio.projects.openSource(studio.sources.register([path], 'read'))
    const [first, second] = await Promise.all([open(location), open(join(location, 'project.db'))])
    expect(first.projectId).toBe(projectId)
    expect(second.projectId).toBe(projectId)
    expect(studio.registry.all()).toHaveLength(1)
    await expect(open(temporaryFolder())).rejects.toMatchObject({ code: 'project-not-found' })
    await expect(open(join(temporaryFolder(), 'nothing'))).rejects.toMatchObject({
      code: 'project-not-found',
    })
  })

  test('a copied folder is another project with the same pictures', async () => {
    const studio = await studioBase()
    const { projectId, location } = await studio.projects.create('A')
    await studio.labelling.createLabel(projectId, 'rose')
    await studio.projects.close(projectId)
    const copy = join(temporaryFolder(), 'Copy.kestrel')
    cpSync(location, copy, { recursive: true })
    const opened = await studio.projects.openSource(studio.sources.register([copy], 'read'))
    expect(opened.projectId).not.toBe(projectId)
    await studio.projects.openRecent(projectId)
    expect(studio.registry.all()).toHaveLength(2)
    expect(studio.pictures.counts(opened.projectId).labels).toHaveLength(1)
    const recent = await studio.projects.recent()
    expect(recent.map((each) => each.projectId).toSorted()).toEqual([projectId, opened.projectId].toSorted())
  })

  test('a moved folder keeps its id', async () => {
    const studio = await studioBase()
    const { projectId, location } = await studio.projects.create('A')
    await studio.projects.close(projectId)
    const moved = join(temporaryFolder(), 'Moved.kestrel')
    cpSync(location, moved, { recursive: true })
    rmSync(location, { recursive: true })
    const opened = await studio.projects.openSource(studio.sources.register([moved], 'read'))
    expect(opened.projectId).toBe(projectId)
    expect(await studio.projects.recent()).toMatchObject([{ projectId, missing: false }])
  })

  test('one that is open elsewhere or newer is refused with words', async () => {
    const studio = await studioBase()
    const { projectId, location } = await studio.projects.create('A')
    await studio.projects.close(projectId)
    const newer = openProjectDatabase(location)
    newer.sql.pragma('user_version = 99')
    newer.close()
    await expect(studio.projects.openRecent(projectId)).rejects.toMatchObject({ code: 'project-newer' })
    expect(studio.registry.all()).toEqual([])
  })

  test('the command line makes one in an empty or new folder only', async () => {
    const studio = await studioBase()
    const full = temporaryFolder()
    writeFileSync(join(full, 'precious.txt'), 'mine')
    await expect(studio.projects.openOrCreateAt(full, 'x')).rejects.toMatchObject({
      code: 'folder-not-empty',
    })
    const place = join(temporaryFolder(), 'new', 'out')
    const { projectId } = await studio.projects.openOrCreateAt(place, 'x')
    await studio.projects.close(projectId)
    expect((await studio.projects.openOrCreateAt(place, 'y')).projectId).toBe(projectId)
  })

  test.each([
    ['a/b\\c:d', 'a b c d.kestrel'],
    ['..', 'Project.kestrel'],
    ['con', 'Project con.kestrel'],
    ['  dots...  ', 'dots.kestrel'],
    ['日本 🌻', '日本 🌻.kestrel'],
  ])('folder of "%s" is "%s"', (name, folder) => expect(projectFolderName(name)).toBe(folder))
})

describe('settings and recents', () => {
  test('are kept, and changes at the same time do not undo each other', async () => {
    const studio = await studioBase()
    await Promise.all([
      studio.settings.change({ theme: 'dark' }),
      studio.settings.change({ importStorage: 'reference' }),
    ])
    expect(await studio.settings.get()).toMatchObject({ theme: 'dark', importStorage: 'reference' })
    const again = await studioBase(studio.home)
    expect(await again.settings.get()).toMatchObject({ theme: 'dark', importStorage: 'reference' })
  })

  test('a damaged file is put aside, not lost and not in the way', async () => {
    const home = join(temporaryFolder(), 'home')
    mkdirSync(home)
    writeFileSync(join(home, 'settings.json'), '{"theme": "pink"')
    writeFileSync(join(home, 'recents.json'), '[]')
    const studio = await studioBase(home)
    expect(await studio.settings.get()).toMatchObject({ theme: 'system' })
    expect(await studio.projects.recent()).toEqual([])
    expect(readFileSync(join(home, 'settings.damaged.json'), 'utf8')).toContain('pink')
    expect(existsSync(join(home, 'recents.damaged.json'))).toBe(true)
  })
})
