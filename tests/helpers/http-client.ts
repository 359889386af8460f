import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'

export interface Target {
  socketPath?: string
  port?: number
}

export interface RawRequest {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string | Uint8Array | NodeReadableStream
  signal?: AbortSignal
}

/** A request as it is written here: no header is added or refused, as a browser or fetch() would do. */
export async function send(target: Target, raw: RawRequest): Promise<Response> {
  const message = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(
      {
        ...(target.socketPath === undefined ? { host: '127.0.0.1', port: target.port } : target),
        method: raw.method ?? 'GET',
        path: raw.path,
        headers: raw.headers,
        signal: raw.signal,
        // A connection of its own: what one test leaves half-sent must not meet the next.
        agent: false,
      },
      resolve,
    )
    outgoing.on('error', reject)
    if (raw.body === undefined || typeof raw.body === 'string' || raw.body instanceof Uint8Array)
      outgoing.end(raw.body)
    else Readable.fromWeb(raw.body).pipe(outgoing)
  })
  const headers = new Headers()
  for (const [name, value] of Object.entries(message.headers))
    for (const each of [value ?? []].flat()) headers.append(name, each)
  const empty = raw.method === 'HEAD' || message.statusCode === 204 || message.statusCode === 304
  const body = empty ? null : (Readable.toWeb(message) as ReadableStream)
  return new Response(body, { status: message.statusCode ?? 0, headers })
}

/** fetch() over {@link send}, for the typed client. `extra` are the headers this door wants. */
export const fetchOver =
  (target: Target, extra: Record<string, string>) =>
  async (input: Request): Promise<Response> => {
    const url = new URL(input.url)
    const body = input.body === null ? undefined : new Uint8Array(await input.arrayBuffer())
    return send(target, {
      method: input.method,
      path: url.pathname + url.search,
      headers: { ...Object.fromEntries(input.headers), ...extra },
      signal: input.signal,
      ...(body === undefined ? {} : { body }),
    })
  }
