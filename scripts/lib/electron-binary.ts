import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
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

/** No byte for this long and the download counts as impossible. */
const patienceMs = 20_000

/**
 * Fetches the package's own binary with Electron's own downloader (its checksums, its cache, its mirrors).
 * @param write gets a progress line that rewrites itself
 * @returns the executable, or null when it could not be fetched
 */
export async function fetchElectron(write: (text: string) => void): Promise<string | null> {
  const load = createRequire(join(packageFolder, 'package.json'))
  const { downloadArtifact } = (await import(
    pathToFileURL(load.resolve('@electron/get')).href
  )) as typeof import('@electron/get')
  const { version } = load('./package.json') as { version: string }
  const silence = new AbortController()
  const timer = setTimeout(() => silence.abort(), patienceMs)
  const progress = ({ transferred, total }: { transferred: number; total: number | null }): Promise<void> => {
    timer.refresh()
    const share = total ? ` ${Math.floor((100 * transferred) / total)} %` : ''
    if (process.stderr.isTTY)
      write(`\rFetching Electron ${version}:${share} (${Math.round(transferred / 1e6)} MB)   `)
    return Promise.resolve()
  }
  write(`Fetching Electron ${version} (about 110 MB, once).\n`)
  try {
    await downloadArtifact({
      version,
      artifactName: 'electron',
      platform: process.platform,
      arch: process.arch,
      checksums: load('./checksums.json') as Record<string, string>,
      downloadOptions: { quiet: true, signal: silence.signal, getProgressCallback: progress },
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    write(`\nElectron ${version} could not be fetched (${silence.signal.aborted ? 'no answer' : reason}).\n`)
    return null
  } finally {
    clearTimeout(timer)
  }
  write('\n')
  // It lies in the cache now; the package's own step unpacks it to where the package looks.
  const unpacked = spawnSync(process.execPath, [join(packageFolder, 'install.js')], { stdio: 'ignore' })
  return unpacked.status === 0 ? packagedElectron() : null
}

export interface TestElectron {
  path: string
  major: number
  /** Older than 25: without protocol.handle, and on a Node too old for the app's processes. */
  needsShim: boolean
}

/** By the version file in Electron's folder; the test runtime has none and is Electron 22. */
export function electronMajor(folder: string): number {
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
  const folder = process.platform === 'darwin' ? join(dirname(path), '..', '..', '..') : dirname(path)
  const major = electronMajor(folder)
  return { path, major, needsShim: major < 25 }
}
