import { KestrelError } from '#shared/errors/index.ts'

export const INTERRUPTED = 130

export interface Interrupt {
  /** Aborted by the first Ctrl+C, or when the terminal goes away. */
  readonly signal: AbortSignal
  /** Ends the listening. */
  dispose(): void
}

/** The first Ctrl+C asks for an end that keeps what is finished; the second ends the process at once. */
export function listenForInterrupt(say: (line: string) => void): Interrupt {
  const abort = new AbortController()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const ask = (): void => {
    if (abort.signal.aborted) process.exit(INTERRUPTED)
    say('Stopping; what is finished is kept. Press Ctrl+C again to end at once.')
    abort.abort(
      new KestrelError('stopped', 'Interrupted.', {
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
