import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe } from 'vitest'

/** Folder with real pictures and backbones that are never part of the project. */
export const sharedRoot = resolve(
  process.env['KESTREL_SHARED'] ?? resolve(import.meta.dirname, '../../../shared'),
)

export const sharedPath = (relative: string): string => resolve(sharedRoot, relative)

/** `describe` for tests that need real data: says loudly which data is missing and does not count as passed then. */
export function describeWithShared(name: string, needs: string[], body: () => void): void {
  const missing = needs.map(sharedPath).filter((path) => !existsSync(path))
  if (missing.length === 0) {
    describe(name, body)
    return
  }
  console.error(`\n!!! NOT TESTED: "${name}" needs ${missing.join(', ')} (set KESTREL_SHARED)\n`)
  describe.skip(`${name} (data missing)`, body)
}
