import { z } from 'zod'
import { revealSchema } from './broker.ts'
import type { Reveal } from './broker.ts'

/**
 * What the window can do and a browser cannot. Everything else the page needs goes through the studio, so that the page
 * is the same in both. Exposed by the preload script as `window.kestrelDesktop`; missing in browser mode.
 */

/** Stands for what the person dropped or chose. `names` are for the eye. */
export interface ChosenSource {
  token: string
  names: string[]
}

export const chooseSchema = z.object({
  /**
   * `pictures`: folders, files or a zip to read. `folder`: one folder to read. `project`: a `.kestrel` folder.
   * `backbone`: one network file. `save-folder`: a folder to write into.
   */
  kind: z.enum(['pictures', 'pictures-folder', 'folder', 'project', 'backbone', 'save-folder']),
  title: z.string().max(200).optional(),
})
export type Choose = z.infer<typeof chooseSchema>

export const themeSchema = z.enum(['system', 'light', 'dark'])
export type Theme = z.infer<typeof themeSchema>

export const updateStateSchema = z.object({
  /** `off`: this copy has no address to look for updates at, or the person switched it off. */
  state: z.enum(['off', 'checking', 'current', 'downloading', 'ready', 'failed']),
  /** One line for Settings. */
  words: z.string(),
  version: z.string().nullable(),
})
export type UpdateState = z.infer<typeof updateStateSchema>

export const desktopInfoSchema = z.object({
  version: z.string(),
  electron: z.string(),
  chromium: z.string(),
  platform: z.string(),
  packaged: z.boolean(),
  update: updateStateSchema,
})
export type DesktopInfo = z.infer<typeof desktopInfoSchema>

export const desktopEventSchema = z.discriminatedUnion('type', [
  /** The studio process died and is there again: subscribe anew and fetch again. `reason` is for the person. */
  z.object({ type: z.literal('studio-restarted'), reason: z.string() }),
  /** It died too often; the window can only be closed. */
  z.object({ type: z.literal('studio-failed'), reason: z.string() }),
  z.object({ type: z.literal('update'), update: updateStateSchema }),
  /** A menu entry that the page acts on. */
  z.object({
    type: z.literal('menu'),
    command: z.enum(['new-project', 'open-project', 'settings', 'keys']),
  }),
])
export type DesktopEvent = z.infer<typeof desktopEventSchema>

export interface KestrelDesktop {
  /** Registers dropped or picked files and folders. @throws when none of them lies on a disk. */
  sourcesFromFiles(files: readonly File[]): Promise<ChosenSource>
  /** Opens the system's dialog; null when the person closed it. */
  choose(choice: Choose): Promise<ChosenSource | null>
  /** Shows a folder in the system's file manager. */
  reveal(what: Reveal): Promise<void>
  setTheme(theme: Theme): Promise<void>
  appInfo(): Promise<DesktopInfo>
  checkForUpdates(): Promise<UpdateState>
  /** Restarts into an update that is ready. */
  installUpdate(): Promise<void>
  /** Opens one of the listed web pages in the browser. @throws for any other address. */
  openExternal(url: string): Promise<void>
  /** @returns a function that ends the subscription. */
  onEvent(listener: (event: DesktopEvent) => void): () => void
}

/** Channels of the messages between page and main, with what each takes. One list for both ends. */
export const desktopCalls = {
  'kestrel:dropped-paths': z.object({ paths: z.array(z.string().min(1).max(32_768)).min(1).max(10_000) }),
  'kestrel:choose': chooseSchema,
  'kestrel:reveal': revealSchema,
  'kestrel:set-theme': themeSchema,
  'kestrel:app-info': z.undefined(),
  'kestrel:check-for-updates': z.undefined(),
  'kestrel:install-update': z.undefined(),
  'kestrel:open-external': z.url().max(2048),
} as const
export type DesktopCall = keyof typeof desktopCalls

/** What each call answers. */
export interface DesktopAnswers {
  'kestrel:dropped-paths': ChosenSource
  'kestrel:choose': ChosenSource | null
  'kestrel:reveal': null
  'kestrel:set-theme': null
  'kestrel:app-info': DesktopInfo
  'kestrel:check-for-updates': UpdateState
  'kestrel:install-update': null
  'kestrel:open-external': null
}

/** Main → page. */
export const desktopEventChannel = 'kestrel:on-studio-event'
