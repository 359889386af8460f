import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { _electron } from 'playwright-core'
import type { ElectronApplication, Page } from 'playwright-core'
import { findTestElectron } from '../../../scripts/lib/electron-binary.ts'
import type { TestElectron } from '../../../scripts/lib/electron-binary.ts'
import { withContents } from '../../helpers/folders.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const shim = join(import.meta.dirname, 'shim', 'old-electron.cjs')

export interface LaunchedApp {
  app: ElectronApplication
  page: Page
  home: string
  /** What main noted down so far. */
  log(): string
  close(): Promise<void>
}

export interface LaunchOptions {
  /** An app folder (package.json, out/…); the built project when left out. */
  appFolder?: string
  /** The user-data folder; a fresh one when left out, which is removed at the end. */
  home?: string
  env?: Record<string, string>
  /** Flags for Chromium. */
  flags?: string[]
}

let display: { server: ChildProcess; name: string } | undefined

/** A screen to draw on: the machine's, or a virtual one that lives as long as the test file. */
async function ensureDisplay(): Promise<string> {
  const given = process.env['DISPLAY']
  if (given) return given
  if (display) return display.name
  // -displayfd: the server picks a free number and says which, once it is ready.
  const server = spawn('Xvfb', ['-displayfd', '1', '-screen', '0', '1440x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const number = await new Promise<string>((resolve, reject) => {
    server.once('error', reject)
    server.once('exit', () => reject(new Error('Xvfb ended at once')))
    server.stdout.once('data', (data: Buffer) => resolve(data.toString().trim()))
  })
  process.once('exit', () => server.kill())
  display = { server, name: `:${number}` }
  return display.name
}

/** Ends the virtual screen; for `afterAll`. */
export function closeDisplay(): void {
  display?.server.kill()
  display = undefined
}

/**
 * Electron 22 comes without the default app that takes a folder as its argument: what it runs lies in
 * `resources/app`. A small loader there takes the shim and the app's main file from the environment.
 */
function installLoader(electron: TestElectron, appFolder: string): void {
  const folder = join(dirname(electron.path), 'resources', 'app')
  mkdirSync(folder, { recursive: true })
  const { name, productName, version } = JSON.parse(
    readFileSync(join(appFolder, 'package.json'), 'utf8'),
  ) as Record<string, string>
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name, productName, version, main: 'loader.cjs' }),
  )
  writeFileSync(
    join(folder, 'loader.cjs'),
    'require(process.env.KESTREL_TEST_SHIM)\nrequire(process.env.KESTREL_TEST_MAIN)\n',
  )
}

/** An app folder with the built shell and the stand-in in the studio's place. */
export function standInApp(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kestrel-shell-'))
  for (const part of ['main', 'preload'])
    cpSync(join(root, 'out', part), join(folder, 'out', part), { recursive: true })
  cpSync(join(root, 'package.json'), join(folder, 'package.json'))
  cpSync(join(root, 'tests/fixtures/studio-stand-in'), join(folder, 'out', 'node'), { recursive: true })
  return folder
}

interface Start {
  executablePath: string
  args: string[]
  env: Record<string, string>
  home: string
}

/** How Electron is started for a test. @throws when the machine has no Electron, or nothing is built. */
async function startOf(options: LaunchOptions): Promise<Start> {
  const electron = findTestElectron()
  if (!electron) throw new Error('no Electron to test with')
  const appFolder = options.appFolder ?? root
  const main = join(appFolder, 'out', 'main', 'index.cjs')
  if (!existsSync(main)) throw new Error(`${main} is missing: run "npm run build" first`)
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'kestrel-home-'))
  if (electron.needsShim) installLoader(electron, appFolder)
  const asRoot = process.platform === 'linux' && process.getuid?.() === 0
  return {
    home,
    executablePath: electron.path,
    args: [
      ...(asRoot ? ['--no-sandbox'] : []),
      ...(options.flags ?? []),
      ...(electron.needsShim ? [] : [appFolder]),
    ],
    env: {
      ...(process.env as Record<string, string>),
      DISPLAY: await ensureDisplay(),
      KESTREL_HOME: home,
      KESTREL_TEST: '1',
      KESTREL_TEST_NODE: process.execPath,
      KESTREL_TEST_SHIM: shim,
      KESTREL_TEST_MAIN: main,
      ...options.env,
    },
  }
}

/**
 * Starts an app that is expected to end by itself before it has a window, and waits for that end. Without Playwright: it
 * talks to a process that is already going, and its own request then fails where nobody can catch it.
 * @returns its exit code; null when it had to be killed after a minute
 */
export async function launchInVain(options: LaunchOptions): Promise<number | null> {
  const { executablePath, args, env } = await startOf(options)
  const child = spawn(executablePath, args, { env, stdio: 'ignore', timeout: 60_000, killSignal: 'SIGKILL' })
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

/** Starts the app and waits for its window. @throws when the machine has no Electron. */
export async function launch(options: LaunchOptions = {}): Promise<LaunchedApp> {
  const { home, ...start } = await startOf(options)
  const app = await _electron.launch({ ...start, timeout: 60_000 })
  const page = await app.firstWindow({ timeout: 60_000 })
  // Two cores may have other work; a wait is over as soon as what it waits for is there.
  page.setDefaultTimeout(90_000)
  return {
    app,
    page,
    home,
    log: () => readFileSync(join(home, 'logs', 'main.log'), 'utf8'),
    async close() {
      await app.close()
      if (options.home === undefined) rmSync(home, withContents)
    },
  }
}
