import { app } from 'electron'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { UpdateState } from '#shared/contract/desktop.ts'
import { logger } from './log.ts'

const noAddress: UpdateState = {
  state: 'off',
  words: 'This copy of Kestrel does not look for updates: it was made without an address to look at.',
  version: null,
}

/**
 * Updates through electron-updater. It is loaded only in a package that was made with a publish address (the builder
 * writes `app-update.yml` then); every other copy says in Settings that it does not look.
 */
export class Updates {
  readonly #changed: (state: UpdateState) => void
  #state: UpdateState = noAddress
  #updater: import('electron-updater').AppUpdater | null = null

  constructor(changed: (state: UpdateState) => void) {
    this.#changed = changed
  }

  get state(): UpdateState {
    return this.#state
  }

  /** Looks for a newer version and fetches it. Called by the page, which knows whether the person wants that. */
  async check(): Promise<UpdateState> {
    if (!app.isPackaged || !existsSync(join(process.resourcesPath, 'app-update.yml'))) return noAddress
    try {
      const updater = await this.#load()
      this.#become({ state: 'checking', words: 'Looking for a newer version.', version: null })
      await updater.checkForUpdates()
    } catch (error) {
      logger.warn('looking for updates failed', error)
      this.#become({
        state: 'failed',
        words: 'Kestrel could not look for a newer version. It will try again next time.',
        version: null,
      })
    }
    return this.#state
  }

  /** Restarts into the version that was fetched. @throws when none is ready. */
  install(): void {
    if (this.#state.state !== 'ready' || !this.#updater) throw new Error('no update is ready')
    this.#updater.quitAndInstall()
  }

  async #load(): Promise<import('electron-updater').AppUpdater> {
    if (this.#updater) return this.#updater
    const { autoUpdater } = await import('electron-updater')
    autoUpdater.logger = logger
    autoUpdater.autoInstallOnAppQuit = true
    autoUpdater.on('update-available', ({ version }) =>
      this.#become({ state: 'downloading', words: `Version ${version} is being fetched.`, version }),
    )
    autoUpdater.on('update-not-available', () =>
      this.#become({ state: 'current', words: 'This is the newest version.', version: app.getVersion() }),
    )
    autoUpdater.on('update-downloaded', ({ version }) =>
      this.#become({ state: 'ready', words: `Version ${version} is ready: restart to use it.`, version }),
    )
    this.#updater = autoUpdater
    return autoUpdater
  }

  #become(state: UpdateState): void {
    this.#state = state
    this.#changed(state)
  }
}
