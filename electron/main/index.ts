import { BrowserWindow, app, dialog, nativeTheme, protocol, shell } from 'electron'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { internalRoutes, studioStatusSchema } from '#shared/contract/broker.ts'
import { desktopEventChannel } from '#shared/contract/desktop.ts'
import type { DesktopEvent } from '#shared/contract/desktop.ts'
import { KestrelError } from '#shared/errors/index.ts'
import { kestrelHome, logsFolder } from '#shared/util/home.ts'
import { scheme } from './address.ts'
import { listenToPage } from './desktop-calls.ts'
import { createDoor } from './door.ts'
import { logger, openLog } from './log.ts'
import { installMenu } from './menu.ts'
import { askStudio } from './pipe-client.ts'
import { guardApp } from './security.ts'
import { StudioProcess } from './studio-process.ts'
import { Updates } from './updates.ts'
import { WindowStateFile } from './window-state.ts'
import { openWindow } from './window.ts'

const home = kestrelHome()
mkdirSync(join(home, 'electron'), { recursive: true })
app.setPath('userData', join(home, 'electron'))
app.setAppLogsPath(logsFolder(home))
openLog(logsFolder(home))

// Before the app is ready, and once: later calls are ignored by Electron.
protocol.registerSchemesAsPrivileged([
  { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true, stream: true } },
])

function sendToPages(event: DesktopEvent): void {
  for (const window of BrowserWindow.getAllWindows()) window.webContents.send(desktopEventChannel, event)
}

/** Whether quitting is all right: nothing runs, or the person says so. */
async function mayQuit(studio: StudioProcess): Promise<boolean> {
  if (process.env['KESTREL_TEST']) return true
  try {
    const status = await askStudio(await studio.pipe(), internalRoutes.status, studioStatusSchema)
    const training = status.trainings[0]
    if (!training) return true
    const { response } = await dialog.showMessageBox({
      type: 'question',
      message: `A training is running in "${training.projectName}".`,
      detail: 'If you quit now it ends. What it has reached so far is kept, and you can train again later.',
      buttons: ['Keep training', 'Quit'],
      defaultId: 0,
      cancelId: 0,
    })
    return response === 1
  } catch (error) {
    logger.warn('it is unknown whether something runs; quitting', error)
    return true
  }
}

function run(): void {
  const windowState = new WindowStateFile(home)
  nativeTheme.themeSource = windowState.state.theme
  const updates = new Updates((update) => sendToPages({ type: 'update', update }))
  const studio = new StudioProcess(home, {
    restarted: (reason) => sendToPages({ type: 'studio-restarted', reason }),
    failed: (reason) => {
      sendToPages({ type: 'studio-failed', reason })
      if (!process.env['KESTREL_TEST']) dialog.showErrorBox('Kestrel has to be closed', reason)
    },
  })

  let quitting: 'no' | 'asking' | 'ending' | 'done' = 'no'
  const quit = async (): Promise<void> => {
    quitting = 'asking'
    if (!(await mayQuit(studio))) {
      quitting = 'no'
      return
    }
    quitting = 'ending'
    await studio.shutdown()
    quitting = 'done'
    app.quit()
  }
  const installUpdate = async (): Promise<void> => {
    if (updates.state.state !== 'ready')
      throw new KestrelError('not-found', 'There is no newer version to restart into.')
    quitting = 'ending'
    await studio.shutdown()
    quitting = 'done'
    updates.install()
  }
  const startQuit = (): void => {
    if (quitting === 'no')
      quit().catch((error: unknown) => {
        logger.error('quitting went wrong', error)
        app.exit(1)
      })
  }
  app.on('before-quit', (event) => {
    if (quitting === 'done') return
    event.preventDefault()
    startQuit()
  })

  const open = (): void => {
    const window = openWindow(windowState)
    window.on('close', (event) => {
      if (quitting === 'done' || process.platform === 'darwin') return
      event.preventDefault()
      startQuit()
    })
  }
  // On macOS an app lives without windows; everywhere else closing the window is quitting, asked for above.
  app.on('window-all-closed', () => undefined)
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) open()
  })
  app.on('second-instance', () => {
    const window = BrowserWindow.getAllWindows()[0]
    if (!window) return
    if (window.isMinimized()) window.restore()
    window.focus()
  })

  guardApp()
  listenToPage({ pipe: () => studio.pipe(), updates, installUpdate, windowState })
  installMenu(
    (command) => sendToPages({ type: 'menu', command }),
    () => {
      shell
        .openPath(logsFolder(home))
        .catch((error: unknown) => logger.warn('the logs could not be shown', error))
    },
  )
  protocol.handle(
    scheme,
    createDoor(() => studio.pipe()),
  )
  studio.start()
  open()
  logger.info(
    `Kestrel Studio ${app.getVersion()}, Electron ${process.versions.electron}, ${process.platform}`,
  )
}

process.on('uncaughtException', (error) => {
  logger.error('uncaught', error)
  if (!process.env['KESTREL_TEST'])
    dialog.showErrorBox(
      'Kestrel has to be closed',
      'Something went wrong in the window of Kestrel. Everything saved is kept.',
    )
  app.exit(1)
})

if (app.requestSingleInstanceLock()) {
  app.whenReady().then(run, (error: unknown) => logger.error('Electron did not start', error))
} else app.quit()
