import { KestrelError } from '#shared/errors/index.ts'
import type { KestrelErrorOptions } from '#shared/errors/index.ts'

export const INTERRUPTED = 130

type InterruptedWords = { message?: string } & Pick<KestrelErrorOptions, 'kept' | 'remedy'>

/** What a command ends with after Ctrl+C, in its own words: what was kept, and how to go on. */
export class Interrupted extends KestrelError {
  constructor({ message = 'Interrupted.', ...words }: InterruptedWords) {
    super('stopped', message, words)
  }
}

export interface Interrupt {
  /** Aborted by the first Ctrl+C, or when the terminal goes away. */
  readonly signal: AbortSignal
  /** Ends the listening. */
  dispose(): void
}

/** `npx` passes a Ctrl+C on that the terminal has sent to everybody already: one press of a key arrives twice. */
const SAME_PRESS_MS = 200

/**
 * The first Ctrl+C asks for an end that keeps what is finished; the second ends the process at once. A second one is one
 * of the same kind: the `kestrel` command hands Ctrl+C over as SIGTERM (scripts/lib/signals.mjs), and however late that
 * is heard, by a process with its hands full, it is the same press.
 */
export function listenForInterrupt(say: (line: string) => void): Interrupt {
  const abort = new AbortController()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const asked = new Map<NodeJS.Signals, number>()
  const ask = (signal: NodeJS.Signals): void => {
    const before = asked.get(signal)
    if (before !== undefined && performance.now() - before > SAME_PRESS_MS) process.exit(INTERRUPTED)
    if (before === undefined) asked.set(signal, performance.now())
    if (abort.signal.aborted) return
    say('Stopping; what is finished is kept. Press Ctrl+C again to end at once.')
    abort.abort(
      new Interrupted({
        kept: 'Everything that was finished is kept.',
        remedy: 'Run the same command again to go on from there.',
      }),
    )
  }
  for (const signal of signals) process.on(signal, ask)
  return {
    signal: abort.signal,
    dispose: () => {
      for (const signal of signals) process.off(signal, ask)
    },
  }
}

/** Whether it is the interruption that ended the work, and nothing worse that happened meanwhile. */
export const isInterruption = (error: unknown, signal: AbortSignal): boolean =>
  signal.aborted && !(error instanceof KestrelError && error.code !== 'stopped')
