import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createSourcesRepository } from '#studio/storage/sources-repository.ts'
import { describeWithShared, sharedPath } from '../../helpers/shared.ts'
import { studioBase } from '../../helpers/studio-base.ts'

describeWithShared('the nasty folder through the real import', ['data/nasty'], () => {
  test('every file has the outcome that is written down, and nothing stops the rest', async () => {
    const folder = sharedPath('data/nasty')
    const expected = readFileSync(join(folder, 'EXPECTED.tsv'), 'utf8')
      .split('\n')
      .slice(1)
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => line.split('\t') as [string, string])
    const studio = await studioBase()
    const { projectId } = await studio.projects.create('Nasty')
    const { id } = studio.imports.startFolder(projectId, folder, {
      rule: 'parent',
      keepSplit: true,
      storage: 'copy',
    })
    expect(await studio.jobs.wait(id)).toMatchObject({ state: 'done' })

    const project = studio.registry.get(projectId)
    const sources = new Map(
      project
        .use(createSourcesRepository)
        .below(`${folder}/`)
        .map((row) => [row.path.slice(folder.length + 1).normalize('NFC'), row]),
    )
    const seen = new Set<number>()
    const outcomeOf = (name: string): string => {
      const row = sources.get(name.normalize('NFC'))
      if (!row) return 'ignored'
      if (row.pictureId === null) {
        expect([name, row.code]).not.toEqual([name, 'internal'])
        expect(row.message?.length, name).toBeGreaterThan(10)
        return 'refused'
      }
      if (seen.has(row.pictureId)) return 'duplicate'
      seen.add(row.pictureId)
      return studio.pictures.get(projectId, row.pictureId).findings.length > 0
        ? 'read, with a finding'
        : 'read'
    }
    const wrong = expected
      .map(([name, wanted]) => ({ name, wanted, got: outcomeOf(name) }))
      .filter(({ wanted, got }) =>
        wanted.startsWith('damaged')
          ? got !== 'refused' && got !== 'read, with a finding'
          : wanted === 'read'
            ? !got.startsWith('read') && got !== 'duplicate'
            : got !== wanted,
      )
    expect(wrong).toEqual([])
  })
})
