import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { once } from 'node:events'
import { getRequestListener } from '@hono/node-server'
import { pipeSecretHeader } from '#shared/contract/broker.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { Log } from '../log.ts'
import { withSecurityHeaders } from './app.ts'
import type { AppFetch } from './app.ts'
import { copyRequest } from './body.ts'
import { createLoopbackGuard, sameSecret } from './loopback-guard.ts'
import type { LoopbackGuard } from './loopback-guard.ts'
import { errorResponse } from './responses.ts'

export interface OpenDoor {
  /** Ends open streams and stops listening. */
  close(): Promise<void>
}

export interface DoorPorts {
  fetch: AppFetch
  log: Log
}

function serverFor(handle: (request: Request) => Promise<Response>, log: Log): Server {
  const listener = getRequestListener(
    async (request) => {
      try {
        return await handle(request)
      } catch (error) {
        return withSecurityHeaders(errorResponse(error, log))
      }
    },
    { overrideGlobalObjects: false },
  )
  const server = createServer({ maxHeaderSize: 32 * 1024 }, (incoming, outgoing) => {
    void listener(incoming, outgoing)
  })
  // Uploads and event streams last as long as they need; a header that never ends does not.
  server.requestTimeout = 0
  server.headersTimeout = 20_000
  return server
}

async function listening(server: Server, listen: () => void): Promise<void> {
  const failed = once(server, 'error').then(([error]: unknown[]) => {
    throw error
  })
  listen()
  await Promise.race([once(server, 'listening'), failed])
}

const closing = (server: Server): OpenDoor => ({
  close: () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
})

/** The desktop shell's door: a pipe in a folder only this user may enter, and a secret on every request. */
export async function openPipeDoor(
  { fetch, log }: DoorPorts,
  { path, secret }: { path: string; secret: string },
): Promise<OpenDoor> {
  const server = serverFor(async (request) => {
    if (!sameSecret(request.headers.get(pipeSecretHeader), secret))
      throw new KestrelError('unauthorised', 'Only the Kestrel window may use this door.')
    const headers = new Headers(request.headers)
    headers.delete(pipeSecretHeader)
    return fetch(copyRequest(request, { headers }), 'pipe')
  }, log)
  const isFile = process.platform !== 'win32'
  if (isFile) rmSync(path, { force: true })
  await listening(server, () => server.listen(path))
  if (isFile) chmodSync(path, 0o600)
  return closing(server)
}

export interface LoopbackDoor extends OpenDoor {
  readonly port: number
  /** With the one-time token. */
  readonly address: string
}

/** The browser's door: 127.0.0.1 only, guarded by a one-time token, a strict cookie, and checks of host and origin. */
export async function openLoopbackDoor(
  { fetch, log }: DoorPorts,
  { port }: { port: number },
): Promise<LoopbackDoor> {
  let guard: LoopbackGuard | null = null
  const server = serverFor(async (request) => {
    // Not even the first request may slip in before the guard stands.
    if (!guard) throw new KestrelError('busy', 'Kestrel is just starting.')
    const ended = guard.check(request)
    return ended ? withSecurityHeaders(ended) : fetch(request, 'loopback')
  }, log)
  try {
    await listening(server, () => server.listen(port, '127.0.0.1'))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    throw new KestrelError('busy', `Port ${port} is used by another program.`, {
      remedy: 'Choose another one with --port, or leave it out.',
      cause: error,
    })
  }
  const address = server.address()
  const actual = typeof address === 'object' && address !== null ? address.port : port
  guard = createLoopbackGuard(actual)
  return {
    ...closing(server),
    port: actual,
    address: `http://127.0.0.1:${actual}/?token=${guard.token}`,
  }
}
