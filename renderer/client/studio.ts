import { createORPCClient, ORPCError } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import type { ContractRouterClient } from '@orpc/contract'
import { inject } from 'vue'
import type { InjectionKey } from 'vue'
import type { Contract } from '#shared/contract/index.ts'
import { fromBridge, fromWire, KestrelError, wireErrorSchema } from '#shared/errors/index.ts'

export type StudioClient = ContractRouterClient<Contract>

/** Said of calls that found nobody; taken back once the studio answers again. */
export const unreachableWords = 'The studio does not answer at the moment.'

const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError'

/**
 * Every failure of a call as the one error of the house. An abort stays what it is: whoever aborted knows.
 * @param error what the call threw
 */
export function toPageError(error: unknown): unknown {
  if (error instanceof KestrelError || isAbort(error)) return error
  if (error instanceof ORPCError) {
    const wire = wireErrorSchema.safeParse(error.data)
    if (wire.success) return fromWire(wire.data)
    if (error.status === 401 || error.status === 403) {
      return new KestrelError('unauthorised', 'This page is no longer allowed to talk to the studio.', {
        remedy: 'Open the address that Kestrel printed when it was started.',
        cause: error,
      })
    }
    return new KestrelError('internal', 'The studio could not answer.', {
      kept: 'Your pictures and labels are safe.',
      remedy: 'Try again. If it happens again, save diagnostics from Settings.',
      cause: error,
    })
  }
  const fromDesktop = fromBridge(error)
  if (fromDesktop) return fromDesktop
  return new KestrelError('internal', unreachableWords, {
    kept: 'Everything saved so far is safe.',
    remedy: 'Wait a few seconds and try again.',
    cause: error,
  })
}

/** @param origin where both doors answer: `studio://app` or `http://127.0.0.1:PORT` */
export function createStudioClient(origin: string): StudioClient {
  const link = new RPCLink({
    url: `${origin}/rpc`,
    interceptors: [
      async ({ next }) => {
        try {
          return await next()
        } catch (error) {
          throw toPageError(error)
        }
      },
    ],
  })
  return createORPCClient<StudioClient>(link)
}

export const studioClientKey: InjectionKey<StudioClient> = Symbol('studio client')

/** The typed calls of shared/contract. @throws when used outside the app */
export function useStudio(): StudioClient {
  const client = inject(studioClientKey)
  if (!client) throw new Error('useStudio needs the studio client to be provided by the app')
  return client
}
