import { BrowserWindow, nativeTheme, screen } from 'electron'
import { join } from 'node:path'
import { appRoot, resourcesFolder } from '#shared/util/app-folders.ts'
import { homeAddress } from './address.ts'
import { logger } from './log.ts'
import { isReachable } from './window-state.ts'
import type { WindowStateFile } from './window-state.ts'

/** The page's own paper colours, so that there is no flash before it is drawn. */
const paper = { light: '#f6f5f2', dark: '#16181b' }

export const paperColour = (): string => (nativeTheme.shouldUseDarkColors ? paper.dark : paper.light)

export function openWindow(file: WindowStateFile): BrowserWindow {
  const { bounds, maximised } = file.state
  const place =
    bounds &&
    isReachable(
      bounds,
      screen.getAllDisplays().map((display) => display.workArea),
    )
      ? bounds
      : { width: 1440, height: 900 }
  const window = new BrowserWindow({
    ...place,
    minWidth: 960,
    minHeight: 640,
    show: false,
    title: 'Kestrel Studio',
    backgroundColor: paperColour(),
    autoHideMenuBar: true,
    // Windows and macOS take it from the package.
    ...(process.platform === 'linux'
      ? { icon: join(resourcesFolder(), 'icons', 'linux', '256x256.png') }
      : {}),
    webPreferences: {
      preload: join(appRoot, 'out', 'preload', 'index.cjs'),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    },
  })
  if (maximised) window.maximize()
  window.once('ready-to-show', () => window.show())

  const remember = (): void => {
    if (!window.isDestroyed() && !window.isMinimized())
      file.change({ bounds: window.getNormalBounds(), maximised: window.isMaximized() })
  }
  let pending: NodeJS.Timeout | undefined
  const rememberSoon = (): void => {
    clearTimeout(pending)
    pending = setTimeout(remember, 500)
  }
  window.on('resize', rememberSoon)
  window.on('move', rememberSoon)
  window.on('close', () => {
    clearTimeout(pending)
    remember()
  })

  window.webContents.on('render-process-gone', (_event, details) => {
    logger.error(`the page ended: ${details.reason}`)
    // Everything the page shows is in the studio: showing it again is all that is needed.
    if (details.reason !== 'clean-exit' && !window.isDestroyed()) window.reload()
  })
  window.loadURL(homeAddress).catch((error: unknown) => logger.error('the page could not be loaded', error))
  return window
}
