import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { writeTree } from '../../helpers/draw.ts'
import { temporaryFolder } from '../../helpers/folders.ts'
import { studioBase } from '../../helpers/studio-base.ts'

test('killed in the middle of an import: opened again, it goes on and nothing is lost or twice', async () => {
  const PICTURES = 400
  const folder = await writeTree(
    join(temporaryFolder(), 'many'),
    Object.fromEntries(
      Array.from({ length: PICTURES }, (_, index) => [`label ${index % 4}/${index}.jpg`, index]),
    ),
  )
  const home = join(temporaryFolder(), 'home')
  const place = join(temporaryFolder(), 'crash.kestrel')
  const child = spawn(process.execPath, ['tests/fixtures/processes/import-forever.ts', home, place, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  for await (const line of createInterface(child.stdout)) if (Number(line) >= 64) break
  child.kill('SIGKILL')
  await once(child, 'exit')

  const studio = await studioBase(home)
  const { projectId } = await studio.projects.openOrCreateAt(place, 'Crash')
  const before = studio.pictures.counts(projectId).total
  expect(before).toBeGreaterThanOrEqual(64)
  expect(before).toBeLessThan(PICTURES)
  const [job] = studio.jobs.list(projectId)
  expect(job?.kind).toBe('import')
  const ended = await studio.jobs.wait(job!.id)
  expect(ended).toMatchObject({ state: 'done', done: PICTURES, facts: { imported: PICTURES, duplicates: 0 } })

  const counts = studio.pictures.counts(projectId)
  expect(counts.total).toBe(PICTURES)
  expect(counts.labels.map((label) => label.pictures)).toEqual([100, 100, 100, 100])
  const project = studio.registry.get(projectId)
  expect(project.db.sql.pragma('integrity_check', { simple: true })).toBe('ok')
  const files = readdirSync(project.paths.images, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(project.paths.images, name)).isFile(),
  )
  expect(files).toHaveLength(PICTURES)
  const ids = studio.pictures.ids({
    projectId,
    filter: { show: 'all' },
    sort: 'added',
    from: 0,
    to: PICTURES,
  })
  for (const { sha256 } of project.use(createPicturesRepository).list(ids))
    expect(project.thumbnails.get(sha256)?.length).toBeGreaterThan(100)
})
