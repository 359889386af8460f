import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { composeBase } from '#studio/compose-base.ts'
import type { StudioBase } from '#studio/compose-base.ts'
import type { Log } from '#studio/log.ts'
import { temporaryFolder } from './folders.ts'

/** A log that fails the test when something unexpected is written to it. */
export function strictLog(): Log & { errors: string[] } {
  const errors: string[] = []
  return {
    errors,
    info: () => undefined,
    warn: () => undefined,
    error: (message, cause) => errors.push(`${message} ${String(cause)}`),
  }
}

/** Projects, pictures and labels in an empty user-data folder; closed when the test is over. */
export async function studioBase(home = join(temporaryFolder(), 'home')): Promise<StudioBase> {
  const log = strictLog()
  const base = await composeBase({ home, log })
  onTestFinished(async () => {
    await base.jobs.stopAll()
    await base.projects.closeAll()
    await base.uploads.close()
    if (log.errors.length > 0) throw new Error(`the log has errors: ${log.errors.join('\n')}`)
  })
  return base
}
