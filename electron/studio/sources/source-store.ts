import { randomBytes } from 'node:crypto'
import { KestrelError } from '#shared/errors/index.ts'

export type SourcePurpose = 'read' | 'write'

/** Paths the person dropped, chose or uploaded, behind a token that cannot be guessed. */
export interface SourceStore {
  register(paths: readonly string[], purpose: SourcePurpose): string
  /** For uploads: `paths` grows while files arrive. */
  registerLive(paths: string[]): string
  /** @throws KestrelError not-found when the token is unknown or was given for something else */
  paths(token: string, purpose: SourcePurpose): string[]
  /** The first path, whatever it was given for: to show it in the file manager. @throws KestrelError not-found */
  anyPath(token: string): string
}

/** Older ones are forgotten: a window makes a new token with every drop. */
const MOST_TOKENS = 1000

export function createSourceStore(): SourceStore {
  const sources = new Map<string, { paths: string[]; purpose: SourcePurpose }>()
  const add = (paths: string[], purpose: SourcePurpose): string => {
    const token = randomBytes(24).toString('base64url')
    sources.set(token, { paths, purpose })
    for (const oldest of sources.keys()) {
      if (sources.size <= MOST_TOKENS) break
      sources.delete(oldest)
    }
    return token
  }
  return {
    register: (paths, purpose) => add([...paths], purpose),
    registerLive: (paths) => add(paths, 'read'),
    paths(token, purpose) {
      const source = sources.get(token)
      if (!source || source.purpose !== purpose) throw unknownSource()
      return source.paths
    },
    anyPath(token) {
      const path = sources.get(token)?.paths[0]
      if (path === undefined) throw unknownSource()
      return path
    },
  }
}

export const unknownSource = (): KestrelError =>
  new KestrelError('not-found', 'What was dropped is not known any more.', {
    remedy: 'Drop or choose it again.',
  })
