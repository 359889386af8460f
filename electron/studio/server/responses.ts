import { toKestrelError, toWire } from '#shared/errors/index.ts'
import type { ErrorCode } from '#shared/errors/index.ts'
import type { Log } from '../log.ts'

/**
 * What the page may do: load its own scripts, styles, pictures and fonts, talk to its own door, and nothing else.
 * Styles may be inline: components set sizes and colours through style attributes.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self' blob:",
  "manifest-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

/** Sent with every answer of both doors. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
}

const statusOf: Partial<Record<ErrorCode, number>> = {
  unauthorised: 401,
  forbidden: 403,
  'not-found': 404,
  'project-not-found': 404,
  'file-missing': 404,
  'bad-request': 400,
  'too-large': 413,
  internal: 500,
}

/** An error as JSON, for every route but the calls (which have their own form). */
export function errorResponse(error: unknown, log: Log): Response {
  const known = toKestrelError(error)
  if (known.code === 'internal') log.error('a request failed', error)
  return Response.json(toWire(known), {
    status: statusOf[known.code] ?? 422,
    headers: { 'cache-control': 'no-store' },
  })
}
