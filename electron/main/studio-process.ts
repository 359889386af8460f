import { utilityProcess } from 'electron'
import type { UtilityProcess } from 'electron'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toParentSchema } from '#shared/contract/broker.ts'
import type { FromParent } from '#shared/contract/broker.ts'
import { processEntry } from '#shared/util/app-folders.ts'
import { logsFolder } from '#shared/util/home.ts'
import { childEnvironment } from './child-environment.ts'
import { logOutput, logger } from './log.ts'
import type { PipeAddress } from './pipe-client.ts'
import { TrainerBroker } from './trainer-broker.ts'

/** Three deaths within this time and the shell stops trying. */
const patienceMs = 60_000
const startLimitMs = 30_000
const shutdownLimitMs = 6_000

export interface StudioEvents {
  /** It died and listens again. */
  restarted(reason: string): void
  /** It died too often, or never came up. */
  failed(reason: string): void
}

interface Running {
  child: UtilityProcess
  pipe: PipeAddress
  ready: boolean
}

/** The studio as a utility process: started, watched, started again, shut down. */
export class StudioProcess {
  readonly #home: string
  readonly #events: StudioEvents
  readonly #folder = mkdtempSync(join(tmpdir(), 'kestrel-'))
  readonly #broker = new TrainerBroker((message) => this.#tell(message))
  #running: Running | null = null
  #starts = 0
  #deaths: number[] = []
  #ending = false
  #failure: string | null = null
  #waiting: { resolve(pipe: PipeAddress): void; reject(error: Error): void }[] = []

  constructor(home: string, events: StudioEvents) {
    this.#home = home
    this.#events = events
  }

  /** Where it listens; waits while it starts. @throws when it cannot be started. */
  pipe(): Promise<PipeAddress> {
    if (this.#running?.ready) return Promise.resolve(this.#running.pipe)
    if (this.#failure !== null) return Promise.reject(new Error(this.#failure))
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  start(): void {
    this.#starts += 1
    const path =
      process.platform === 'win32'
        ? `\\\\.\\pipe\\kestrel-${randomBytes(16).toString('hex')}`
        : join(this.#folder, `${this.#starts}.sock`)
    const pipe = { path, secret: randomBytes(32).toString('hex') }
    const child = utilityProcess.fork(processEntry('studio'), [], {
      serviceName: 'Kestrel studio',
      stdio: 'pipe',
      env: {
        ...childEnvironment(),
        KESTREL_MODE: 'desktop',
        KESTREL_HOME: this.#home,
        KESTREL_LOG_DIR: logsFolder(this.#home),
        KESTREL_PIPE: pipe.path,
        KESTREL_PIPE_SECRET: pipe.secret,
      },
    })
    const running: Running = { child, pipe, ready: false }
    this.#running = running
    logOutput('studio', child.stdout)
    logOutput('studio', child.stderr)
    const tooLong = setTimeout(() => {
      logger.error('the studio did not get ready in time')
      child.kill()
    }, startLimitMs)
    child.on('message', (data: unknown) => {
      const message = toParentSchema.safeParse(data)
      if (!message.success) logger.error('the studio sent something unknown', message.error.message)
      else if (message.data.type !== 'ready') this.#broker.handle(message.data)
      else {
        clearTimeout(tooLong)
        this.#becomeReady(running)
      }
    })
    child.once('exit', (code) => {
      clearTimeout(tooLong)
      this.#died(running, code)
    })
  }

  /** Asks it to finish; ends it when it does not. Resolves when it is gone. */
  async shutdown(): Promise<void> {
    this.#ending = true
    const child = this.#running?.child
    if (child)
      await new Promise<void>((resolve) => {
        const enforce = setTimeout(() => child.kill(), shutdownLimitMs)
        child.once('exit', () => {
          clearTimeout(enforce)
          resolve()
        })
        child.postMessage({ type: 'shutdown' } satisfies FromParent)
      })
    this.#broker.killAll()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #tell(message: FromParent): void {
    this.#running?.child.postMessage(message)
  }

  #becomeReady(running: Running): void {
    running.ready = true
    logger.info(`studio ready, pid ${running.child.pid}`)
    for (const waiter of this.#waiting.splice(0)) waiter.resolve(running.pipe)
    if (this.#starts > 1)
      this.#events.restarted(
        'The inner part of Kestrel stopped unexpectedly and was started again. ' +
          'Your pictures, labels and finished trainings are all there. A training that was running has ended.',
      )
  }

  #died(running: Running, code: number): void {
    if (this.#running === running) this.#running = null
    logger[this.#ending ? 'info' : 'error'](`studio ended with ${code}`)
    if (this.#ending) return
    this.#broker.killAll()
    const now = Date.now()
    this.#deaths = [...this.#deaths.filter((at) => now - at < patienceMs), now]
    if (this.#deaths.length < 3) {
      this.start()
      return
    }
    this.#failure =
      'The inner part of Kestrel stopped three times within a minute. Close Kestrel and open it again; ' +
      'everything saved is kept. If it happens again, the folder "logs" says why.'
    for (const waiter of this.#waiting.splice(0)) waiter.reject(new Error(this.#failure))
    this.#events.failed(this.#failure)
  }
}
