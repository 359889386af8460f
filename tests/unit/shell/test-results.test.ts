import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { tallyReport } from '../../../scripts/lib/test-results.ts'

const folder = mkdtempSync(join(tmpdir(), 'kestrel-tally-'))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
const reportOf = (testResults: unknown[]): string => {
  const file = join(folder, `${(count += 1)}.json`)
  writeFileSync(file, JSON.stringify({ testResults }))
  return file
}
const test = (fullName: string, status: string) => ({ fullName, status })

describe('tallyReport', () => {
  it('counts what passed, failed and did not run', () => {
    const file = reportOf([
      { name: 'a', status: 'passed', assertionResults: [test('one', 'passed'), test('two', 'skipped')] },
      { name: 'b', status: 'failed', assertionResults: [test('three', 'failed'), test('four', 'todo')] },
    ])
    expect(tallyReport(file, 1)).toEqual({
      passed: 1,
      failed: 1,
      skipped: ['two', 'four'],
      failures: ['three'],
    })
  })

  it('says why a test failed, without its stack', () => {
    const broken = {
      ...test('three', 'failed'),
      failureMessages: ['Error: no button\n  waiting for it\n    at a.ts:1'],
    }
    const { failures } = tallyReport(
      reportOf([{ name: 'b', status: 'failed', assertionResults: [broken] }]),
      1,
    )
    expect(failures).toEqual(['three\n  Error: no button\n    waiting for it'])
  })

  it('counts a file that could not be loaded as a failure', () => {
    const file = reportOf([
      { name: 'a.test.ts', status: 'failed', message: 'SyntaxError\nat', assertionResults: [] },
    ])
    expect(tallyReport(file, 1)).toMatchObject({ passed: 0, failed: 1, failures: ['a.test.ts: SyntaxError'] })
  })

  it('counts a run without a report, and an error outside of the tests, as failures', () => {
    expect(tallyReport(join(folder, 'none.json'), 0).failed).toBe(1)
    const file = reportOf([{ name: 'a', status: 'passed', assertionResults: [test('one', 'passed')] }])
    expect(tallyReport(file, 1)).toMatchObject({ passed: 1, failed: 1 })
    expect(tallyReport(file, 0)).toMatchObject({ passed: 1, failed: 0 })
  })
})
