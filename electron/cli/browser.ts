import { spawn } from 'node:child_process'

/** The system's own way to open an address; null where there is no display to open it on. */
function opener(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): [command: string, args: string[]] | null {
  switch (platform) {
    case 'darwin':
      return ['open', []]
    case 'win32':
      // `start` would read the address as a command line; this takes it as it is.
      return ['rundll32', ['url.dll,FileProtocolHandler']]
    default:
      return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? ['xdg-open', []] : null
  }
}

/**
 * Opens an address in the default browser and does not wait for it.
 * @returns whether there is a display to do so; a missing opener stays silent, the address is printed anyway
 */
export function openInBrowser(
  address: string,
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): boolean {
  const found = opener(env, platform)
  if (!found) return false
  const [command, args] = found
  const child = spawn(command, [...args, address], { stdio: 'ignore', detached: true })
  child.once('error', () => undefined)
  child.unref()
  return true
}
