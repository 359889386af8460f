import type { IncomingMessage } from 'node:http'
import type { WireError } from '#shared/errors/index.ts'
import { origin, scheme } from './address.ts'
import { logger } from './log.ts'
import { pipeRequest } from './pipe-client.ts'
import type { PipeAddress } from './pipe-client.ts'

/**
 * The page's only way out: `studio://app/…` answered from the studio's pipe, streaming both ways. A body is passed on
 * as it comes; when the page gives up, the request on the pipe is closed and the studio notices.
 */

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** Meant for one connection, or for main and studio alone. */
const droppedRequestHeaders = new Set([
  'connection',
  'content-length',
  'cookie',
  'host',
  'keep-alive',
  'origin',
  'proxy-authorization',
  'referer',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-kestrel-secret',
])
const droppedResponseHeaders = new Set(['connection', 'keep-alive', 'set-cookie', 'transfer-encoding'])

const refusal = (status: number, error: WireError): Response =>
  new Response(JSON.stringify(error), {
    status,
    headers: { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' },
  })

/** Words instead of the page, in its colours, when the studio is not there; asks again by itself. */
const waitingPage = (error: WireError): Response =>
  new Response(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Kestrel Studio</title>
<meta http-equiv="refresh" content="3"><meta name="color-scheme" content="light dark">
<body style="font:16px/1.5 system-ui;margin:20vh auto;max-width:34rem;padding:0 1rem">
<h1 style="font-size:1.25rem">${error.message}</h1><p>${error.kept ?? ''} ${error.remedy ?? ''}</p></body></html>`,
    {
      status: 503,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        'x-content-type-options': 'nosniff',
      },
    },
  )

const notThere: WireError = {
  code: 'busy',
  message: 'The inner part of Kestrel (the studio) does not answer.',
  kept: 'Your pictures and labels are safe.',
  remedy: 'Wait a moment. If this stays, close Kestrel and open it again.',
}

/** What may not pass, with a status; null for a request that may. */
function refuse(request: Request): Response | null {
  const url = new URL(request.url)
  if (url.protocol !== `${scheme}:` || url.host !== 'app')
    return refusal(403, { code: 'forbidden', message: 'Kestrel serves no such address.' })
  if (!methods.has(request.method))
    return refusal(405, { code: 'bad-request', message: 'This method is not in use here.' })
  const from = request.headers.get('origin')
  if (from !== null && from !== origin)
    return refusal(403, { code: 'forbidden', message: 'Only the page of Kestrel may ask.' })
  // `new URL` has resolved `..`, also as %2e; what is left encoded is no id and nothing of ours.
  if (/%2f|%5c|%00|\\/i.test(url.pathname))
    return refusal(404, { code: 'not-found', message: 'There is nothing at this address.' })
  if (/^\/internal(\/|$)/i.test(url.pathname))
    return refusal(403, { code: 'forbidden', message: 'This is between the shell and the studio.' })
  return null
}

/** Bytes of the studio's answer for the page, with back pressure; the page's cancel ends the connection. */
function bodyStream(message: IncomingMessage): ReadableStream<Uint8Array> {
  let ended = false
  return new ReadableStream<Uint8Array>({
    start(controller) {
      const end = (act: () => void): void => {
        if (ended) return
        ended = true
        act()
      }
      message.on('data', (chunk: Buffer) => {
        if (ended) return
        controller.enqueue(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
        if ((controller.desiredSize ?? 0) <= 0) message.pause()
      })
      message.once('end', () => end(() => controller.close()))
      message.once('error', (error) => end(() => controller.error(error)))
      message.once('aborted', () =>
        end(() => controller.error(new Error('the studio ended the answer early'))),
      )
      message.pause()
    },
    pull() {
      message.resume()
    },
    cancel() {
      ended = true
      message.destroy()
    },
  })
}

async function sendBody(request: Request, call: NodeJS.WritableStream): Promise<void> {
  const reader = request.body?.getReader()
  if (!reader) {
    call.end()
    return
  }
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    if (!call.write(value)) await new Promise((resolve) => call.once('drain', resolve))
  }
  call.end()
}

/** Pages without these headers are not shown: a studio that forgot them is broken. */
function lacksSecurityHeaders(message: IncomingMessage): boolean {
  if (!(message.headers['content-type'] ?? '').startsWith('text/html')) return false
  const policy = String(message.headers['content-security-policy'] ?? '')
  const isStrict =
    /default-src '(none|self)'/.test(policy) && !/unsafe-eval|script-src[^;]*unsafe-inline/.test(policy)
  return !isStrict || message.headers['x-content-type-options'] !== 'nosniff'
}

function answer(message: IncomingMessage): Response {
  const status = message.statusCode ?? 502
  if (lacksSecurityHeaders(message)) {
    message.destroy()
    logger.error(`a page without security headers was refused (status ${status})`)
    return refusal(502, {
      code: 'internal',
      message: 'The page was not shown because its protection is missing.',
    })
  }
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers))
    if (value !== undefined && !droppedResponseHeaders.has(name))
      headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  const empty = status === 204 || status === 205 || status === 304
  if (empty) message.resume()
  return new Response(empty ? null : bodyStream(message), { status, headers })
}

/**
 * @param pipe waits until the studio listens; rejects when it cannot
 * @returns the handler for `protocol.handle`
 */
export function createDoor(pipe: () => Promise<PipeAddress>): (request: Request) => Promise<Response> {
  return async (request) => {
    const refused = refuse(request)
    if (refused) return refused
    try {
      const url = new URL(request.url)
      const headers: Record<string, string> = {}
      request.headers.forEach((value, name) => {
        if (!droppedRequestHeaders.has(name.toLowerCase())) headers[name] = value
      })
      const call = pipeRequest(await pipe(), request.method, `${url.pathname}${url.search}`, headers)
      // An older runtime's request has no signal; there the page's cancel arrives through the answer's stream.
      request.signal?.addEventListener('abort', () => call.destroy(), { once: true })
      const response = new Promise<IncomingMessage>((resolve, reject) => {
        call.once('response', resolve)
        call.once('error', reject)
      })
      const sent = sendBody(request, call).catch((error: unknown) => {
        call.destroy(error instanceof Error ? error : new Error(String(error)))
      })
      // The studio may answer (refuse) before it has read all; nobody waits for the rest of the body then.
      const message = await response
      void sent
      return answer(message)
    } catch (error) {
      logger.warn('the studio could not be reached', error)
      const wantsPage = (request.headers.get('accept') ?? '').includes('text/html')
      return wantsPage ? waitingPage(notThere) : refusal(503, notThere)
    }
  }
}
