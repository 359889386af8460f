import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import { chromium } from 'playwright-core'

/** Finds a browser of the Chromium family for the end-to-end tests, and fetches one when the machine has none. */

const commands = [
  'chromium',
  'chromium-browser',
  'google-chrome-stable',
  'google-chrome',
  'microsoft-edge-stable',
  'microsoft-edge',
]

const knownPlaces: Partial<Record<NodeJS.Platform, string[]>> = {
  darwin: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: ['PROGRAMFILES', 'PROGRAMFILES(X86)', 'LOCALAPPDATA'].flatMap((variable) => {
    const folder = process.env[variable]
    return folder
      ? [
          join(folder, 'Google', 'Chrome', 'Application', 'chrome.exe'),
          join(folder, 'Microsoft', 'Edge', 'Application', 'msedge.exe'),
        ]
      : []
  }),
}

/** @returns the whole path of a command on PATH, or null. */
export function onPath(command: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, command)).find((file) => existsSync(file)) ?? null
}

/** A browser that is there already: the one named by KESTREL_CHROMIUM, an installed one, or Playwright's download. */
export function findBrowser(): string | null {
  const given = process.env['KESTREL_CHROMIUM']
  if (given) return existsSync(given) ? given : null
  if (process.platform !== 'win32')
    for (const command of commands) {
      const file = onPath(command)
      if (file) return file
    }
  const known = knownPlaces[process.platform]?.find((file) => existsSync(file))
  if (known) return known
  const own = chromium.executablePath()
  return existsSync(own) ? own : null
}

const succeeds = (command: string, args: string[], minutes: number): boolean =>
  spawnSync(command, args, { stdio: ['ignore', 2, 2], timeout: minutes * 60_000 }).status === 0

/** Whether Debian's package manager is here and this user may use it. */
const mayInstall = (): boolean => onPath('apt-get') !== null && process.getuid?.() === 0

/** Finds a browser or fetches one: Playwright's own download first, then Debian's package. Null when neither works. */
export function ensureBrowser(say: (line: string) => void): string | null {
  const found = findBrowser()
  if (found) return found
  say('No Chromium, Chrome or Edge on this machine: fetching Playwright’s own.')
  const cli = join(createRequire(import.meta.url).resolve('playwright-core/package.json'), '..', 'cli.js')
  if (succeeds(process.execPath, [cli, 'install', 'chromium-headless-shell', 'chromium'], 10)) {
    const own = findBrowser()
    if (own) return own
  }
  if (!mayInstall()) return null
  say('That did not work: installing Debian’s chromium.')
  if (!succeeds('apt-get', ['update', '-q'], 5)) return null
  if (!succeeds('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], 15)) return null
  return findBrowser()
}
