import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Project } from '#shared/contract/projects.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { nameForHere } from '#studio/sources/file-names.ts'
import type { StudioBase } from '#studio/compose-base.ts'
import { nodeFlags } from '../../../scripts/lib/node24.mjs'
import { draw, writeTree } from '../../helpers/draw.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { studioBase } from '../../helpers/studio-base.ts'

const bodyOf = (bytes: Uint8Array): ReadableStream<Uint8Array> => new Blob([new Uint8Array(bytes)]).stream()

/** Everything below a user-data folder's uploads, by name. */
const sentTo = (home: string): string[] =>
  readdirSync(join(home, 'uploads'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'session.lock')
    .map((entry) => entry.name)
    .toSorted()

describe('several sessions on one user-data folder', () => {
  test('what a running studio was sent stays when another one starts and ends', async () => {
    const home = join(temporaryFolder(), 'home')
    const running = await studioBase(home)
    const token = await running.uploads.begin()
    await running.uploads.receive(token, 'cats/1.jpg', bodyOf(await draw(1)))

    const command = await studioBase(home)
    const other = await command.uploads.begin()
    await command.uploads.receive(other, 'dogs/2.jpg', bodyOf(await draw(2)))
    await command.uploads.close()
    await running.uploads.clear()
    expect(sentTo(home)).toEqual(['1.jpg'])

    const { projectId } = await running.projects.create('Test')
    const { id } = await running.imports.start(projectId, token, {
      rule: 'parent',
      keepSplit: true,
      storage: 'copy',
    })
    expect(await running.jobs.wait(id)).toMatchObject({ state: 'done', facts: { imported: 1 } })
  })

  test('what a killed one was sent is removed at the next start, while it lives it is not', async () => {
    const home = join(temporaryFolder(), 'home')
    const script = resolve(import.meta.dirname, '../../fixtures/processes/receive-upload.ts')
    const child = fork(script, [home], { execArgv: nodeFlags })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child, 'message')
    await studioBase(home)
    expect(sentTo(home)).toEqual(['sent.jpg'])

    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    await studioBase(home)
    expect(readdirSync(join(home, 'uploads'))).toEqual([])
  })

  test('what Kestrels before this one left is removed', async () => {
    const home = join(temporaryFolder(), 'home')
    mkdirSync(join(home, 'uploads', 'a-token', 'cats'), { recursive: true })
    writeFileSync(join(home, 'uploads', 'a-token', 'cats', '1.jpg'), '')
    await studioBase(home)
    expect(readdirSync(join(home, 'uploads'))).toEqual([])
  })
})

describe('a project that a browser sends', () => {
  /** Sends a project folder as a page does, file by file. */
  async function send(studio: StudioBase, folder: string): Promise<string> {
    const token = await studio.uploads.begin()
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const place = `${basename(folder)}/${relative(folder, path)}`
      await studio.uploads.receive(token, place, bodyOf(readFileSync(path)))
    }
    return token
  }

  async function projectWithPicture(studio: StudioBase): Promise<Project> {
    const project = await studio.projects.create('Owls')
    const pictures = join(temporaryFolder(), 'owls')
    await writeTree(pictures, { '1.jpg': 1 })
    const choices = { rule: 'parent', keepSplit: true, storage: 'copy' } as const
    await studio.jobs.wait(studio.imports.startFolder(project.projectId, pictures, choices).id)
    await studio.projects.close(project.projectId)
    return project
  }

  test('is opened in the projects folder under a free name, and is there after a restart', async () => {
    const home = join(temporaryFolder(), 'home')
    const studio = await studioBase(home)
    const original = await projectWithPicture(studio)
    const token = await send(studio, original.location)
    const [opened, again] = await Promise.all([
      studio.projects.openSource(token),
      studio.projects.openSource(token),
    ])
    expect(again.projectId).toBe(opened.projectId)
    expect(opened.location).toBe(join(home, 'projects', 'Owls 2.kestrel'))
    expect((await studio.projects.openSource(token)).projectId).toBe(opened.projectId)
    await studio.projects.closeAll()
    await studio.uploads.close()

    const next = await studioBase(home)
    const { projectId } = await next.projects.openRecent(opened.projectId)
    expect(next.pictures.counts(projectId).total).toBe(1)
    expect(readdirSync(join(opened.location, 'images'))).toHaveLength(1)
    expect((await next.projects.recent()).map((recent) => recent.missing)).toEqual([false, false])
  })

  test('is refused with words when it cannot be opened, and leaves nothing behind', async () => {
    const studio = await studioBase()
    const damaged = join(temporaryFolder(), 'Broken.kestrel')
    mkdirSync(damaged)
    writeFileSync(join(damaged, 'project.db'), 'no database at all, but long enough to look at'.repeat(100))
    const token = await send(studio, damaged)
    await expect(studio.projects.openSource(token)).rejects.toMatchObject({ code: 'project-damaged' })
    expect(readdirSync(join(studio.home, 'projects'))).toEqual([])
    const loose = await studio.uploads.begin()
    await studio.uploads.receive(loose, 'pictures/1.jpg', bodyOf(await draw(1)))
    await expect(studio.projects.openSource(loose)).rejects.toMatchObject({ code: 'project-not-found' })
  })

  test('is never opened among the sent files, whatever names the place', async () => {
    const studio = await studioBase()
    const { location } = await projectWithPicture(studio)
    const sent = studio.sources.paths(await send(studio, location), 'read')
    const token = studio.sources.register(sent, 'read')
    await expect(studio.projects.openSource(token)).rejects.toMatchObject({ code: 'bad-request' })
  })
})

