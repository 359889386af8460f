import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface PrivateAddress {
  /** Unix socket in a folder that only this user can enter, or a Windows pipe with a name nobody can guess. */
  readonly path: string
  remove(): Promise<void>
}

/**
 * An address for one trainer. `mkdtemp` makes its folder with mode 0700; short names, because socket paths are at most
 * 103 bytes. A process that ends before it has removed the address takes it along.
 */
export function privateAddress(platform: NodeJS.Platform = process.platform): PrivateAddress {
  if (platform === 'win32')
    return { path: `\\\\.\\pipe\\kestrel-${randomUUID()}`, remove: () => Promise.resolve() }
  const folder = mkdtempSync(join(tmpdir(), 'kestrel-'))
  const removeNow = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', removeNow)
  return {
    path: join(folder, 't'),
    async remove() {
      await rm(folder, { recursive: true, force: true })
      process.off('exit', removeNow)
    },
  }
}
