import { app, session, shell } from 'electron'
import type { Session, WebContents } from 'electron'
import { allowedOutside, isOurs } from './address.ts'
import { logger } from './log.ts'

/**
 * Everything is refused unless it is listed here: navigation, windows, webviews, permissions, other origins.
 * https://www.electronjs.org/docs/latest/tutorial/security
 */

/** Opens one of the listed web pages in the person's browser. @returns whether it was on the list. */
export function openOutside(address: string): boolean {
  const allowed = allowedOutside(address)
  if (allowed === null) {
    logger.warn('an address that is not on the list was not opened')
    return false
  }
  shell.openExternal(allowed).catch((error: unknown) => logger.warn('no browser could be opened', error))
  return true
}

function guardContents(contents: WebContents): void {
  const stay = (event: { preventDefault(): void }, address: string): void => {
    if (isOurs(address)) return
    event.preventDefault()
    logger.warn('navigation refused')
  }
  contents.on('will-navigate', stay)
  contents.on('will-redirect', stay)
  contents.on('will-frame-navigate', (details) => stay(details, details.url))
  contents.on('will-attach-webview', (event) => event.preventDefault())
  contents.setWindowOpenHandler(({ url }) => {
    openOutside(url)
    return { action: 'deny' }
  })
}

/** Camera pictures (Use), and copying text. Nothing else, and only for the page itself. */
function guardPermissions(target: Session): void {
  target.setPermissionRequestHandler((_contents, permission, answer, details) => {
    const kinds = 'mediaTypes' in details ? (details.mediaTypes ?? []) : []
    const camera = permission === 'media' && kinds.length > 0 && kinds.every((kind) => kind === 'video')
    answer(isOurs(details.requestingUrl) && (camera || permission === 'clipboard-sanitized-write'))
  })
  target.setPermissionCheckHandler((_contents, permission, requestingOrigin, details) => {
    const camera = permission === 'media' && details.mediaType === 'video'
    return isOurs(requestingOrigin) && (camera || permission === 'clipboard-sanitized-write')
  })
  target.setDevicePermissionHandler(() => false)
}

export function guardApp(): void {
  app.on('web-contents-created', (_event, contents) => guardContents(contents))
  const target = session.defaultSession
  guardPermissions(target)
  // The content security policy forbids it already; this holds for whatever slips past a policy.
  target.webRequest.onBeforeRequest(
    { urls: ['http://*/*', 'https://*/*', 'ws://*/*', 'wss://*/*', 'file:///*'] },
    (details, answer) => {
      logger.warn(`a request to another origin was refused (${details.resourceType})`)
      answer({ cancel: true })
    },
  )
  target.on('will-download', (event, item) => {
    if (!isOurs(item.getURL().replace(/^blob:/, ''))) event.preventDefault()
  })
}
