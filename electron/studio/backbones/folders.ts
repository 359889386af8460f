import type { Log } from '../log.ts'
import { readBackboneFolder } from './folder-source.ts'
import type { FolderBackbone } from './folder-source.ts'
import { readNamedFolder } from './named-folder.ts'
import type { NamedFolder } from './named-folder.ts'

export type BackboneFolders = ReturnType<typeof createBackboneFolders>

/** The two folders that backbones may lie in, read anew whenever they are asked for: files come and go. */
export function createBackboneFolders(ports: {
  /** `KESTREL_BACKBONES`. */
  folder: string | null
  /** What Kestrel brings along, a folder of the same form; null: nothing. */
  builtIn: string | null
  log: Log
}) {
  const { folder, builtIn, log } = ports
  const nothing: NamedFolder = { described: [], loose: [], problem: null }
  return {
    named: async (): Promise<NamedFolder> => (folder === null ? nothing : readNamedFolder(folder, log)),
    async builtIn(): Promise<FolderBackbone[]> {
      if (builtIn === null) return []
      try {
        return await readBackboneFolder(builtIn)
      } catch (error) {
        log.warn('the folder of the built-in backbones cannot be read', error)
        return []
      }
    },
  }
}
