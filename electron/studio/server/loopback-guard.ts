import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { KestrelError } from '#shared/errors/index.ts'

/** Compares without telling by its duration how much was right. */
export function sameSecret(given: string | null | undefined, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return given !== null && given !== undefined && timingSafeEqual(digest(given), digest(wanted))
}

export interface LoopbackGuard {
  /** For the address that is printed; dead after its first use. */
  readonly token: string
  /**
   * Looks at a request before anything else does.
   * @returns an answer that ends it (the token is exchanged for a cookie), or null when it may pass
   * @throws KestrelError forbidden, unauthorised
   */
  check(request: Request): Response | null
}

/**
 * Guards the door that any program on this machine can knock at. A request passes when it names this machine and port
 * as its host (no rebinding by DNS), comes from our own page where a page is behind it, and carries the cookie that the
 * one-time token was exchanged for.
 */
export function createLoopbackGuard(port: number): LoopbackGuard {
  const token = randomBytes(24).toString('base64url')
  const session = randomBytes(32).toString('base64url')
  // Cookies are shared by all ports of a host: two studios must not take each other's.
  const cookieName = `kestrel_${port}`
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]
  let tokenLives = true

  const hasCookie = (request: Request): boolean =>
    (request.headers.get('cookie') ?? '')
      .split(';')
      .map((part) => part.trim())
      .some(
        (part) => part.startsWith(`${cookieName}=`) && sameSecret(part.slice(cookieName.length + 1), session),
      )

  return {
    token,
    check(request) {
      const host = request.headers.get('host') ?? ''
      if (!hosts.includes(host)) throw forbidden('the host')
      const url = new URL(request.url)
      const origin = request.headers.get('origin')
      if (origin !== null && origin !== `http://${host}`) throw forbidden('the origin')
      const reads = request.method === 'GET' || request.method === 'HEAD'
      // A browser always says where a change comes from. A program that does not is not our page.
      if (!reads && origin === null) throw forbidden('the origin')
      const site = request.headers.get('sec-fetch-site')
      const visit = request.headers.get('sec-fetch-mode') === 'navigate' && reads
      if (site !== null && site !== 'same-origin' && site !== 'none' && !visit) throw forbidden('the site')

      const given = url.searchParams.get('token')
      if (reads && url.pathname === '/' && given !== null) {
        if (hasCookie(request)) return enter(null)
        if (tokenLives && sameSecret(given, token)) {
          tokenLives = false
          return enter(`${cookieName}=${session}; Path=/; HttpOnly; SameSite=Strict`)
        }
        throw unauthorised()
      }
      if (!hasCookie(request)) throw unauthorised()
      return null
    },
  }
}

/**
 * Goes on to the page by a refresh, not by a redirect: after a click in a mail or another page a redirect would still
 * count as coming from there, and the strict cookie would not be sent.
 */
const enter = (cookie: string | null): Response =>
  new Response(
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/"><title>Kestrel</title>',
    {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        ...(cookie === null ? {} : { 'set-cookie': cookie }),
      },
    },
  )

const forbidden = (what: string): KestrelError =>
  new KestrelError('forbidden', `This request was refused because of ${what} it names.`, {
    remedy: 'Open the address that Kestrel printed.',
  })

const unauthorised = (): KestrelError =>
  new KestrelError('unauthorised', 'This address has been used before, or was not printed by Kestrel.', {
    remedy: 'Start "kestrel serve" again and open the address it prints.',
  })
