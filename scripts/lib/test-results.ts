import { existsSync, readFileSync } from 'node:fs'
import { z } from 'zod'

/** The part of vitest's JSON report that is counted. */
const reportSchema = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).default([]),
        }),
      ),
    }),
  ),
})

export interface Tally {
  passed: number
  failed: number
  /** Names of tests that were not run. */
  skipped: string[]
  /** Names of tests and files that failed, each with the beginning of its message. */
  failures: string[]
}

/** The message of a failure, short: a log that is cut still says what went wrong. Without the stack. */
const reasonOf = (messages: readonly string[]): string[] =>
  messages.flatMap((message) =>
    message
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^\s+at /.test(line))
      .slice(0, 8)
      .map((line) => line.slice(0, 300)),
  )

/**
 * Counts a report. A file that breaks before its first test counts as one failure, and so does a run without a report:
 * nothing that did not run may look like a pass.
 * @param exitCode of the test runner; a failing run without a failing test is a failure of its own
 */
export function tallyReport(file: string, exitCode: number): Tally {
  const tally: Tally = { passed: 0, failed: 0, skipped: [], failures: [] }
  if (!existsSync(file)) return { ...tally, failed: 1, failures: ['the test runner ended without a report'] }
  const { testResults } = reportSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  for (const { name, status, message, assertionResults } of testResults) {
    if (status === 'failed' && assertionResults.every((test) => test.status !== 'failed')) {
      tally.failed += 1
      tally.failures.push(`${name}: ${message?.split('\n')[0] ?? 'could not be loaded'}`)
    }
    for (const test of assertionResults) {
      if (test.status === 'passed') tally.passed += 1
      else if (test.status === 'failed') {
        tally.failed += 1
        tally.failures.push([test.fullName, ...reasonOf(test.failureMessages)].join('\n  '))
      } else tally.skipped.push(test.fullName)
    }
  }
  if (exitCode !== 0 && tally.failed === 0) {
    tally.failed = 1
    tally.failures.push(`the test runner ended with ${exitCode}: an error outside of the tests`)
  }
  return tally
}
