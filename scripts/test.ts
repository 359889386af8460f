/**
 * `npm test [-- --only unit,web]`: builds, then runs every suite and closes with one line, `N passed, N failed`.
 * Suites run one after the other: each of them uses all cores by itself, and the browser suites measure nothing then.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureBrowser, onPath } from './lib/browser.ts'
import { findTestElectron } from './lib/electron-binary.ts'
import { root } from './lib/stamp.mjs'
import { tallyReport } from './lib/test-results.ts'
import type { Tally } from './lib/test-results.ts'

const suites = ['unit', 'integration', 'web', 'electron'] as const
type Suite = (typeof suites)[number]

const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
const loudly = (line: string): void => say(`\n!!! ${line}\n`)

const only = process.argv.find((_arg, index) => process.argv[index - 1] === '--only')?.split(',')
const asked = suites.filter((suite) => only === undefined || only.includes(suite))

/** Why the Electron suite cannot run here, or null. */
function electronObstacle(): string | null {
  if (!findTestElectron())
    return 'there is no Electron: run "npx install-electron", or name one with KESTREL_TEST_ELECTRON'
  const screen = process.platform !== 'linux' || Boolean(process.env['DISPLAY']) || onPath('Xvfb') !== null
  return screen ? null : 'there is no display: install xvfb (on Debian: apt-get install xvfb)'
}

function runSuite(suite: Suite, env: NodeJS.ProcessEnv): Tally {
  say(`\n=== ${suite} ===`)
  const folder = mkdtempSync(join(tmpdir(), 'kestrel-test-'))
  const report = join(folder, 'report.json')
  const { status } = spawnSync(
    process.execPath,
    [
      join(root, 'node_modules', 'vitest', 'vitest.mjs'),
      'run',
      `--project=${suite}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      '--passWithNoTests',
    ],
    { stdio: 'inherit', cwd: root, env },
  )
  const tally = tallyReport(report, status ?? 1)
  rmSync(folder, { recursive: true, force: true })
  return tally
}

const build = spawnSync(process.execPath, [join(root, 'scripts', 'build.ts')], { stdio: 'inherit' })
const results: [string, Tally][] = []
if (build.status !== 0) {
  results.push(['build', { passed: 0, failed: 1, skipped: [], failures: ['the build failed'] }])
} else {
  const env: NodeJS.ProcessEnv = { ...process.env }
  for (const suite of asked) {
    if (suite === 'web') {
      const browser = ensureBrowser(say)
      if (browser === null) {
        const words =
          'No browser to test with. Install Chromium, Chrome or Edge (on Debian: apt-get install chromium), ' +
          'or name one with KESTREL_CHROMIUM.'
        loudly(words)
        results.push([suite, { passed: 0, failed: 1, skipped: [], failures: [words] }])
        continue
      }
      env['KESTREL_CHROMIUM'] = browser
    }
    if (suite === 'electron') {
      const obstacle = electronObstacle()
      if (obstacle !== null) {
        loudly(`The electron suite was NOT RUN: ${obstacle}.`)
        continue
      }
    }
    results.push([suite, runSuite(suite, env)])
  }
}

say('\n=== summary ===')
for (const [suite, { passed, failed, skipped }] of results)
  say(
    `${suite.padEnd(12)} ${passed} passed, ${failed} failed${skipped.length ? `, ${skipped.length} NOT RUN` : ''}`,
  )
for (const [suite, { skipped }] of results) for (const name of skipped) say(`NOT RUN  ${suite}: ${name}`)
for (const [suite, { failures }] of results) for (const name of failures) say(`FAILED   ${suite}: ${name}`)

const sum = (key: 'passed' | 'failed'): number => results.reduce((total, [, tally]) => total + tally[key], 0)
process.exitCode = sum('failed') > 0 ? 1 : 0
say(`${sum('passed')} passed, ${sum('failed')} failed`)
