import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './stamp.mjs'

/** Name of the executable inside Electron's folder. */
const binaryName = (): string =>
  process.platform === 'win32'
    ? 'electron.exe'
    : process.platform === 'darwin'
      ? join('Electron.app', 'Contents', 'MacOS', 'Electron')
      : 'electron'

/** A given folder or file as the executable, or null. */
function executableAt(given: string | undefined): string | null {
  if (!given || !existsSync(given)) return null
  const file = statSync(given).isDirectory() ? join(given, binaryName()) : given
  return existsSync(file) ? file : null
}

const packageFolder = join(root, 'node_modules', 'electron')

/** The electron package's own binary, when it has been fetched. */
const packagedElectron = (): string | null => executableAt(join(packageFolder, 'dist'))

/** The Electron to run the studio in: a given one, else the package's own. */
export const findElectron = (): string | null =>
  executableAt(process.env['KESTREL_ELECTRON']) ??
  executableAt(process.env['ELECTRON_OVERRIDE_DIST_PATH']) ??
  packagedElectron()

/**
 * Fetches the package's own binary with its own downloader, which shows its progress.
 * @returns the executable, or null when it could not be fetched
 */
export function fetchElectron(): string | null {
  const result = spawnSync(process.execPath, [join(packageFolder, 'install.js')], {
    stdio: ['ignore', 'ignore', 'ignore'],
    timeout: 10 * 60_000,
  })
  return result.status === 0 ? packagedElectron() : null
}

export interface TestElectron {
  path: string
  major: number
  /** Older than 25: without protocol.handle, and on a Node too old for the app's processes. */
  needsShim: boolean
}

/** Version by the file beside the binary; the test runtime has none and is Electron 22. */
function majorOf(executable: string): number {
  const folder =
    process.platform === 'darwin' ? join(dirname(executable), '..', '..', '..') : dirname(executable)
  const file = join(folder, 'version')
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8').replace(/^v/, ''), 10) : 22
}

/** The Electron for the end-to-end tests, or null: a given one, `.test-electron`, the package's own. */
export function findTestElectron(): TestElectron | null {
  const path =
    executableAt(process.env['KESTREL_TEST_ELECTRON']) ??
    executableAt(join(root, '.test-electron')) ??
    packagedElectron()
  if (!path) return null
  const major = majorOf(path)
  return { path, major, needsShim: major < 25 }
}
