import type { Terminal } from './terminal.ts'

/** What every command gets. */
export interface CliContext {
  terminal: Terminal
  /** Aborted when the person interrupts. */
  signal: AbortSignal
  /** Of Kestrel. */
  version: string
}
