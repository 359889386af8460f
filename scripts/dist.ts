/**
 * `npm run dist [-- --dir] [-- --win | --mac | --linux]`: packages by electron-builder into dist/.
 * `--dir` leaves the unpacked folder, without an installer. KESTREL_ELECTRON names a folder with an Electron to pack
 * instead of fetching one; KESTREL_PUBLISH_URL is where installed copies look for updates.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { electronMajor, findElectron } from './lib/electron-binary.ts'
import { root } from './lib/stamp.mjs'

const run = (script: string, args: string[]): void => {
  const { status } = spawnSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** The folder of an Electron that is there already; electron-builder fetches the right one otherwise. */
function electronFolder(): string | null {
  const given = process.env['KESTREL_ELECTRON']
  if (given && existsSync(given)) return statSync(given).isDirectory() ? given : dirname(given)
  const own = findElectron()
  return own && process.platform !== 'darwin' ? dirname(own) : null
}

run(join(root, 'scripts', 'build.ts'), [])

const args = ['--config', 'electron-builder.yml', '--publish', 'never']
const electron = electronFolder()
if (electron) args.push(`-c.electronDist=${electron}`)
// The fuse is younger than the runtime the packaging is tested with; electron-builder refuses unknown ones.
if (!electron || electronMajor(electron) >= 29)
  args.push('-c.electronFuses.grantFileProtocolExtraPrivileges=false')
const publishUrl = process.env['KESTREL_PUBLISH_URL']
if (publishUrl) args.push('-c.publish.provider=generic', `-c.publish.url=${publishUrl}`)
run(join(root, 'node_modules', 'electron-builder', 'cli.js'), [...args, ...process.argv.slice(2)])
