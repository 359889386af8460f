import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/**
 * How tests remove their folders: a Kestrel process that is ending keeps its compiled code for the next one, and may put
 * a file into a folder that is being emptied.
 */
export const withContents = { recursive: true, force: true, maxRetries: 10 } as const

/** An empty folder that is gone when the test is over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kestrel-test-'))
  onTestFinished(() => rmSync(folder, withContents))
  return folder
}
