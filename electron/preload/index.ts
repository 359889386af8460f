import { contextBridge, ipcRenderer, webUtils } from 'electron'
import type { DesktopAnswers, DesktopCall, DesktopEvent, KestrelDesktop } from '#shared/contract/desktop.ts'
import type { WireError } from '#shared/errors/index.ts'

/**
 * The native powers a page cannot have. Runs sandboxed: only types are imported from the house, so that nothing but this
 * file is in the bundle. Arguments are checked in main, where the page cannot reach.
 */

const eventChannel = 'kestrel:on-studio-event'

type Answer<C extends DesktopCall> = { ok: true; value: DesktopAnswers[C] } | { ok: false; error: WireError }

/** Only `message` survives the bridge to the page; `fromBridge` of shared/errors takes the words out again. */
const bridged = (error: WireError): Error => new Error(`kestrel-error:${JSON.stringify(error)}`)

async function call<C extends DesktopCall>(channel: C, input?: unknown): Promise<DesktopAnswers[C]> {
  const answer = (await ipcRenderer.invoke(channel, input)) as Answer<C>
  if (answer.ok) return answer.value
  throw bridged(answer.error)
}

const desktop: KestrelDesktop = {
  async sourcesFromFiles(files) {
    const paths = files.map((file) => webUtils.getPathForFile(file)).filter((path) => path !== '')
    if (paths.length === 0)
      throw bridged({
        code: 'file-missing',
        message: 'What was dropped does not lie on this computer’s disk.',
      })
    return call('kestrel:dropped-paths', { paths })
  },
  choose: (choice) => call('kestrel:choose', choice),
  async reveal(what) {
    await call('kestrel:reveal', what)
  },
  async setTheme(theme) {
    await call('kestrel:set-theme', theme)
  },
  appInfo: () => call('kestrel:app-info'),
  checkForUpdates: () => call('kestrel:check-for-updates'),
  async installUpdate() {
    await call('kestrel:install-update')
  },
  async openExternal(url) {
    await call('kestrel:open-external', url)
  },
  onEvent(listener) {
    const receive = (_event: unknown, event: DesktopEvent): void => listener(event)
    ipcRenderer.on(eventChannel, receive)
    return () => {
      ipcRenderer.off(eventChannel, receive)
    }
  },
}

contextBridge.exposeInMainWorld('kestrelDesktop', desktop)
