import { implement, ORPCError } from '@orpc/server'
import { contract } from '#shared/contract/index.ts'
import { KestrelError, toWire } from '#shared/errors/index.ts'
import type { Log } from '../log.ts'

export interface RpcContext {
  /** `inside`: the command line, in the same process. */
  door: 'pipe' | 'loopback' | 'inside'
  log: Log
}

/**
 * What every call is built with: `os.pictures.counts.handler(({ input }) => …)`. Whatever a handler throws reaches the
 * caller as `KESTREL` with words; what was not foreseen goes to the log with its cause and is 'internal' outside.
 */
export const os = implement(contract)
  .$context<RpcContext>()
  .use(async ({ context, next, path }) => {
    try {
      return await next()
    } catch (error) {
      if (error instanceof ORPCError) throw error
      if (!(error instanceof KestrelError) || error.code === 'internal')
        context.log.error(`call ${path.join('.')} failed`, error)
      const wire = toWire(error)
      throw new ORPCError('KESTREL', { defined: true, status: 422, message: wire.message, data: wire })
    }
  })