describe('names of sent files', () => {
  const choices = { rule: 'parent', keepSplit: true, storage: 'copy' } as const

  test('are kept where this system can hold them; what cannot be is listed, and the rest goes on', async () => {
    const studio = await studioBase()
    const token = await studio.uploads.begin()
    const put = async (path: string, seed: number): Promise<unknown> =>
      studio.uploads.receive(token, path, bodyOf(await draw(seed))).then(
        () => null,
        (error: unknown) => (error instanceof KestrelError ? error.code : error),
      )
    const long = `cats/${'x'.repeat(251)}.jpg`
    const tooLong = `cats/${'x'.repeat(252)}.jpg`
    const deep = `${'d/'.repeat(40)}1.jpg`
    for (const [index, path] of ['cats/1:2.jpg', 'cats/a\\b.jpg', 'cats/a\u0001b.jpg', long].entries())
      expect([path, await put(path, index)]).toEqual([path, null])
    for (const path of [
      'cats/../../1.jpg',
      'cats/..\\..\\1.jpg',
      'C:\\1.jpg',
      '\\\\host\\1.jpg',
      tooLong,
      deep,
    ])
      expect([path, await put(path, 9)]).toEqual([path, 'bad-request'])
    expect(studio.uploads.notSent(token, { path: 'cats/gone.jpg', why: 'gone' })).toMatch(/gone/)

    const { projectId } = await studio.projects.create('Test')
    const { id } = await studio.imports.start(projectId, token, choices)
    expect(await studio.jobs.wait(id)).toMatchObject({ state: 'done', facts: { imported: 4, skipped: 7 } })
    expect(studio.pictures.counts(projectId).labels.map((label) => label.name)).toEqual(['cats'])
    const { problems } = studio.imports.problems(projectId, 0, 100)
    expect(problems.find(({ file }) => file === tooLong)?.message).toMatch(/too long.*shorter/)
    expect(problems.find(({ file }) => file === 'cats/gone.jpg')?.code).toBe('file-missing')
  })

  test('are made usable on Windows', () => {
    const windows = (name: string) => nameForHere(name, 'win32')
    expect(windows('12:30 "owl"?.jpg')).toBe('12_30 _owl__.jpg')
    expect(windows('con.jpg')).toBe('con_.jpg')
    expect(windows('cats. ')).toBe('cats__')
    expect(nameForHere('12:30 "owl"?.jpg', 'linux')).toBe('12:30 "owl"?.jpg')
  })

  test('a project that did not arrive whole is not opened', async () => {
    const studio = await studioBase()
    const { projectId, location } = await studio.projects.create('Owls')
    await studio.projects.close(projectId)
    const token = await studio.uploads.begin()
    const file = bodyOf(readFileSync(join(location, 'project.db')))
    await studio.uploads.receive(token, 'Owls.kestrel/project.db', file)
    studio.uploads.notSent(token, { path: 'Owls.kestrel/images/aa/1.jpg', why: 'unreadable' })
    const opening = studio.projects.openSource(token)
    await expect(opening).rejects.toThrow(/images\/aa\/1\.jpg” is missing/)
    expect(readdirSync(join(studio.home, 'projects'))).toEqual(['Owls.kestrel'])
  })
})
