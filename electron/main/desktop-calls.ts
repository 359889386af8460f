import { BrowserWindow, app, dialog, ipcMain, nativeTheme, shell } from 'electron'
import type { IpcMainInvokeEvent, OpenDialogOptions } from 'electron'
import { isAbsolute, basename } from 'node:path'
import type { z } from 'zod'
import { internalRoutes, locatedSchema, registeredSourcesSchema } from '#shared/contract/broker.ts'
import type { RegisterSources } from '#shared/contract/broker.ts'
import { desktopCalls } from '#shared/contract/desktop.ts'
import type { Choose, ChosenSource, DesktopAnswers, DesktopCall } from '#shared/contract/desktop.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import { isOurs } from './address.ts'
import { logger } from './log.ts'
import { askStudio } from './pipe-client.ts'
import type { PipeAddress } from './pipe-client.ts'
import { openOutside } from './security.ts'
import type { Updates } from './updates.ts'
import type { WindowStateFile } from './window-state.ts'
import { paperColour } from './window.ts'

export interface CallParts {
  pipe(): Promise<PipeAddress>
  updates: Updates
  /** Ends the studio in order, then restarts into the version that was fetched. */
  installUpdate(): Promise<void>
  windowState: WindowStateFile
}

type Handlers = {
  [C in DesktopCall]: (
    input: z.infer<(typeof desktopCalls)[C]>,
    window: BrowserWindow,
  ) => Promise<DesktopAnswers[C]>
}

const pictureEndings = [
  'jpg',
  'jpeg',
  'png',
  'webp',
  'gif',
  'bmp',
  'tif',
  'tiff',
  'avif',
  'heic',
  'heif',
  'zip',
]

const dialogs: Record<Choose['kind'], OpenDialogOptions> = {
  pictures: {
    title: 'Choose pictures or a zip',
    properties: ['openFile', 'multiSelections'],
    filters: [
      { name: 'Pictures and zip', extensions: pictureEndings },
      { name: 'All files', extensions: ['*'] },
    ],
  },
  'pictures-folder': {
    title: 'Choose folders of pictures',
    properties: ['openDirectory', 'multiSelections'],
  },
  folder: { title: 'Choose a folder', properties: ['openDirectory'] },
  project: { title: 'Open a project', properties: ['openDirectory'] },
  backbone: {
    title: 'Choose a network',
    properties: ['openFile'],
    filters: [
      { name: 'Networks', extensions: ['onnx', 'h5', 'keras', 'json'] },
      { name: 'All files', extensions: ['*'] },
    ],
  },
  'save-folder': { title: 'Choose where to save', properties: ['openDirectory', 'createDirectory'] },
}

function createHandlers({ pipe, updates, installUpdate, windowState }: CallParts): Handlers {
  const register = async (paths: string[], purpose: RegisterSources['purpose']): Promise<ChosenSource> => {
    const body: RegisterSources = { paths, purpose }
    const { token } = await askStudio(await pipe(), internalRoutes.sources, registeredSourcesSchema, body)
    return { token, names: paths.map((path) => basename(path)) }
  }
  return {
    'kestrel:dropped-paths': async ({ paths }) => {
      if (!paths.every((path) => isAbsolute(path)))
        throw new KestrelError('bad-request', 'Only whole paths of this computer can be read.')
      return register(paths, 'read')
    },
    'kestrel:choose': async ({ kind, title }, window) => {
      const options = dialogs[kind]
      const { canceled, filePaths } = await dialog.showOpenDialog(window, {
        ...options,
        title: title ?? options.title ?? '',
      })
      if (canceled || filePaths.length === 0) return null
      return register(filePaths, kind === 'save-folder' ? 'write' : 'read')
    },
    'kestrel:reveal': async (what) => {
      const { path } = await askStudio(await pipe(), internalRoutes.locate, locatedSchema, what)
      shell.showItemInFolder(path)
      return null
    },
    'kestrel:set-theme': async (theme, window) => {
      nativeTheme.themeSource = theme
      windowState.change({ theme })
      window.setBackgroundColor(paperColour())
      return null
    },
    'kestrel:app-info': async () => ({
      version: app.getVersion(),
      electron: process.versions.electron ?? '',
      chromium: process.versions['chrome'] ?? '',
      platform: process.platform,
      packaged: app.isPackaged,
      update: updates.state,
    }),
    'kestrel:check-for-updates': async () => updates.check(),
    'kestrel:install-update': async () => {
      await installUpdate()
      return null
    },
    'kestrel:open-external': async (address) => {
      if (!openOutside(address)) throw new KestrelError('forbidden', 'Kestrel does not open this address.')
      return null
    },
  }
}

/** Only the top frame of a window of ours, showing our page, may call. */
function senderWindow(event: IpcMainInvokeEvent): BrowserWindow | null {
  const frame = event.senderFrame
  const window = BrowserWindow.fromWebContents(event.sender)
  return window && frame && frame.parent === null && isOurs(frame.url) ? window : null
}

/** The one gate for all messages of the page: who asks, are the arguments right, handler, worded error. */
export function listenToPage(parts: CallParts): void {
  const handlers = createHandlers(parts)
  const listen = <C extends DesktopCall>(channel: C): void => {
    ipcMain.handle(channel, async (event, input: unknown) => {
      try {
        const window = senderWindow(event)
        if (!window) throw new KestrelError('forbidden', 'Only the page of Kestrel may ask.')
        const checked = desktopCalls[channel].safeParse(input)
        if (!checked.success) throw new KestrelError('bad-request', 'The page asked for something unknown.')
        const handler: (input: never, window: BrowserWindow) => Promise<unknown> = handlers[channel]
        return { ok: true, value: await handler(checked.data as never, window) }
      } catch (error) {
        logger.warn(`${channel} was refused or failed`, error)
        return { ok: false, error: toWire(error) }
      }
    })
  }
  for (const channel of Object.keys(desktopCalls) as DesktopCall[]) listen(channel)
}
