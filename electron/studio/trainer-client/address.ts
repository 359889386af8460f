import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface PrivateAddress {
  /** Unix socket in a folder that only this user can enter, or a Windows pipe with a name nobody can guess. */
  readonly path: string
  remove(): Promise<void>
}

/** An address for one trainer. `mkdtemp` makes its folder with mode 0700; short names, because socket paths are at most 103 bytes. */
export async function privateAddress(platform: NodeJS.Platform = process.platform): Promise<PrivateAddress> {
  if (platform === 'win32')
    return { path: `\\\\.\\pipe\\kestrel-${randomUUID()}`, remove: () => Promise.resolve() }
  const folder = await mkdtemp(join(tmpdir(), 'kestrel-'))
  return { path: join(folder, 't'), remove: () => rm(folder, { recursive: true, force: true }) }
}
