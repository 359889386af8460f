import type { ChildProcess } from 'node:child_process'

export function handOverSignals(
  child: ChildProcess,
  platform?: NodeJS.Platform,
): {
  dispose(): void
  exitCode(code: number | null, signal: NodeJS.Signals | null): number
}
