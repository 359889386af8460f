import { RPCHandler } from '@orpc/server/fetch'
import type { AnyRouter } from '@orpc/server'
import { Hono } from 'hono'
import {
  internalRoutes,
  locatedSchema,
  registeredSourcesSchema,
  registerSourcesSchema,
  revealSchema,
  studioStatusSchema,
} from '#shared/contract/broker.ts'
import type { Reveal } from '#shared/contract/broker.ts'
import { mostUploadBytes, notSentSchema } from '#shared/contract/media.ts'
import { KestrelError } from '#shared/errors/index.ts'
import type { z } from 'zod'
import type { Log } from '../log.ts'
import type { MediaRoutes } from '../ports.ts'
import type { SourceStore } from '../sources/source-store.ts'
import type { Uploads } from '../sources/uploads.ts'
import { checkAnnouncedLength, limitStream, withBodyLimit } from './body.ts'
import { pageResponse } from './page.ts'
import { errorResponse, securityHeaders } from './responses.ts'
import type { RpcContext } from './rpc.ts'

export interface AppPorts {
  log: Log
  router: AnyRouter
  media: readonly MediaRoutes[]
  sources: SourceStore
  uploads: Uploads
  /** Folder of the built page. */
  pageFolder: string
  locate(what: Reveal): Promise<string> | string
  status(): z.infer<typeof studioStatusSchema>
}

export type Door = 'pipe' | 'loopback'
export type AppFetch = (request: Request, door: Door) => Promise<Response>

const MOST_RPC_BYTES = 8 * 1024 ** 2

/** The one handler behind both doors: calls, media, uploads, the page, and what only the desktop shell may ask. */
export function createApp(ports: AppPorts): AppFetch {
  const { log } = ports
  const app = new Hono<{ Bindings: { door: Door } }>()
  const rpc = new RPCHandler<RpcContext>(ports.router)

  app.all('/rpc/*', async (c) => {
    const { response } = await rpc.handle(withBodyLimit(c.req.raw, MOST_RPC_BYTES), {
      prefix: '/rpc',
      context: { door: c.env.door, log },
    })
    if (response) return noStore(response)
    throw new KestrelError('not-found', 'There is no such call.')
  })

  const media = new Hono()
  for (const register of ports.media) register(media)
  app.route('/media', media)
  app.all('/media/*', () => {
    throw new KestrelError('not-found', 'There is nothing at this address.')
  })

  app.post('/upload', async (c) => c.json({ token: await ports.uploads.begin() }))
  app.put('/upload/:token', async (c) => {
    checkAnnouncedLength(c.req.raw, mostUploadBytes)
    const { body } = c.req.raw
    const limited = body === null ? null : limitStream(body, mostUploadBytes)
    await ports.uploads.receive(c.req.param('token'), c.req.query('path') ?? '', limited)
    return c.json({ ok: true })
  })

  app.post('/upload/:token/not-sent', async (c) =>
    c.json({
      message: ports.uploads.notSent(c.req.param('token'), await readBody(c.req.raw, notSentSchema)),
    }),
  )

  app.use('/internal/*', async (c, next) => {
    if (c.env.door !== 'pipe') throw new KestrelError('forbidden', 'Only the Kestrel window may ask this.')
    await next()
  })
  app.post(internalRoutes.sources, async (c) => {
    const { paths, purpose } = await readBody(c.req.raw, registerSourcesSchema)
    return c.json(registeredSourcesSchema.parse({ token: ports.sources.register(paths, purpose) }))
  })
  app.post(internalRoutes.locate, async (c) =>
    c.json(locatedSchema.parse({ path: await ports.locate(await readBody(c.req.raw, revealSchema)) })),
  )
  app.get(internalRoutes.status, (c) => c.json(studioStatusSchema.parse(ports.status())))

  app.get('*', async (c) => {
    const { pathname } = new URL(c.req.url)
    const reserved = /^\/(rpc|media|upload|internal)(\/|$)/.test(pathname)
    const page = reserved ? null : await pageResponse(ports.pageFolder, pathname)
    if (page) return page
    throw new KestrelError('not-found', 'There is nothing at this address.')
  })
  app.all('*', () => {
    throw new KestrelError('forbidden', 'This kind of request is not answered here.')
  })
  app.onError((error) => errorResponse(error, log))

  return async (request, door) => withSecurityHeaders(await app.fetch(request, { door }))
}

async function readBody<S extends z.ZodType>(request: Request, schema: S): Promise<z.infer<S>> {
  const text = await withBodyLimit(request, MOST_RPC_BYTES).text()
  const wrong = (cause: unknown): KestrelError =>
    new KestrelError('bad-request', 'This request is not in the form that is expected.', { cause })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw wrong(error)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw wrong(parsed.error)
  return parsed.data
}

function noStore(response: Response): Response {
  response.headers.set('cache-control', 'no-store')
  return response
}

export function withSecurityHeaders(response: Response): Response {
  for (const [name, value] of Object.entries(securityHeaders)) response.headers.set(name, value)
  return response
}
