import { homedir } from 'node:os'
import { join, resolve } from 'node:path'

/**
 * The user-data folder: settings, recent projects, backbones, logs. `KESTREL_HOME` moves it. Shell, studio and command
 * line ask here, so that all three see the same.
 */
export function kestrelHome(
  env: Record<string, string | undefined> = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const asked = env['KESTREL_HOME']
  if (asked) return resolve(asked)
  switch (platform) {
    case 'darwin':
      return join(homedir(), 'Library', 'Application Support', 'Kestrel Studio')
    case 'win32':
      return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'Kestrel Studio')
    default:
      return join(env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share'), 'kestrel-studio')
  }
}

/** Where the processes write their logs: `<home>/logs`. */
export const logsFolder = (home: string): string => join(home, 'logs')
