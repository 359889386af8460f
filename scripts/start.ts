/**
 * `npm start [-- --browser] [-- flags for Electron]`: builds when the sources changed, then opens the studio in Electron,
 * or in the browser when that is asked for or Electron cannot be had.
 */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { canOpenWindows } from './lib/display.ts'
import { fetchElectron, findElectron } from './lib/electron-binary.ts'
import { nodeFlags } from './lib/node24.mjs'
import { handOverSignals } from './lib/signals.mjs'
import { root } from './lib/stamp.mjs'

const flags = process.argv.slice(2)
const wantsBrowser = flags.includes('--browser')
const passedOn = flags.filter((flag) => flag !== '--browser')

/** How long Electron must live to count as started; a missing library or sandbox ends it at once. */
const startedAfterMs = 4_000

const build = spawnSync(process.execPath, [join(root, 'scripts', 'build.ts')], { stdio: 'inherit' })
if (build.status !== 0) process.exit(1)

async function run(file: string, args: string[]): Promise<number> {
  const child = spawn(file, args, { stdio: 'inherit', cwd: root })
  const signals = handOverSignals(child)
  return new Promise((resolve) => {
    child.once('error', () => resolve(1))
    child.once('exit', (code, signal) => {
      signals.dispose()
      resolve(signals.exitCode(code, signal))
    })
  })
}

/** @returns Electron's exit code, or a sentence that says why there is no window. */
async function openWindow(): Promise<number | string> {
  if (!canOpenWindows()) return 'This machine has no display.'
  const electron = findElectron() ?? (await fetchElectron((line) => process.stderr.write(line)))
  if (electron === null) return 'Electron is not there and could not be fetched.'
  if (process.platform === 'linux' && process.getuid?.() === 0 && !passedOn.includes('--no-sandbox'))
    return 'Electron does not run as the root user.'
  const started = performance.now()
  const code = await run(electron, [root, ...passedOn])
  if (code !== 0 && performance.now() - started < startedAfterMs)
    return 'Electron could not start on this machine.'
  return code
}

const outcome = wantsBrowser ? '' : await openWindow()
if (typeof outcome === 'number') process.exitCode = outcome
else {
  if (outcome !== '') console.error(`${outcome} Kestrel opens in the browser instead.`)
  const args = passedOn.filter((flag) => flag !== '--no-sandbox')
  process.exitCode = await run(process.execPath, [
    ...nodeFlags,
    join(root, 'out', 'node', 'cli.mjs'),
    'serve',
    '--open',
    ...args,
  ])
}
