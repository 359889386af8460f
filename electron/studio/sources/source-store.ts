import { randomBytes } from 'node:crypto'
import { KestrelError } from '#shared/errors/index.ts'

export type SourcePurpose = 'read' | 'write'

/** Paths the person dropped, chose or uploaded, behind a token that cannot be guessed. */
export interface SourceStore {
  register(paths: readonly string[], purpose: SourcePurpose): string
  /** @throws KestrelError not-found when the token is unknown or was given for something else */
  paths(token: string, purpose: SourcePurpose): string[]
}

/** Older ones are forgotten: a window makes a new token with every drop. */
const MOST_TOKENS = 1000

export function createSourceStore(): SourceStore {
  const sources = new Map<string, { paths: string[]; purpose: SourcePurpose }>()
  return {
    register(paths, purpose) {
      const token = randomBytes(24).toString('base64url')
      sources.set(token, { paths: [...paths], purpose })
      for (const oldest of sources.keys()) {
        if (sources.size <= MOST_TOKENS) break
        sources.delete(oldest)
      }
      return token
    },
    paths(token, purpose) {
      const source = sources.get(token)
      if (!source || source.purpose !== purpose) throw unknownSource()
      return source.paths
    },
  }
}

export const unknownSource = (): KestrelError =>
  new KestrelError('not-found', 'What was dropped is not known any more.', {
    remedy: 'Drop or choose it again.',
  })
