import { utilityProcess } from 'electron'
import type { UtilityProcess } from 'electron'
import type { FromParent, ToParent } from '#shared/contract/broker.ts'
import { processEntry } from '#shared/util/app-folders.ts'
import { childEnvironment } from './child-environment.ts'
import { logOutput, logger } from './log.ts'

/**
 * Starts and ends trainer processes for the studio: with the `runAsNode` fuse off only main can start a Node process.
 * A training belongs to the studio that asked for it; when that one dies, its trainers are ended.
 */
export class TrainerBroker {
  readonly #running = new Map<string, UtilityProcess>()
  readonly #tell: (message: FromParent) => void

  /** @param tell sends to the studio that runs now */
  constructor(tell: (message: FromParent) => void) {
    this.#tell = tell
  }

  handle(message: Exclude<ToParent, { type: 'ready' }>): void {
    if (message.type === 'fork-trainer') this.#fork(message.token, message.env)
    else this.#kill(message.token, message.force)
  }

  /** Ends all; a trainer that hangs in a driver does not listen, so nothing is asked. */
  killAll(): void {
    for (const token of this.#running.keys()) this.#kill(token, true)
  }

  #fork(token: string, env: Record<string, string>): void {
    if (this.#running.has(token)) return
    const child = utilityProcess.fork(processEntry('trainer'), [], {
      serviceName: 'Kestrel training',
      env: { ...childEnvironment(), ...env },
      stdio: 'pipe',
    })
    this.#running.set(token, child)
    logOutput('trainer', child.stdout)
    logOutput('trainer', child.stderr)
    child.once('spawn', () => {
      logger.info(`trainer started, pid ${child.pid}`)
      if (child.pid !== undefined) this.#tell({ type: 'trainer-started', token, pid: child.pid })
    })
    child.once('exit', (code) => {
      this.#running.delete(token)
      logger.info(`trainer ended with ${code}`)
      // Utility processes report one number; a signal shows as a code other than 0.
      this.#tell({ type: 'trainer-exit', token, code, signal: null })
    })
  }

  #kill(token: string, force: boolean): void {
    const child = this.#running.get(token)
    if (!child) return
    if (force && child.pid !== undefined && process.platform !== 'win32') endNow(child.pid)
    else child.kill()
  }
}

function endNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It has ended by itself, and the news of that is on its way.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
