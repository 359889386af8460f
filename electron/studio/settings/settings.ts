import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { settingsSchema } from '#shared/contract/system.ts'
import type { Settings } from '#shared/contract/system.ts'
import { kestrelHome } from '#shared/util/home.ts'
import { jsonOrUndefined } from '#shared/util/json.ts'
import { writeFileWhole } from '#shared/util/write-file-whole.ts'
import { readTextIfThere } from '../files.ts'
import type { Log } from '../log.ts'

const defaults: Settings = {
  theme: 'system',
  projectsFolder: '',
  importStorage: 'copy',
  checkForUpdates: true,
}

export interface SettingsService {
  get(): Promise<Settings>
  /** @returns all settings after the change. */
  change(changes: Partial<Settings>): Promise<Settings>
  /** Where new projects go: the folder of the settings, else Documents/Kestrel, else below the user-data folder. */
  projectsFolder(): Promise<string>
}

export interface SettingsPorts {
  home: string
  log: Log
}

/** Settings of this user-data folder, read again each time: the command line may change them beside the app. */
export function createSettingsService({ home, log }: SettingsPorts): SettingsService {
  const file = join(home, 'settings.json')
  let queue: Promise<unknown> = Promise.resolve()

  async function get(): Promise<Settings> {
    const text = await readTextIfThere(file)
    if (text === undefined) return defaults
    const parsed = settingsSchema.partial().safeParse(jsonOrUndefined(text))
    if (parsed.success) return { ...defaults, ...parsed.data }
    log.warn('settings.json could not be understood and was put aside', parsed.error)
    await rename(file, join(home, 'settings.damaged.json'))
    return defaults
  }

  return {
    get,
    change(changes) {
      // One after the other, so that two quick changes do not undo each other.
      const next = queue.then(async () => {
        const settings = settingsSchema.parse({ ...(await get()), ...changes })
        await writeFileWhole(file, `${JSON.stringify(settings, null, 2)}\n`)
        return settings
      })
      queue = next.catch(() => undefined)
      return next
    },
    async projectsFolder() {
      const { projectsFolder } = await get()
      return projectsFolder === '' ? defaultProjectsFolder(home) : projectsFolder
    },
  }
}

function defaultProjectsFolder(home: string): string {
  const documents = join(homedir(), 'Documents')
  // A user-data folder that was moved takes its projects along: tests and shared machines stay inside it.
  const moved = home !== kestrelHome({ ...process.env, KESTREL_HOME: undefined })
  return !moved && existsSync(documents) ? join(documents, 'Kestrel') : join(home, 'projects')
}
