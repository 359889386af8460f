import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pictureSorts } from '#shared/contract/dataset.ts'
import type { PictureFilter } from '#shared/contract/dataset.ts'
import { openProjectDatabase } from '#studio/storage/database.ts'
import type { ProjectDatabase } from '#studio/storage/database.ts'
import { problemsOfImportsSql, waitingSql } from '#studio/storage/imports-repository.ts'
import { createLabelsRepository } from '#studio/storage/labels-repository.ts'
import { createPicturesRepository } from '#studio/storage/pictures-repository.ts'
import { problemsSql, sumsSql, viewSql } from '#studio/storage/views-repository.ts'
import { pictureRow } from '../helpers/picture-rows.ts'

let folder: string
let db: ProjectDatabase

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kestrel-plans-'))
  db = openProjectDatabase(folder)
  const labels = createLabelsRepository(db)
  const pictures = createPicturesRepository(db)
  db.transaction(() => {
    for (let label = 0; label < 5; label++)
      labels.insert({ name: `label ${label}`, colour: label, position: label })
    for (let index = 0; index < 3000; index++)
      pictures.insert(
        pictureRow(index, {
          labelId: (index % 5) + 1,
          findings: index % 60 === 0 ? [{ code: 'dark', words: 'It is dark.' }] : [],
        }),
      )
  })
})
afterAll(() => {
  db.close()
  rmSync(folder, { recursive: true })
})

const planOf = (text: string, parameters: (string | number)[]): string[] =>
  db.sql
    .prepare<(string | number)[], { detail: string }>(`EXPLAIN QUERY PLAN ${text}`)
    .all(...parameters)
    .map((step) => step.detail)

/** With the statistics a project has after its first close, and without any. */
describe.each(['fresh', 'analysed'])('%s project', (kind) => {
  beforeAll(() => {
    if (kind === 'analysed') db.sql.exec('ANALYZE')
  })

  test.each(pictureSorts)('all pictures by %s: a walk over one index, nothing sorted', (sort) => {
    const { text, parameters } = viewSql({ show: 'active' }, sort)
    const plan = planOf(text, parameters)
    expect(plan).toHaveLength(1)
    expect(plan[0]).toMatch(/USING (COVERING )?INDEX pictures_by_/)
    expect(plan.join()).not.toContain('TEMP B-TREE')
  })

  test.each<[string, PictureFilter]>([
    ['one label', { show: 'active', label: 3 }],
    ['the unlabelled', { show: 'active', label: 'none' }],
    ['one split', { show: 'active', split: 'test' }],
    ['what has a problem', { show: 'problem' }],
    ['what is excluded', { show: 'excluded' }],
    ['a search', { show: 'active', search: 'img_00' }],
  ])('%s: no row outside the view is fetched', (_name, filter) => {
    for (const sort of pictureSorts) {
      const { text, parameters } = viewSql(filter, sort)
      const plan = planOf(text, parameters)
      const scans = plan.filter(
        (step) =>
          step.startsWith('SCAN') && !step.includes('pictures_with_findings') && !step.includes('labels'),
      )
      // A search has to look at every name; it does so in the index that holds the names.
      for (const scan of scans) expect(scan).toBe('SCAN pictures USING COVERING INDEX pictures_by_name')
      if (filter.search === undefined) expect(scans).toEqual([])
    }
  })

  test('counts and lists of imports', () => {
    expect(planOf(sumsSql, [])).toEqual(['SCAN pictures USING COVERING INDEX pictures_counted'])
    expect(planOf(problemsSql, []).join()).toContain('pictures_with_findings')
    expect(planOf(waitingSql, [1, 0, 100]).join()).toContain('SEARCH import_files USING PRIMARY KEY')
    expect(planOf(problemsOfImportsSql, [100, 0])).toEqual([
      'SCAN import_files USING INDEX import_files_with_problem',
    ])
  })
})
