// Plain JavaScript for any Node from 18 on.
import { constants } from 'node:os'

/** As in electron/cli/interrupt.ts: `npx` passes on a Ctrl+C that the terminal has sent to everybody already. */
const SAME_PRESS_MS = 200
const INTERRUPTED = 130

/**
 * Hands the signals that ask this process to end over to the child that does its work, and lives until the child has
 * ended in its own way.
 *
 * A terminal sends Ctrl+C to the child, too; `kill -INT` sends it to this process alone, and nothing tells the two apart.
 * So it is handed over as SIGTERM, which asks for the same: who hears both has heard each of them once, and takes only
 * the second one of a kind for a second press. Windows knows no signals between processes: what its console sends has
 * reached the child, and `kill` would end it on the spot.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @returns {{ dispose: () => void, exitCode: (code: number | null, signal: NodeJS.Signals | null) => number }} `dispose`
 *   ends the listening; `exitCode` is what to end with when the child has
 */
export function handOverSignals(child, platform = process.platform) {
  let interrupted = -Infinity
  const handOver = (signal) => {
    if (signal === 'SIGINT') {
      const again = performance.now() - interrupted < SAME_PRESS_MS
      interrupted = performance.now()
      if (again) return
    }
    if (platform !== 'win32') child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, handOver)
  return {
    dispose() {
      for (const signal of signals) process.off(signal, handOver)
    },
    // A child that had no time to learn to end in its own way is ended by the signal.
    exitCode: (code, signal) =>
      code ?? (Number.isFinite(interrupted) ? INTERRUPTED : 128 + (constants.signals[signal] ?? 1)),
  }
}
